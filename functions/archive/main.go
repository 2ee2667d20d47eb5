// archive keeps the logs of ended Tasks in a registry, where their Space asks for it.
package main

import (
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/logs/archive"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/space"
)

type config struct {
	receiver.Env
	// Namespace is where the ConfigMap with the settings of builds is, which says what registries are spoken to by plain HTTP.
	Namespace string `envconfig:"SETTINGS_NAMESPACE" default:"kf-tasks"`
	// Spool is the folder for logs on their way; "" is that for temporary files.
	Spool string `envconfig:"SPOOL"`
	// Registries is the folder of config.json with their credentials, as docker has it, where go-containerregistry looks itself.
	Registries string `envconfig:"DOCKER_CONFIG"`
}

func main() {
	var cfg config
	ctx, kube := receiver.Setup("archive", &cfg, &cfg.Env)
	k8s := receiver.Must(kubernetes.NewForConfig(kube))
	kf := receiver.Must(client.New(kube))
	h := &Handler{
		Kf: kf, Pods: k8s.CoreV1(), Streams: receiver.Must(kubernetes.NewForConfig(tasklog.Streams(kube))).CoreV1(),
		Events: k8s.EventsV1(), Store: archive.New(), Spool: cfg.Spool,
		Places: archive.Places{Space: space.NewLookup(kf).Of, ConfigMaps: k8s.CoreV1(), Namespace: cfg.Namespace},
		Tries:  flowcontrol.NewBackOff(firstTry, lastTry), Now: time.Now,
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
