package main

import (
	"os"
	"time"

	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/logs/delivery"
	"github.com/kf-tasks/kf-tasks/shared/logs/forward"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

type config struct {
	receiver.Env
	// Either turns OTLP on; the exporter reads these, and all others of OpenTelemetry's, itself.
	OTLPEndpoint     string `envconfig:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	OTLPLogsEndpoint string `envconfig:"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"`
	// Fluentd is the HOST:PORT of a Fluentd or Fluent Bit that takes the forward protocol.
	Fluentd    string `envconfig:"FLUENTD_ADDRESS"`
	FluentdTag string `envconfig:"FLUENTD_TAG" default:"kf.task"`
	// Patience is how long a sink that is down is waited for.
	Patience time.Duration `envconfig:"SINK_PATIENCE" default:"5m"`
	// Host is where this instance runs. Kubernetes sets it to the Pod's name.
	Host string `envconfig:"HOSTNAME"`
}

func main() {
	var cfg config
	ctx, kube := receiver.Setup("terminate", &cfg, &cfg.Env)
	h := &Handler{
		Kf:      receiver.Must(client.New(kube)),
		Tekton:  receiver.Must(tektonclient.NewForConfig(kube)),
		Pods:    receiver.Must(corev1client.NewForConfig(kube)),
		Streams: receiver.Must(corev1client.NewForConfig(tasklog.Streams(kube))),
		Sink: receiver.Must(forward.New(ctx, forward.Settings{
			Stdout: os.Stdout, OTLP: cfg.OTLPEndpoint+cfg.OTLPLogsEndpoint != "",
			Fluentd: cfg.Fluentd, FluentdTag: cfg.FluentdTag, Patience: cfg.Patience,
		})),
		Me: receiver.Must(delivery.Instance(cfg.Host)), Now: time.Now, Limits: DefaultLimits,
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
	h.Drain() // Knative gives a Pod as long to stop as a request may take
}
