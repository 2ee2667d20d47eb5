// logs streams what Tasks write to whoever may read the Pod logs of their namespace.
package main

import (
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/identity"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

type config struct {
	receiver.Env
	// Limit is how long an answer may last: less than the Service's timeoutSeconds, by what a cold start takes.
	Limit time.Duration `envconfig:"STREAM_LIMIT" default:"9m30s"`
}

func main() {
	var cfg config
	ctx, kube := receiver.Setup("logs", &cfg, &cfg.Env)
	k8s := receiver.Must(kubernetes.NewForConfig(kube))
	h := &Handler{
		Kf: receiver.Must(client.New(kube)), Pods: k8s.CoreV1(), Streams: tasklog.StreamsAs(kube),
		Identities: identity.New(k8s, "", time.Now), Limit: cfg.Limit, // the caller's token is one for the API server itself
	}
	receiver.ServeHTTP(ctx, cfg.Env, h.Routes())
}
