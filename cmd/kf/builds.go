package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	appbuild "github.com/kf-tasks/kf-tasks/shared/build"
)

var (
	pipelineRuns = schema.GroupVersionResource{Group: "tekton.dev", Version: "v1", Resource: "pipelineruns"}
	taskRuns     = schema.GroupVersionResource{Group: "tekton.dev", Version: "v1", Resource: "taskruns"}
)

// tektonRun is what is read of a PipelineRun or a TaskRun, and of both alike.
type tektonRun struct {
	metav1.ObjectMeta `json:"metadata"`
	Status            struct {
		StartTime      *metav1.Time       `json:"startTime"`
		CompletionTime *metav1.Time       `json:"completionTime"`
		Conditions     []metav1.Condition `json:"conditions"`
		Results        []struct {
			Name  string `json:"name"`
			Value any    `json:"value"`
		} `json:"results"`
	} `json:"status"`
}

func runOf(o *unstructured.Unstructured) (*tektonRun, error) {
	r := &tektonRun{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, r); err != nil {
		return nil, fmt.Errorf("read %s %s: %w", o.GetKind(), o.GetName(), err)
	}
	return r, nil
}

func (r *tektonRun) succeeded() metav1.Condition {
	for _, c := range r.Status.Conditions {
		if c.Type == v1alpha1.ConditionSucceeded {
			return c
		}
	}
	return metav1.Condition{Status: metav1.ConditionUnknown, Reason: "Pending"}
}

func (r *tektonRun) ended() bool { return r.succeeded().Status != metav1.ConditionUnknown }

func (r *tektonRun) result(name string) string {
	for _, result := range r.Status.Results {
		if text, is := result.Value.(string); is && result.Name == name {
			return strings.TrimSpace(text)
		}
	}
	return ""
}

// duration is how long it has taken, or takes, in whole seconds, "" if it has not started.
func (r *tektonRun) duration(now time.Time) string {
	if r.Status.StartTime == nil {
		return ""
	}
	if end := r.Status.CompletionTime; end != nil {
		now = end.Time
	}
	return max(0, now.Sub(r.Status.StartTime.Time)).Round(time.Second).String()
}

// repository is where its image is pushed to.
func (r *tektonRun) repository() string {
	name := r.Annotations[v1alpha1.ImageAnnotation]
	if tag := strings.LastIndex(name, ":"); tag > strings.LastIndex(name, "/") {
		name = name[:tag]
	}
	return name
}

func newBuilds(t *target) *cobra.Command {
	var output output
	c := &cobra.Command{
		Use:   "builds [APP_NAME]",
		Short: "List the builds from source, newest first",
		Long: `builds lists the builds of the Space, or of one App: what made, or makes, an image of the source that was pushed. The
operator says how many of an App's are kept.`,
		Example: `  kf builds
  kf builds shop -o wide`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := output.check(); err != nil {
				return err
			}
			name, what := "", ""
			if len(args) == 1 {
				app, err := t.app(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				name, what = app.Name, " of App "+app.Name
			} else if err := t.connect(); err != nil {
				return err
			}
			found, err := t.builds(cmd.Context(), name)
			if err != nil {
				return err
			}
			if output.whole() {
				return t.show(output, objectsOf(found))
			}
			t.progress("Listing builds%s in Space: %s", what, t.space)
			rows, err := buildRows(found, output == "wide", time.Now())
			if err != nil {
				return err
			}
			return t.table(rows)
		},
	}
	output.flag(c)
	return c
}

// builds are the PipelineRuns that build an App, or any App for "", newest first.
func (t *target) builds(ctx context.Context, app string) ([]*unstructured.Unstructured, error) {
	d, err := dynamic.NewForConfig(t.cfg)
	if err != nil {
		return nil, err
	}
	selector := v1alpha1.ComponentLabel + "=" + v1alpha1.BuildComponent
	if app != "" {
		selector += "," + v1alpha1.NameLabel + "=" + app
	}
	found, err := client.Collect(client.All[*unstructured.Unstructured](ctx, d.Resource(pipelineRuns).Namespace(t.space),
		metav1.ListOptions{LabelSelector: selector}))
	if err != nil {
		return nil, fmt.Errorf("list builds: %w", err)
	}
	slices.SortFunc(found, func(a, b *unstructured.Unstructured) int {
		return cmp.Or(b.GetCreationTimestamp().Compare(a.GetCreationTimestamp().Time), cmp.Compare(a.GetName(), b.GetName()))
	})
	return found, nil
}

func objectsOf(found []*unstructured.Unstructured) []any {
	items := []any{}
	for _, o := range found {
		unstructured.RemoveNestedField(o.Object, "metadata", "managedFields")
		items = append(items, o.Object)
	}
	return items
}

func buildRows(found []*unstructured.Unstructured, wide bool, now time.Time) ([][]string, error) {
	table := [][]string{{"Name", "App", "Succeeded", "Reason", "Started", "Duration", "Image"}}
	if wide {
		table[0] = append(table[0], "Repository", "Message")
	}
	for _, o := range found {
		r, err := runOf(o)
		if err != nil {
			return nil, err
		}
		c, started := r.succeeded(), ""
		if at := r.Status.StartTime; at != nil {
			started = at.UTC().Format(time.RFC3339)
		}
		row := []string{
			r.Name, r.Labels[v1alpha1.NameLabel], string(c.Status), c.Reason, started, r.duration(now), r.result(appbuild.ResultDigest),
		}
		if wide {
			row = append(row, r.repository(), c.Message)
		}
		table = append(table, row)
	}
	return table, nil
}
