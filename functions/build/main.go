// build settles App.status: the image that Tasks run, and how that image runs a command.
package main

import (
	"context"
	"time"

	"go.uber.org/zap"
	"k8s.io/client-go/kubernetes"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

func main() {
	var cfg struct{ receiver.Env }
	ctx, kube := receiver.Setup("build", &cfg, &cfg.Env)
	log := logging.FromContext(ctx)
	kf, err := client.New(kube)
	if err != nil {
		log.Fatalw("client", zap.Error(err))
	}
	core, err := kubernetes.NewForConfig(kube)
	if err != nil {
		log.Fatalw("client of Kubernetes", zap.Error(err))
	}
	h := &Handler{
		Kf: kf, Now: time.Now,
		Look: func(ctx context.Context, app *v1alpha1.App) Looked { return look(ctx, core, app) },
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
