// build keeps App.status up to date: the image that Tasks run, and how that image runs a command.
package main

import (
	"context"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/coalesce"
	"github.com/kf-tasks/kf-tasks/shared/image"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/registry"
)

type config struct {
	receiver.Env
	// Patience is how long one inspection of an image may take.
	Patience time.Duration `envconfig:"LOOK_PATIENCE" default:"30s"`
}

func main() {
	var cfg config
	ctx, kube := receiver.Setup("build", &cfg, &cfg.Env)
	k8s := receiver.Must(kubernetes.NewForConfig(kube))
	reach := registry.Transport()
	h := &Handler{
		Kf: receiver.Must(client.New(kube)),
		Inspect: func(ctx context.Context, app *v1alpha1.App) (image.Inspection, error) {
			return inspect(ctx, k8s, reach, app)
		},
		Inspections: coalesce.Calls[image.Inspection]{Patience: max(cfg.Patience, time.Second)}, // never without an end
		Now:         time.Now,
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
