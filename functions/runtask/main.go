// runtask makes the one Tekton PipelineRun of each Task.
package main

import (
	"context"
	"time"

	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/coalesce"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/queue"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/space"
)

type config struct {
	receiver.Env
	// DefaultTimeout stops Tasks that name no timeout; 0 is no limit.
	DefaultTimeout time.Duration `envconfig:"DEFAULT_TIMEOUT" default:"0"`
	// CallImage is the image of the program that sends the request of a Task with a call; without it such a Task fails.
	CallImage string `envconfig:"CALL_IMAGE"`
}

func main() {
	var cfg config
	ctx, kube := receiver.Setup("runtask", &cfg, &cfg.Env)
	k8s := receiver.Must(kubernetes.NewForConfig(kube))
	kf := receiver.Must(client.New(kube))
	seen := &clock{}
	h := &Handler{
		Kf:      kf,
		Tekton:  receiver.Must(tektonclient.NewForConfig(kube)),
		Options: pipelinerun.Options{DefaultTimeout: cfg.DefaultTimeout, CallImage: cfg.CallImage},
		Emit:    receiver.Must(receiver.Emitter(cfg.Env)),
		Now:     time.Now,
		IDs:     newIDAllocator(kf),
		Around:  coalesce.Recent[surroundings]{For: rememberFor, Seen: seen.newest.Load},
		clock:   seen,
		Tries:   flowcontrol.NewBackOff(firstTry, lastTry),
		Rounds:  &coalesce.Group[queue.Scope]{Every: roundEvery, Hold: leadFor},
		Arrays:  &coalesce.Group[types.UID]{Every: roundEvery, Hold: leadFor},
		Space:   space.NewLookup(kf).Of,
		Rules: func(ctx context.Context, namespace, account string) (space.Rules, error) {
			return space.Read(ctx, k8s, namespace, account)
		},
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
