// deadletter makes visible the events that could not be delivered.
package main

import (
	"time"

	eventsv1client "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/metadata"

	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

type config struct{ receiver.Env }

func main() {
	var cfg config
	ctx, kube := receiver.Setup("deadletter", &cfg, &cfg.Env)
	h := &Handler{
		Metadata: receiver.Must(metadata.NewForConfig(kube)),
		Events:   receiver.Must(eventsv1client.NewForConfig(kube)),
		Now:      time.Now,
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
