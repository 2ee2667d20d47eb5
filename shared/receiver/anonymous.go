package receiver

import (
	"context"
	"errors"
	"net"
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// apiCA is where a function that has no account finds whose certificate the API server's is: config/knative mounts it there, of the
// ConfigMap kube-root-ca.crt that Kubernetes puts into each namespace.
const apiCA = "/etc/kf-tasks/api/ca.crt"

// SetupAnonymous is Setup for a function that asks the API server with its callers' tokens alone: the way there has no credentials, of
// whatever kind the kubeconfig or the Pod may have.
func SetupAnonymous(function string, cfg any, env *Env) (context.Context, *rest.Config) {
	return setup(function, cfg, env, func() (*rest.Config, error) { return anonymous(env.Kubeconfig, apiCA) })
}

func anonymous(kubeconfig, ca string) (*rest.Config, error) {
	if kubeconfig != "" {
		cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return nil, err
		}
		return rest.AnonymousClientConfig(cfg), nil
	}
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
	}
	return &rest.Config{Host: "https://" + net.JoinHostPort(host, port), TLSClientConfig: rest.TLSClientConfig{CAFile: ca}}, nil
}
