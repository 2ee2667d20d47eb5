// start lets the command of a Task begin, in one Pod and no other.
package main

import (
	"time"

	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

type config struct{ receiver.Env }

func main() {
	var cfg config
	ctx, kube := receiver.Setup("start", &cfg, &cfg.Env)
	h := &Handler{
		Kf:     receiver.Must(client.New(kube)),
		Tekton: receiver.Must(tektonclient.NewForConfig(kube)),
		Core:   receiver.Must(corev1client.NewForConfig(kube)),
		Emit:   receiver.Must(receiver.Emitter(cfg.Env)),
		Now:    time.Now,
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
