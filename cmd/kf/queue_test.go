package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func queuedTask(app, name string, age int, of v1alpha1.QueueOf) *v1alpha1.Task {
	t := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), CreationTimestamp: metav1.Unix(int64(age), 0)}}
	t.Spec.AppRef.Name = app
	if of == "" {
		t.Labels = map[string]string{v1alpha1.HandledLabel: name}
		return t
	}
	t.Status.ID = age
	t.Status.Queue = &v1alpha1.TaskQueue{Since: metav1.Unix(int64(age), 0), Of: of}
	t.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonQueued}}
	return t
}

// TestAQueueIsShownInTheOrderInWhichItStarts, of an App and of a Space.
func TestAQueueIsShownInTheOrderInWhichItStarts(t *testing.T) {
	two := int32(2)
	shop, mail := &v1alpha1.App{}, &v1alpha1.App{}
	shop.Name, mail.Name, shop.Spec.MaxRunningTasks = "shop", "mail", &two
	tasks := []*v1alpha1.Task{queuedTask("shop", "r1", 1, ""), queuedTask("shop", "r2", 1, ""), queuedTask("shop", "young", 9, v1alpha1.QueueOfApp),
		queuedTask("shop", "old", 5, v1alpha1.QueueOfApp), queuedTask("mail", "other", 8, v1alpha1.QueueOfSpace)}
	apps := []*v1alpha1.App{shop, mail}
	show := func(of *v1alpha1.Space, app string) string {
		var out strings.Builder
		to := &target{screen: screen{out: &out, err: &out}, space: "s"}
		if err := to.showQueues(queuesOf(of, apps, tasks, app, "s", time.Unix(70, 0)), app, time.Unix(70, 0)); err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(out.String()), " ")
	}
	for got, want := range map[string]string{
		show(nil, ""): "App shop: 2 of at most 2 Tasks run, 2 wait Place Name App ID Waiting For " +
			"1 old shop 5 65s App, 2 of 2 run 2 young shop 9 61s App, 2 of 2 run",
		show(&v1alpha1.Space{Spec: v1alpha1.SpaceSpec{Limits: v1alpha1.SpaceLimits{MaxRunningTasks: &two}}}, ""): "Space s: 2 of at most 2 Tasks run, 3 wait " +
			"Place Name App ID Waiting For 1 other mail 8 62s Space, 2 of 2 run 2 old shop 5 65s App, 2 of 2 run 3 young shop 9 61s App, 2 of 2 run",
		show(nil, "mail"): "Nothing is queued in Space s: neither it nor its App mail has a limit of Tasks that run.",
	} {
		if got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
}

func TestAPlaceStandsBesideTheReason(t *testing.T) {
	table := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{{Name: "Name"}, {Name: "Reason"}}, Rows: []metav1.TableRow{
		{Cells: []any{"a", "Queued"}}, {Cells: []any{"b", "Running"}}, {Cells: []any{"c", "Queued"}}, {Cells: []any{"d", nil}}}}
	asked := 0
	withPlaces(table, func() map[string]int { asked++; return map[string]int{"a": 3} })
	if got := fmt.Sprint(rows(table, false)); got != "[[Name Reason] [a Queued, place 3] [b Running] [c Queued] [d ]]" || asked != 1 {
		t.Errorf("%s, and it was asked %d times", got, asked)
	}
	withPlaces(&metav1.Table{ColumnDefinitions: table.ColumnDefinitions, Rows: table.Rows[1:2]}, func() map[string]int {
		t.Error("asked, though nobody is queued")
		return nil
	})
}

func TestWhatNoArrayIs(t *testing.T) {
	for args, want := range map[string]string{
		"": "", "--count 1": "", "--count 1000 --parallelism 1000": "",
		"--count 0": "from 1 to 1000", "--count -1": "from 1 to 1000", "--count 1001": "from 1 to 1000",
		"--parallelism 2": "with --count", "--count 3 --parallelism 4": "from 1 to --count", "--count 3 --parallelism 0": "from 1 to --count",
	} {
		var flags arrayFlags
		c := &cobra.Command{RunE: func(c *cobra.Command, _ []string) error { return flags.check(c) }, SilenceErrors: true, SilenceUsage: true}
		flags.flags(c)
		c.SetArgs(strings.Fields(args))
		if err := c.Execute(); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
