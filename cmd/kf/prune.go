package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/retention"
	"github.com/kf-tasks/kf-tasks/shared/space"
)

type prune struct {
	*target
	dryRun bool
}

func newPrune(t *target) *cobra.Command {
	o := &prune{target: t}
	c := &cobra.Command{
		Use:   "prune APP_NAME --dry-run",
		Short: "Show which Tasks of an App retention would delete now, and why",
		Long: `prune shows which Tasks of an App retention would delete, by the settings of the cluster, the Space and the App. The
function prune deletes them, by itself; this command never does.`,
		Example: `  kf prune shop --dry-run`,
		Args:    cobra.ExactArgs(1),
		RunE:    o.run,
	}
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "only show it")
	return c
}

func (o *prune) run(cmd *cobra.Command, args []string) error {
	if !o.dryRun {
		return errors.New("the function prune deletes Tasks by itself; --dry-run shows which (docs/retention.md says how to set it)")
	}
	ctx := cmd.Context()
	app, err := o.app(ctx, args[0])
	if err != nil {
		return err
	}
	policy, err := o.policy(ctx, app)
	if err != nil {
		return err
	}
	var tasks []retention.Task
	whole := map[string]*v1alpha1.Task{}
	ofApp := client.OfApp(app.Name)
	for task, err := range client.All[*v1alpha1.Task](ctx, o.kf.Tasks(o.space), ofApp) {
		if err != nil {
			return err
		}
		tasks = append(tasks, retention.Of(task))
		whole[task.Name] = task
	}
	now := time.Now()
	return o.show(policy, len(tasks), retention.Decide(policy, tasks, now), whole, now)
}

// policy is what holds for an App: the settings of the function, overridden by the Space's, overridden by its own.
func (o *prune) policy(ctx context.Context, app *v1alpha1.App) (retention.Policy, error) {
	policy := retention.Default()
	d, err := dynamic.NewForConfig(o.cfg)
	if err != nil {
		return policy, err
	}
	services := schema.GroupVersionResource{Group: "serving.knative.dev", Version: "v1", Resource: "services"}
	function, err := d.Resource(services).Namespace("kf-tasks").Get(ctx, "prune", metav1.GetOptions{})
	if err != nil {
		o.progress("The cluster's settings can't be read (%v): taking the defaults, the newest %d Tasks of each App.", err, policy.Keep)
	} else if policy, err = policy.With(settings(function)); err != nil {
		return policy, fmt.Errorf("setting of the function prune: %w", err)
	}
	namespaces := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	namespace, err := d.Resource(namespaces).Get(ctx, app.Namespace, metav1.GetOptions{})
	if err != nil {
		o.progress("The namespace's settings can't be read (%v): taking the cluster's.", err)
		namespace = &unstructured.Unstructured{}
	}
	of, err := client.Find(ctx, o.kf.Spaces(), "", app.Namespace)
	if err != nil {
		o.progress("The Space's settings can't be read (%v): taking the cluster's.", err)
	}
	return retention.Resolve(policy, space.Retention(of, namespace.GetAnnotations()), app.Annotations)
}

// settings are the function's environment, in the words of the annotations.
func settings(function *unstructured.Unstructured) map[string]string {
	annotations := map[string]string{
		"RETAIN":                   v1alpha1.RetainAnnotation,
		"RETAIN_FOR":               v1alpha1.RetainForAnnotation,
		"RETAIN_PODS_FOR":          v1alpha1.RetainPodsForAnnotation,
		"RETAIN_SUCCEEDED_PER_JOB": v1alpha1.RetainSucceededPerJobAnnotation,
		"RETAIN_FAILED_PER_JOB":    v1alpha1.RetainFailedPerJobAnnotation,
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

func (o *prune) show(p retention.Policy, total int, plan retention.Plan, whole map[string]*v1alpha1.Task, now time.Time) error {
	keeps := "all its Tasks"
	if p.Keep != retention.Unlimited {
		keeps = fmt.Sprintf("its newest %d Tasks", p.Keep)
	}
	going := [][]string{{"Name", "ID", "Created", "Why"}}
	for _, v := range plan.Delete {
		if v.Confirm(p, whole[v.Name], now) == "" {
			going = append(going, []string{v.Name, strconv.Itoa(v.ID), v.Created.UTC().Format(time.RFC3339), v.Reason})
		}
	}
	o.printf("The App keeps %s. It has %d, of which %d run and %d are pinned; %d would go.\n",
		keeps, total, plan.Running, plan.Pinned, len(going)-1)
	if len(going) == 1 {
		return nil
	}
	o.printf("\n")
	return o.table(going)
}
