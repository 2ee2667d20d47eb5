package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func newTarget(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "target [SPACE]",
		Short: "Show, or choose, the Space that commands work in",
		Long: `target shows the cluster and the Space that commands work in when they are not told another. With a Space it makes that the
one of the kubeconfig's current context, for kubectl too.`,
		Example: `  kf target
  kf target shop-production`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.connect(); err != nil {
				return err
			}
			if len(args) == 1 {
				t.space = args[0]
			}
			if err := t.spaceIsThere(cmd.Context()); err != nil {
				return err
			}
			if len(args) == 1 {
				if err := t.choose(); err != nil {
					return fmt.Errorf("write the kubeconfig: %w", err)
				}
			}
			raw, err := t.loader.RawConfig()
			if err != nil {
				return err
			}
			name := t.context
			if name == "" {
				name = raw.CurrentContext
			}
			settings := t.settingsOf(cmd.Context())
			return t.table([][]string{{"Cluster", "Context", "Space", "Settings"}, {t.cfg.Host, name, t.space, settings}})
		},
	}
}

// spaceIsThere says if the Space is none. That it may not be looked at is no reason to refuse it.
func (t *target) spaceIsThere(ctx context.Context) error {
	c, err := corev1client.NewForConfig(t.cfg)
	if err != nil {
		return err
	}
	_, err = c.Namespaces().Get(ctx, t.space, metav1.GetOptions{})
	switch codeOf(err, true) {
	case exitNotFound:
		return notFound("there is no Space %q; `kf spaces` and `kubectl get namespaces` list what there is", t.space)
	case exitForbidden:
		t.progress("Whether there is a Space %s can't be seen with your rights.", t.space)
		return nil
	}
	return err
}

// settingsOf says whether there is more to the Space than a namespace.
func (t *target) settingsOf(ctx context.Context) string {
	switch space, err := client.Find(ctx, t.kf.Spaces(), "", t.space); {
	case err != nil:
		return "not seen"
	case space == nil:
		return "none: a namespace"
	case meta.IsStatusConditionTrue(space.Status.Conditions, v1alpha1.ConditionReady):
		return "kf space " + t.space
	}
	return "not ready: kf space " + t.space
}

// choose makes the Space that of the context in the kubeconfig.
func (t *target) choose() error {
	access := t.loader.ConfigAccess()
	raw, err := access.GetStartingConfig()
	if err != nil {
		return err
	}
	name := t.context
	if name == "" {
		name = raw.CurrentContext
	}
	if raw.Contexts[name] == nil {
		raw.Contexts[name] = api.NewContext()
	}
	raw.Contexts[name].Namespace = t.space
	return clientcmd.ModifyConfig(access, *raw, true)
}
