// status writes what PipelineRuns say into the status of their Tasks.
package main

import (
	"time"

	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	"go.uber.org/zap"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

func main() {
	var cfg struct{ receiver.Env }
	ctx, kube := receiver.Setup("status", &cfg, &cfg.Env)
	log := logging.FromContext(ctx)
	kf, err := client.New(kube)
	if err != nil {
		log.Fatalw("client", zap.Error(err))
	}
	tekton, err := tektonclient.NewForConfig(kube)
	if err != nil {
		log.Fatalw("client of Tekton", zap.Error(err))
	}
	emit, err := receiver.Emitter(cfg.Env)
	if err != nil {
		log.Fatalw("sink", zap.Error(err))
	}
	h := &Handler{Kf: kf, Tekton: tekton, Emit: emit, Now: time.Now}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
