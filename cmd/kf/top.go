package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

type top struct {
	*target
	output output
	sortBy string
}

var orders = []string{"cpu", "memory", "newest"}

func newTop(t *target) *cobra.Command {
	o := &top{target: t}
	c := &cobra.Command{
		Use:   "top [APP_NAME] | TASK_NAME",
		Short: "Show what Tasks took of their nodes: CPU time and peak memory",
		Long: `top shows of the Tasks of the Space, of an App, or of one Task, what their processes took, the most first. Of a Task that has
ended that is the CPU time of all its processes, and the most memory that they had at once as it counts against the limit; with
retries it is that of the last try. The shell of the App's image reports it: of images without a shell, and of containers that were
killed as a whole, it is not known, and is left blank.

Of a Task that runs it is what it takes now, where the cluster has metrics.k8s.io (metrics-server), and is blank elsewhere.`,
		Example: `  kf top
  kf top shop --sort-by memory
  kf top shop-x7k2p`,
		Args: cobra.MaximumNArgs(1),
		RunE: o.run,
	}
	c.Flags().StringVar(&o.sortBy, "sort-by", "cpu", "which comes first: cpu or memory, the most; or newest")
	_ = c.RegisterFlagCompletionFunc("sort-by", cobra.FixedCompletions(orders, cobra.ShellCompDirectiveNoFileComp))
	o.output.flag(c)
	return c
}

func (o *top) run(cmd *cobra.Command, args []string) error {
	if err := o.output.check(); err != nil {
		return err
	}
	if !slices.Contains(orders, o.sortBy) {
		return fmt.Errorf("--sort-by is cpu, memory or newest, not %q", o.sortBy)
	}
	ctx := cmd.Context()
	tasks, err := o.which(ctx, args)
	if err != nil {
		return err
	}
	live := map[string]taken{}
	if slices.ContainsFunc(tasks, func(t *v1alpha1.Task) bool { return !t.Final() }) {
		if live, err = o.live(ctx); err != nil {
			o.progress("What Tasks take that run is not known: %v", err)
		}
	}
	return o.present(o.output, "TaskUsage", usageTable(tasks, live, o.sortBy))
}

// which are the Tasks that are asked for.
func (o *top) which(ctx context.Context, args []string) ([]*v1alpha1.Task, error) {
	if err := o.connect(); err != nil {
		return nil, err
	}
	var opts metav1.ListOptions
	if len(args) == 1 {
		task, err := client.Find(ctx, o.kf.Tasks(o.space), o.space, args[0])
		if task != nil || err != nil {
			return []*v1alpha1.Task{task}, err
		}
		app, err := client.Find(ctx, o.kf.Apps(o.space), o.space, args[0])
		switch {
		case err != nil:
			return nil, err
		case app == nil:
			return nil, notFound("there is no App and no Task %q in Space %q; `kf apps` and `kf tasks APP` list them", args[0], o.space)
		}
		opts = client.OfApp(app.Name)
	}
	return client.Collect(client.All[*v1alpha1.Task](ctx, o.kf.Tasks(o.space), opts))
}

// taken is what was taken: CPU time of what has ended, and of what runs the CPU that it takes now.
type taken struct {
	cpuTime     time.Duration
	cpu, memory *resource.Quantity
}

// live is what containers of Tasks take now, by their Task (https://github.com/kubernetes/metrics).
func (o *top) live(ctx context.Context) (map[string]taken, error) {
	d, err := dynamic.NewForConfig(o.cfg)
	if err != nil {
		return nil, err
	}
	pods := schema.GroupVersionResource{Group: "metrics.k8s.io", Version: "v1beta1", Resource: "pods"}
	list, err := d.Resource(pods).Namespace(o.space).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel})
	if err != nil {
		return nil, fmt.Errorf("metrics.k8s.io: %w", err)
	}
	live := map[string]taken{}
	for _, pod := range list.Items {
		containers, _, _ := unstructured.NestedSlice(pod.Object, "containers")
		for _, c := range containers {
			if container, _ := c.(map[string]any); container["name"] == "step-"+v1alpha1.UserContainer {
				live[pod.GetLabels()[v1alpha1.TaskLabel]] = taken{cpu: amount(container, "cpu"), memory: amount(container, "memory")}
			}
		}
	}
	return live, nil
}

func amount(container map[string]any, of string) *resource.Quantity {
	text, _, _ := unstructured.NestedString(container, "usage", of)
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return nil
	}
	return &q
}

// usageTable shows what is known, the most first.
func usageTable(tasks []*v1alpha1.Task, live map[string]taken, sortBy string) [][]string {
	took := func(t *v1alpha1.Task) taken {
		switch u := t.Status.Usage; {
		case u != nil:
			ended := taken{memory: u.PeakMemory}
			if u.CPUTime != nil {
				ended.cpuTime = u.CPUTime.Duration
			}
			return ended
		case t.Final():
			return taken{}
		}
		return live[t.Name]
	}
	slices.SortStableFunc(tasks, func(a, b *v1alpha1.Task) int {
		ta, tb := took(a), took(b)
		newest := b.CreationTimestamp.Compare(a.CreationTimestamp.Time)
		switch sortBy {
		case "cpu":
			return cmp.Or(-cmp.Compare(milli(ta.cpu), milli(tb.cpu)), -cmp.Compare(ta.cpuTime, tb.cpuTime), newest)
		case "memory":
			return cmp.Or(-cmp.Compare(milli(ta.memory), milli(tb.memory)), newest)
		}
		return newest
	})
	table := [][]string{{"Name", "App", "ID", "Reason", "Duration", "CPUTime", "CPUNow", "Memory"}}
	for _, t := range tasks {
		of := took(t)
		row := []string{t.Name, t.Spec.AppRef.Name, strconv.Itoa(t.ID()), v1alpha1.Reason(t.Status.Conditions, v1alpha1.ConditionSucceeded)}
		duration, cpuTime := "", ""
		if t.Status.Duration != nil {
			duration = t.Status.Duration.Duration.String()
		}
		if u := t.Status.Usage; u != nil && u.CPUTime != nil {
			cpuTime = of.cpuTime.String()
		}
		table = append(table, append(row, duration, cpuTime, cores(of.cpu), mebibytes(of.memory)))
	}
	return table
}

// milli is for comparison: what is not known is the least.
func milli(q *resource.Quantity) int64 {
	if q == nil {
		return -1
	}
	return q.MilliValue()
}

func cores(q *resource.Quantity) string {
	if q == nil {
		return ""
	}
	return fmt.Sprintf("%dm", q.MilliValue())
}

// mebibytes are what a limit is written in: kubectl top has them too.
func mebibytes(q *resource.Quantity) string {
	if q == nil {
		return ""
	}
	return fmt.Sprintf("%.1fMi", float64(q.Value())/(1<<20))
}
