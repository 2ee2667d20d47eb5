// command carries out command events: it makes the Task that one asks for, or asks a Task to stop.
package main

import (
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/identity"
	"github.com/kf-tasks/kf-tasks/shared/kubeevent"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

type config struct{ receiver.Env }

func main() {
	var cfg config
	ctx, kube := receiver.Setup("command", &cfg, &cfg.Env)
	k8s := receiver.Must(kubernetes.NewForConfig(kube))
	h := &Handler{
		Kf: receiver.Must(client.New(kube)), Kube: k8s, Identities: identity.New(k8s, events.CommandAudience, time.Now), Now: time.Now,
		Emit: receiver.Must(receiver.Emitter(cfg.Env)), Reported: kubeevent.NewReported(),
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
