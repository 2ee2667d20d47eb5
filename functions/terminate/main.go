package main

import (
	"os"
	"time"

	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/logs/archive"
	"github.com/kf-tasks/kf-tasks/shared/logs/delivery"
	"github.com/kf-tasks/kf-tasks/shared/logs/forward"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/space"
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
	// Namespace is where the ConfigMap with the settings of builds is, which says what registries are spoken to by plain HTTP.
	Namespace string `envconfig:"SETTINGS_NAMESPACE" default:"kf-tasks"`
	// Spool is the folder for logs on their way to the archive; "" is that for temporary files.
	Spool string `envconfig:"SPOOL"`
	// Registries is the folder of config.json with their credentials, as docker has it, where go-containerregistry looks itself.
	Registries string `envconfig:"DOCKER_CONFIG"`
	// Host is where this instance runs. Kubernetes sets it to the Pod's name.
	Host string `envconfig:"HOSTNAME"`
}

func main() {
	var cfg config
	ctx, kube := receiver.Setup("terminate", &cfg, &cfg.Env)
	kf := receiver.Must(client.New(kube))
	core := receiver.Must(corev1client.NewForConfig(kube))
	h := &Handler{
		Kf: kf,
		Archive: Archive{Store: archive.New(), Spool: cfg.Spool,
			Places: archive.Places{Space: space.NewLookup(kf).Of, ConfigMaps: core, Namespace: cfg.Namespace}},
		Tekton:  receiver.Must(tektonclient.NewForConfig(kube)),
		Pods:    core,
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
