// tick creates one Task for every Job that is due, every minute.
package main

import (
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

type config struct {
	receiver.Env
	// Workers is how many Jobs are dealt with at once.
	Workers int `envconfig:"WORKERS" default:"32"`
	// PageSize is how many Jobs one answer of the API server holds.
	PageSize int64 `envconfig:"PAGE_SIZE" default:"500"`
}

func main() {
	var cfg config
	ctx, kube := receiver.Setup("tick", &cfg, &cfg.Env)
	kube.DisableCompression = true // the list of Jobs stays within the cluster, and comes every minute
	h := &Handler{
		Kf: receiver.Must(client.New(kube)), Emit: receiver.Must(receiver.Emitter(cfg.Env)), Now: time.Now, After: time.After,
		Workers: cfg.Workers, PageSize: cfg.PageSize, Stale: 20 * time.Second, // see job.NameIsLock
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
