// prune deletes the oldest Tasks of an App beyond its limit.
package main

import (
	"time"

	"go.opentelemetry.io/otel"
	"go.uber.org/zap"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/flowcontrol"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

func main() {
	var cfg config
	ctx, kube := receiver.Setup("prune", &cfg, &cfg.Env)
	log := logging.FromContext(ctx)
	policy, err := cfg.policy()
	if err != nil {
		log.Fatalw("settings", zap.Error(err))
	}
	kf, err := client.New(kube)
	if err != nil {
		log.Fatalw("client", zap.Error(err))
	}
	meta, err := metadata.NewForConfig(kube)
	if err != nil {
		log.Fatalw("client of metadata", zap.Error(err))
	}
	core, err := typedcorev1.NewForConfig(kube)
	if err != nil {
		log.Fatalw("client of core", zap.Error(err))
	}
	emit, err := receiver.Emitter(cfg.Env)
	if err != nil {
		log.Fatalw("sink", zap.Error(err))
	}
	metrics, err := newMetrics(otel.GetMeterProvider())
	if err != nil {
		log.Fatalw("metrics", zap.Error(err))
	}
	h := &Handler{
		Kf: kf, Metadata: meta, Core: core, Policy: policy, Emit: emit, Metrics: metrics, Now: time.Now,
		Workers: cfg.Workers,
		Pace: &pace{
			Quick:  flowcontrol.NewTokenBucketRateLimiter(cfg.DeletesPerSecond, cfg.Workers),
			Gentle: flowcontrol.NewTokenBucketRateLimiter(cfg.DeletesPerSecondBusy, cfg.Workers),
		},
	}
	h.turns.Every, h.turns.Hold = cfg.SweepInterval, cfg.SweepHold
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
