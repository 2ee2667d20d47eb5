// status writes what PipelineRuns say into the status of their Tasks.
package main

import (
	"context"
	"time"

	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/waiting"
)

type config struct{ receiver.Env }

func main() {
	var cfg config
	ctx, kube := receiver.Setup("status", &cfg, &cfg.Env)
	k8s := receiver.Must(kubernetes.NewForConfig(kube))
	h := &Handler{
		Kf:     receiver.Must(client.New(kube)),
		Tekton: receiver.Must(tektonclient.NewForConfig(kube)),
		Events: func(ctx context.Context, namespace string) ([]*corev1.Event, error) {
			return waiting.Warnings(ctx, k8s, namespace)
		},
		Emit: receiver.Must(receiver.Emitter(cfg.Env)),
		Now:  time.Now,
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
