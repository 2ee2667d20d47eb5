// bind gives Apps the credentials of the services that they are bound to: VCAP_SERVICES, and files.
package main

import (
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

type config struct{ receiver.Env }

func main() {
	var cfg config
	ctx, kube := receiver.Setup("bind", &cfg, &cfg.Env)
	h := &Handler{
		Kf:   receiver.Must(client.New(kube)),
		Core: receiver.Must(kubernetes.NewForConfig(kube)).CoreV1(),
		Now:  time.Now,
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
