// runtask makes the one Tekton PipelineRun of each Task.
package main

import (
	"time"

	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"

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
	kf := receiver.Must(client.New(kube))
	h := &Handler{
		Kf:      kf,
		Tekton:  receiver.Must(tektonclient.NewForConfig(kube)),
		Options: pipelinerun.Options{DefaultTimeout: cfg.DefaultTimeout},
		Emit:    receiver.Must(receiver.Emitter(cfg.Env)),
		Now:     time.Now,
		IDs:     &idAllocator{kf: kf},
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
