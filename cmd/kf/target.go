package main

import (
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
)

// target is the cluster and Space that a command works on, and the terminal that it talks to.
type target struct {
	screen
	kubeconfig, context, space string

	// of connect
	asked  bool
	loader clientcmd.ClientConfig
	cfg    *rest.Config
	kf     *client.Client
}

// namespaceFlag is kubectl's name for --space. The flag is each command's own, for logs has -n for the number of lines, as
// Kf's has.
func (t *target) namespaceFlag(f *pflag.FlagSet) {
	short := "n"
	if f.ShorthandLookup(short) != nil {
		short = ""
	}
	f.StringVarP(&t.space, "namespace", short, "", "the same as --space")
}

func (t *target) flags(f *pflag.FlagSet) {
	f.StringVar(&t.space, "space", "", "Space (namespace) to work in; the kubeconfig's current one when left out")
	f.StringVar(&t.kubeconfig, "kubeconfig", "", "path of the kubeconfig; KUBECONFIG or ~/.kube/config when left out")
	f.StringVar(&t.context, "context", "", "context of the kubeconfig; the current one when left out")
}

// connect finds the cluster and the Space. Commands look at their own flags first, so that what is wrong with them is
// said where there is no cluster too.
func (t *target) connect() error {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = t.kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: t.context})
	cfg, err := loader.ClientConfig()
	if err != nil {
		return coded{exitUnreachable, fmt.Errorf("no cluster: set KUBECONFIG to your kubeconfig, or say --kubeconfig (%w)", err)}
	}
	t.asked, t.loader = true, loader
	if t.space == "" {
		if t.space, _, err = loader.Namespace(); err != nil {
			return err
		}
	}
	cfg.QPS = -1
	cfg.UserAgent = "kf" // the API server keeps it as who set a field: who terminated a Task, for example
	cfg.WarningHandler = t.screen
	t.cfg = cfg
	t.kf, err = client.New(cfg)
	return err
}
