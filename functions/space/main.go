// space makes of a Space what it asks for: its namespace, and who may do what in it.
package main

import (
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

type config struct{ receiver.Env }

func main() {
	var cfg config
	ctx, kube := receiver.Setup("space", &cfg, &cfg.Env)
	h := &Handler{
		Kf:   receiver.Must(client.New(kube)),
		Kube: receiver.Must(kubernetes.NewForConfig(kube)),
		Now:  time.Now,
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
