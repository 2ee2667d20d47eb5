// logs streams what Tasks write to whoever may read the Pod logs of their namespace.
package main

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"
	"k8s.io/client-go/kubernetes"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

func main() {
	var cfg struct{ receiver.Env }
	ctx, kube := receiver.Setup("logs", &cfg, &cfg.Env)
	log := logging.FromContext(ctx)
	kf, err := client.New(kube)
	if err != nil {
		log.Fatalw("client", zap.Error(err))
	}
	k8s, err := kubernetes.NewForConfig(kube)
	if err != nil {
		log.Fatalw("client of Kubernetes", zap.Error(err))
	}
	h := &Handler{
		Kf: kf, Pods: k8s.CoreV1(), Reviews: k8s.AuthenticationV1().TokenReviews(),
		Access: k8s.AuthorizationV1().SubjectAccessReviews(), Streams: AsCaller(kube),
	}
	// No time limit on a response: it lasts as long as the Task. Streams end with the process.
	server := &http.Server{
		Addr: net.JoinHostPort("", strconv.Itoa(cfg.Port)), Handler: h.Routes(),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, MaxHeaderBytes: 32 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	go func() {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(stop)
	}()
	log.Infow("serving", "port", cfg.Port)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatalw("serve", zap.Error(err))
	}
}
