// runtask makes the one Tekton PipelineRun of each Task.
package main

import (
	"time"

	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	"go.uber.org/zap"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

type config struct {
	receiver.Env
	// DefaultTimeout stops Tasks that name no timeout; 0 is no limit.
	DefaultTimeout time.Duration `envconfig:"DEFAULT_TIMEOUT" default:"0"`
}

func main() {
	var cfg config
	ctx, kube := receiver.Setup("runtask", &cfg, &cfg.Env)
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
	h := &Handler{
		Kf: kf, Tekton: tekton, Emit: emit, Now: time.Now,
		Options: pipelinerun.Options{DefaultTimeout: cfg.DefaultTimeout},
	}
	h.ids.kf = kf
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
