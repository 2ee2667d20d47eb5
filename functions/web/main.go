// web shows Spaces, Apps, Tasks and Jobs in a browser, and acts on them, with the rights of whoever has signed in.
package main

import (
	"net/http"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

type config struct {
	receiver.Env
	// Logs is the function logs, which is asked with the user's token.
	Logs string `envconfig:"LOGS_URL" default:"http://logs.kf-tasks.svc.cluster.local"`
	// Key seals the cookies: at least 32 bytes, the same in every instance. Unset, one is made, and ends with the process.
	Key string `envconfig:"SESSION_KEY"`
	// Session is how long one lasts who has signed in, if their token does.
	Session time.Duration `envconfig:"SESSION_LIMIT" default:"12h"`
}

func main() {
	var cfg config
	ctx, kube := receiver.SetupAnonymous("web", &cfg, &cfg.Env)
	h := &Handler{
		Kube: kube, Sealer: receiver.Must(NewSealer(cfg.Key)), Session: cfg.Session, Now: time.Now,
		Logs: &Logs{URL: cfg.Logs, Client: &http.Client{Transport: logTransport(cfg.Timeout)}},
	}
	receiver.ServeHTTP(ctx, cfg.Env, h.Routes())
}
