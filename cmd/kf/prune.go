package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/retention"
)

func newPrune(t *target) *cobra.Command {
	var dryRun bool
	c := &cobra.Command{
		Use:   "prune APP_NAME --dry-run",
		Short: "Show which Tasks of an App retention would delete now, and why",
		Long: `prune shows which Tasks of an App retention would delete, by the settings of the cluster, the Space and the App. The
function prune deletes them, by itself; this command never does.`,
		Example: `  kf prune shop --dry-run`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !dryRun {
				return errors.New("the function prune deletes Tasks by itself; --dry-run shows which (docs/retention.md says how to set it)")
			}
			cfg, kf, err := t.connect()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			app, err := getApp(ctx, kf, t.space, args[0])
			if err != nil {
				return err
			}
			policy, err := policyOf(ctx, cfg, app)
			if err != nil {
				return err
			}
			list, err := kf.Tasks(t.space).List(ctx, metav1.ListOptions{FieldSelector: "spec.appRef.name=" + app.Name})
			if err != nil {
				return fmt.Errorf("list Tasks of App %s: %w", app.Name, err)
			}
			var tasks []retention.Task
			whole := map[string]*v1alpha1.Task{}
			for i := range list.Items {
				tasks = append(tasks, retention.Of(&list.Items[i]))
				whole[list.Items[i].Name] = &list.Items[i]
			}
			printPlan(cmd.OutOrStdout(), policy, len(tasks), retention.Decide(policy, tasks, time.Now()), whole, time.Now())
			return nil
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only show it")
	return c
}

// policyOf is what holds for an App: the settings of the function, overridden by the Space's, overridden by its own.
func policyOf(ctx context.Context, cfg *rest.Config, app *v1alpha1.App) (retention.Policy, error) {
	policy := retention.Default()
	d, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return policy, err
	}
	function, err := d.Resource(schema.GroupVersionResource{Group: "serving.knative.dev", Version: "v1", Resource: "services"}).
		Namespace("kf-tasks").Get(ctx, "prune", metav1.GetOptions{})
	if err != nil {
		progress("The cluster's settings can't be read (%v): taking the defaults, the newest %d Tasks of each App.", err, policy.Keep)
	} else if policy, err = policy.With(settings(function)); err != nil {
		return policy, fmt.Errorf("setting of the function prune: %w", err)
	}
	space, err := d.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Get(ctx, app.Namespace, metav1.GetOptions{})
	if err != nil {
		progress("The Space's settings can't be read (%v): taking the cluster's.", err)
		space = &unstructured.Unstructured{}
	}
	return retention.Resolve(policy, space.GetAnnotations(), app.Annotations)
}

// settings are the function's environment, in the words of the annotations.
func settings(function *unstructured.Unstructured) map[string]string {
	annotations := map[string]string{
		"RETAIN": v1alpha1.RetainAnnotation, "RETAIN_FOR": v1alpha1.RetainForAnnotation, "RETAIN_PODS_FOR": v1alpha1.RetainPodsForAnnotation,
		"RETAIN_SUCCEEDED_PER_JOB": v1alpha1.RetainSucceededPerJobAnnotation, "RETAIN_FAILED_PER_JOB": v1alpha1.RetainFailedPerJobAnnotation,
	}
	set := map[string]string{}
	containers, _, _ := unstructured.NestedSlice(function.Object, "spec", "template", "spec", "containers")
	for _, c := range containers {
		container, _ := c.(map[string]any)
		env, _, _ := unstructured.NestedSlice(container, "env")
		for _, e := range env {
			v, _ := e.(map[string]any)
			name, _ := v["name"].(string)
			if value, ok := v["value"].(string); ok && annotations[name] != "" {
				set[annotations[name]] = value
			}
		}
	}
	return set
}

func printPlan(out io.Writer, p retention.Policy, total int, plan retention.Plan, whole map[string]*v1alpha1.Task, now time.Time) {
	keeps := "all its Tasks"
	if p.Keep != retention.Unlimited {
		keeps = fmt.Sprintf("its newest %d Tasks", p.Keep)
	}
	var going []retention.Verdict
	for _, v := range plan.Delete {
		if v.Confirm(p, whole[v.Name], now) == "" {
			going = append(going, v)
		}
	}
	fmt.Fprintf(out, "The App keeps %s. It has %d, of which %d run and %d are pinned; %d would go.\n", keeps, total, plan.Running, plan.Pinned, len(going))
	if len(going) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "\nName\tID\tCreated\tWhy")
	for _, v := range going {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", v.Name, v.ID, v.Created.UTC().Format(time.RFC3339), v.Reason)
	}
	w.Flush()
}
