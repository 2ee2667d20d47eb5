// webhook takes what other systems post, signed, and makes of it at most one command event.
package main

import (
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

type config struct {
	receiver.Env
	// Sink is where commands go: the function command, or a Broker.
	Sink string `envconfig:"COMMAND_SINK" default:"http://command.kf-tasks.svc.cluster.local"`
	// Token is the file with the token that is sent along; none is, if there is no such file.
	Token string `envconfig:"COMMAND_TOKEN" default:"/var/run/secrets/kf-tasks/command/token"`
	// Within is how long a delivery may take, from its first byte to the answer. Senders give up after ten seconds.
	Within time.Duration `envconfig:"ANSWER_WITHIN" default:"7s"`
}

func main() {
	var cfg config
	ctx, kube := receiver.Setup("webhook", &cfg, &cfg.Env)
	kf := receiver.Must(client.New(kube))
	h := &Handler{
		Hooks:  NewHooks(kf, receiver.Must(kubernetes.NewForConfig(kube))),
		Kf:     kf,
		Sink:   NewSink(cfg.Sink, cfg.Token),
		Within: cfg.Within, Now: time.Now,
	}
	receiver.ServeHTTP(ctx, cfg.Env, h.Routes())
}
