// command carries out command events: it makes the Task that one asks for, or asks a Task to stop.
package main

import (
	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

type config struct{ receiver.Env }

func main() {
	var cfg config
	ctx, kube := receiver.Setup("command", &cfg, &cfg.Env)
	h := &Handler{
		Kf: receiver.Must(client.New(kube)),
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
