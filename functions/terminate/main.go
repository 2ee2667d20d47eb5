// terminate stops Tasks that were asked to stop, and loses nothing that they wrote.
package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"time"

	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	"go.uber.org/zap"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/logs/forward"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

type config struct {
	receiver.Env
	// Where an OpenTelemetry collector is. Either turns OTLP on; the exporter reads these, and all others of
	// OpenTelemetry's, itself.
	OTLPEndpoint     string `envconfig:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	OTLPLogsEndpoint string `envconfig:"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"`
	// Fluentd is the HOST:PORT of a Fluentd or Fluent Bit that takes the forward protocol.
	Fluentd    string `envconfig:"FLUENTD_ADDRESS"`
	FluentdTag string `envconfig:"FLUENTD_TAG" default:"kf.task"`
	// Patience is how long a sink that is down is waited for.
	Patience time.Duration `envconfig:"SINK_PATIENCE" default:"5m"`
}

func main() {
	var cfg config
	ctx, kube := receiver.Setup("terminate", &cfg, &cfg.Env)
	log := logging.FromContext(ctx)
	kf, err := client.New(kube)
	if err != nil {
		log.Fatalw("client", zap.Error(err))
	}
	tekton, err := tektonclient.NewForConfig(kube)
	if err != nil {
		log.Fatalw("client of Tekton", zap.Error(err))
	}
	pods, err := corev1.NewForConfig(kube)
	if err != nil {
		log.Fatalw("client of Pods", zap.Error(err))
	}
	streams, err := corev1.NewForConfig(tasklog.Streams(kube))
	if err != nil {
		log.Fatalw("client of logs", zap.Error(err))
	}
	sink, err := forward.New(ctx, forward.Settings{
		Stdout: os.Stdout, OTLP: cfg.OTLPEndpoint+cfg.OTLPLogsEndpoint != "",
		Fluentd: cfg.Fluentd, FluentdTag: cfg.FluentdTag, Patience: cfg.Patience,
	})
	if err != nil {
		log.Fatalw("logging stream", zap.Error(err))
	}
	host, err := os.Hostname()
	if err != nil {
		log.Fatalw("name of this Pod", zap.Error(err))
	}
	h := &Handler{
		Kf: kf, Tekton: tekton, Pods: pods, Streams: streams, Sink: sink,
		Me: fmt.Sprintf("%s/%s", host, rand.Text()[:8]), Now: time.Now, Limits: DefaultLimits,
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
	h.Drain() // Knative gives a Pod as long to stop as a request may take
}
