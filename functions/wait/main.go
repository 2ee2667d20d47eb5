// wait runs a Task for who asks by HTTP, and answers when the Task has ended.
package main

import (
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/identity"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

type config struct {
	receiver.Env
	// Sink is the function command.
	Sink string `envconfig:"COMMAND_SINK" default:"http://command.kf-tasks.svc.cluster.local"`
	// Limit is how long an answer may be waited for: less than the Service's timeoutSeconds, by what a cold start and the log take.
	Limit time.Duration `envconfig:"WAIT_LIMIT" default:"9m"`
	// Most is how many may wait at once.
	Most int64 `envconfig:"MAX_WAITS" default:"1000"`
}

func main() {
	var cfg config
	ctx, kube := receiver.Setup("wait", &cfg, &cfg.Env)
	k8s := receiver.Must(kubernetes.NewForConfig(kube))
	kf := receiver.Must(client.New(kube))
	h := &Handler{
		Kf: kf, Pods: k8s.CoreV1(), Streams: tasklog.StreamsAs(kube), Identities: identity.New(k8s, events.CommandAudience, time.Now),
		Commands: NewSink(cfg.Sink, cfg.Timeout), Ends: NewEnds(kf), Limit: cfg.Limit, Room: semaphore.NewWeighted(cfg.Most),
	}
	receiver.ServeHTTP(ctx, cfg.Env, h.Routes())
}
