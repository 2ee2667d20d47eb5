// prune deletes the oldest Tasks of an App beyond its limit.
package main

import (
	"time"

	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	eventsv1client "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/space"
)

func main() {
	var cfg config
	ctx, kube := receiver.Setup("prune", &cfg, &cfg.Env)
	kf := receiver.Must(client.New(kube))
	h := &Handler{
		Kf:       kf,
		Space:    space.NewLookup(kf).Of,
		Metadata: receiver.Must(metadata.NewForConfig(kube)),
		Pods:     receiver.Must(corev1client.NewForConfig(kube)),
		Events:   receiver.Must(eventsv1client.NewForConfig(kube)),
		Emit:     receiver.Must(receiver.Emitter(cfg.Env)),
		Policy:   receiver.Must(cfg.policy()),
		Deletions: &limiter{
			Quick:  flowcontrol.NewTokenBucketRateLimiter(cfg.DeletesPerSecond, cfg.Workers),
			Gentle: flowcontrol.NewTokenBucketRateLimiter(cfg.DeletesPerSecondBusy, cfg.Workers),
		},
		Workers: cfg.Workers,
		Now:     time.Now,
	}
	h.sweeps.Every, h.sweeps.Hold = cfg.SweepInterval, cfg.SweepHold
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
