// deadletter makes visible the events that could not be delivered.
package main

import (
	"time"

	"go.uber.org/zap"
	"k8s.io/client-go/kubernetes"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

func main() {
	var cfg struct{ receiver.Env }
	ctx, kube := receiver.Setup("deadletter", &cfg, &cfg.Env)
	core, err := kubernetes.NewForConfig(kube)
	if err != nil {
		logging.FromContext(ctx).Fatalw("client", zap.Error(err))
	}
	receiver.Serve(ctx, cfg.Env, (&Handler{Events: core.EventsV1(), Now: time.Now}).Handle)
}
