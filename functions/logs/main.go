// logs streams what Tasks write to whoever may read the Pod logs of their namespace.
package main

import (
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/identity"
	"github.com/kf-tasks/kf-tasks/shared/logs/archive"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/space"
)

type config struct {
	receiver.Env
	// Limit is how long an answer may last: less than the Service's timeoutSeconds, by what a cold start takes.
	Limit time.Duration `envconfig:"STREAM_LIMIT" default:"9m30s"`
	// Namespace is where the ConfigMap with the settings of builds is, which says what registries are spoken to by plain HTTP.
	Namespace string `envconfig:"SETTINGS_NAMESPACE" default:"kf-tasks"`
	// Registries is the folder of config.json with their credentials, as docker has it, where go-containerregistry looks itself.
	Registries string `envconfig:"DOCKER_CONFIG"`
}

func main() {
	var cfg config
	ctx, kube := receiver.Setup("logs", &cfg, &cfg.Env)
	k8s := receiver.Must(kubernetes.NewForConfig(kube))
	kf := receiver.Must(client.New(kube))
	places := archive.Places{Space: space.NewLookup(kf).Of, ConfigMaps: k8s.CoreV1(), Namespace: cfg.Namespace}
	store := archive.New()
	h := &Handler{
		Archive: func(namespace string) tasklog.Archive { return store.In(places, namespace) },
		Kf:      kf, Pods: k8s.CoreV1(), Streams: tasklog.StreamsAs(kube),
		Identities: identity.New(k8s, "", time.Now), Limit: cfg.Limit, // the caller's token is one for the API server itself
	}
	receiver.ServeHTTP(ctx, cfg.Env, h.Routes())
}
