package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/queue"
)

func newQueue(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "queue [APP_NAME]",
		Short: "Show which Tasks wait for their turn, and what for",
		Long: `queue shows the Tasks that wait because as many run as may: the limit is spec.maxRunningTasks of an App, and
spec.limits.maxRunningTasks of a Space. They are shown in the order in which they start if nothing else comes: of one App the oldest
first, and between the Apps of a Space that has a limit the one of which the fewest run. With an App, only its own are shown.`,
		Example: `  kf queue
  kf queue shop`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := t.connect(); err != nil {
				return err
			}
			app := ""
			if len(args) > 0 {
				found, err := t.app(ctx, args[0])
				if err != nil {
					return err
				}
				app = found.Name
			}
			queues, err := t.queues(ctx, app)
			if err != nil {
				return err
			}
			return t.showQueues(queues, app, time.Now())
		},
	}
}

// queued is one queue as it stands.
type queued struct {
	of      string // for people
	running int
	limit   int
	turns   []queue.Turn
}

// queues reads the queues of the Space: one of all its Apps if the Space has a limit, else one for each App that has, or of one App alone.
func (t *target) queues(ctx context.Context, app string) ([]queued, error) {
	of, err := client.Find(ctx, t.kf.Spaces(), "", t.space)
	if err != nil {
		t.progress("Whether the Space has a limit is not known: %v", err)
		of = nil
	}
	apps, err := client.Collect(client.All[*v1alpha1.App](ctx, t.kf.Apps(t.space), metav1.ListOptions{}))
	if err != nil {
		return nil, err
	}
	unended := metav1.ListOptions{FieldSelector: "status.completionTime="}
	tasks, err := client.Collect(client.All[*v1alpha1.Task](ctx, t.kf.Tasks(t.space), unended))
	if err != nil {
		return nil, err
	}
	return queuesOf(of, apps, tasks, app, t.space, time.Now()), nil
}

func queuesOf(of *v1alpha1.Space, apps []*v1alpha1.App, tasks []*v1alpha1.Task, app, space string, now time.Time) (all []queued) {
	limits := map[string]int{}
	for _, a := range apps {
		limits[a.Name] = queue.LimitOf(a)
	}
	if limit := queue.LimitOfSpace(of); limit > 0 {
		s, _ := queue.Sort(tasks, of.Status.Admitted, queue.IsQueued, now)
		s.Apps, s.Space = limits, limit
		return []queued{{"Space " + space, len(s.Running), limit, queue.Decide(s, 0).Waiting}}
	}
	for _, a := range apps {
		if limits[a.Name] == 0 || app != "" && a.Name != app {
			continue
		}
		var own []*v1alpha1.Task
		for _, task := range tasks {
			if task.Spec.AppRef.Name == a.Name {
				own = append(own, task)
			}
		}
		s, _ := queue.Sort(own, a.Status.Admitted, queue.IsQueued, now)
		s.Apps = limits
		all = append(all, queued{"App " + a.Name, len(s.Running), limits[a.Name], queue.Decide(s, 0).Waiting})
	}
	return all
}

func (t *target) showQueues(queues []queued, app string, now time.Time) error {
	if len(queues) == 0 {
		t.printf("Nothing is queued in Space %s: neither it nor %s has a limit of Tasks that run.\n", t.space, whose(app))
	}
	for i, q := range queues {
		if i > 0 {
			t.printf("\n")
		}
		t.printf("%s: %d of at most %d Tasks run, %d wait\n", q.of, q.running, q.limit, len(q.turns))
		rows := [][]string{{"Place", "Name", "App", "ID", "Waiting", "For"}}
		for _, turn := range q.turns {
			task := turn.Task
			if app != "" && task.Spec.AppRef.Name != app {
				continue
			}
			rows = append(rows, []string{strconv.Itoa(turn.Place), task.Name, task.Spec.AppRef.Name, strconv.Itoa(task.ID()),
				duration.HumanDuration(now.Sub(task.Status.Queue.Since.Time)),
				fmt.Sprintf("%s, %d of %d run", turn.Of, turn.Running, turn.Limit)})
		}
		if len(rows) == 1 {
			continue
		}
		if err := t.table(rows); err != nil {
			return err
		}
	}
	return nil
}

func whose(app string) string {
	if app == "" {
		return "any of its Apps"
	}
	return "its App " + app
}

// places are the places of those of an App's Tasks that are queued, by name.
func (t *target) places(ctx context.Context, app string) map[string]int {
	queues, err := t.queues(ctx, app)
	if err != nil {
		t.progress("The places in the queue are not known: %v", err)
	}
	all := map[string]int{}
	for _, q := range queues {
		for _, turn := range q.turns {
			all[turn.Task.Name] = turn.Place
		}
	}
	return all
}

// withPlaces writes the place of each Task that is queued beside its reason.
func withPlaces(table *metav1.Table, places func() map[string]int) {
	column := func(name string) int {
		return slices.IndexFunc(table.ColumnDefinitions, func(c metav1.TableColumnDefinition) bool { return c.Name == name })
	}
	name, reason := column("Name"), column("Reason")
	if name < 0 || reason < 0 {
		return
	}
	var known map[string]int
	for _, row := range table.Rows {
		if row.Cells[reason] != v1alpha1.ReasonQueued {
			continue
		}
		if known == nil {
			known = places()
		}
		if place := known[fmt.Sprint(row.Cells[name])]; place > 0 {
			row.Cells[reason] = fmt.Sprintf("%s, place %d", v1alpha1.ReasonQueued, place)
		}
	}
}

// arrayFlags are those of commands that may run many Tasks of one.
type arrayFlags struct{ count, parallelism int32 }

func (a *arrayFlags) flags(c *cobra.Command) {
	c.Flags().Int32Var(&a.count, "count", 0, "run it so many times, each with its index in KF_TASK_INDEX, from 0; at most 1000")
	c.Flags().Int32Var(&a.parallelism, "parallelism", 0, "how many of --count run at a time; all when left out")
}

// maxCount is how many Tasks an array may have, as its schema says.
const maxCount = 1000

func (a *arrayFlags) check(c *cobra.Command) error {
	switch counted := c.Flags().Changed("count"); {
	case counted && (a.count < 1 || a.count > maxCount):
		return fmt.Errorf("--count must be from 1 to %d: run larger ones as several", maxCount)
	case !c.Flags().Changed("parallelism"):
		return nil
	case !counted:
		return errors.New("--parallelism is of how many Tasks run at a time: say how many there are with --count")
	case a.parallelism < 1 || a.parallelism > a.count:
		return errors.New("--parallelism must be from 1 to --count")
	}
	return nil
}
