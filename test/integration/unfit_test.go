package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestAPIServerRefusesAppsThatNoProcessCanHave, where they are made and where they are changed.
func TestAPIServerRefusesAppsThatNoProcessCanHave(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "unfit")
	amount := func(name corev1.ResourceName, q string) func(*corev1.Container) {
		return func(c *corev1.Container) {
			c.Resources.Limits = corev1.ResourceList{name: resource.MustParse(q)}
		}
	}
	variable := func(name, value string) func(*corev1.Container) {
		return func(c *corev1.Container) { c.Env = []corev1.EnvVar{{Name: name, Value: value}} }
	}
	args := func(s string) func(*corev1.Container) { return func(c *corev1.Container) { c.Args = []string{s} } }
	cases := map[string]struct {
		change func(*corev1.Container)
		want   string // "" if it is taken
	}{
		"wild, and all right":           {variable("app.mode", "$$ $(x) 🦊\r\n"), ""},
		"as long as can be":             {variable("A", strings.Repeat("ü", 65534)), ""},
		"a variable that is too long":   {variable("A", strings.Repeat("ü", 65535)), "131070 bytes"},
		"NUL in a variable":             {variable("A", "a\x00"), "NUL"},
		"a variable of no name":         {variable("a=b", "x"), "printable ASCII"},
		"an argument as long as can be": {args(strings.Repeat("x", 131071)), ""},
		"an argument that is too long":  {args(strings.Repeat("x", 131072)), "131071 bytes"},
		"NUL in an argument":            {args("a\x00"), "NUL"},
		"half a byte of memory":         {amount("memory", "512m"), "at least 1Mi"},
		"memory without a unit":         {amount("memory", "512"), "with their unit"},
		"less than no memory":           {amount("memory", "-1G"), "at least 1Mi"},
		"less than no disk":             {amount("ephemeral-storage", "-1G"), "at least 1Mi"},
		"less than no CPU":              {amount("cpu", "-1"), "at least 1m"},
		"whole cores":                   {amount("cpu", "2"), ""},
	}
	there, err := c.Kf.Apps(ns).Create(ctx, harness.NewApp(ns, "there", "i:1"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for name, test := range cases {
		i++
		app := harness.NewApp(ns, fmt.Sprintf("app-%d", i), "i:1")
		app.Spec.Template.Spec.Containers = []corev1.Container{{Name: v1alpha1.UserContainer}}
		test.change(&app.Spec.Template.Spec.Containers[0])
		changed := there.DeepCopy()
		changed.Spec.Template.Spec.Containers = app.Spec.Template.Spec.Containers
		_, made := c.Kf.Apps(ns).Create(ctx, app, metav1.CreateOptions{})
		_, updated := c.Kf.Apps(ns).Update(ctx, changed, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
		for what, err := range map[string]error{"made": made, "updated": updated} {
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s, %s: %.300v, want %q", name, what, err, test.want)
			}
		}
	}
}

// TestWhatTasksCantHaveIsSaidOnTheApp, and its Task waits and says so until it is mended.
func TestWhatTasksCantHaveIsSaidOnTheApp(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "unfit")
	app := harness.NewApp(ns, "shop", pushed(t))
	app.Spec.Template.Spec.HostPID = true
	app.Spec.Template.Spec.Containers = []corev1.Container{{Name: v1alpha1.UserContainer}, {Name: "proxy", Image: "proxy:1"}}
	app, err := c.Kf.Apps(ns).Create(ctx, app, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	build, runtask := c.Function(t, "build"), c.Function(t, "runtask")
	said := func(conditions []metav1.Condition, of, reason string) error {
		if cond := meta.FindStatusCondition(conditions, of); reason == "" && cond != nil && cond.Reason == v1alpha1.ReasonInvalidApp ||
			reason != "" && (cond == nil || cond.Reason != reason || !strings.Contains(cond.Message, "hostPID") || !strings.Contains(cond.Message, "(proxy)")) {
			return fmt.Errorf("%s: %+v, want %q", of, cond, reason)
		}
		return nil
	}
	look := func(reason string) {
		t.Helper()
		build.Deliver(harness.Updated("App", app))
		harness.Eventually(t, time.Minute, func() error {
			now, err := c.Kf.Apps(ns).Get(ctx, "shop", metav1.GetOptions{})
			if err != nil {
				return err
			}
			if now.Status.ObservedGeneration != now.Generation {
				return fmt.Errorf("build has not seen %d", now.Generation)
			}
			return said(now.Status.Conditions, v1alpha1.ConditionReady, reason)
		})
	}
	look(v1alpha1.ReasonInvalidApp)
	task := harness.NewTask(ns, "shop", "waits")
	task.Spec.Command = "x"
	if task, err = c.Kf.Tasks(ns).Create(ctx, task, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	runtask.Deliver(harness.Added("Task", task))
	if task, err = c.Kf.Tasks(ns).Get(ctx, "waits", metav1.GetOptions{}); err != nil || task.Final() {
		t.Fatalf("%+v %v", task, err)
	}
	if err := said(task.Status.Conditions, v1alpha1.ConditionSucceeded, v1alpha1.ReasonInvalidApp); err != nil {
		t.Error(err)
	}
	if app, err = c.Kf.Apps(ns).Get(ctx, "shop", metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	app.Spec.Template.Spec.HostPID, app.Spec.Template.Spec.Containers = false, app.Spec.Template.Spec.Containers[:1]
	if app, err = c.Kf.Apps(ns).Update(ctx, app, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	look("")
	runtask.Deliver(harness.Ping("resync"))
	wantOneRun(t, c, ns, "waits")
}

// TestKfRefusesWhatNoTaskCanHave, before anything is made.
func TestKfRefusesWhatNoTaskCanHave(t *testing.T) {
	c := newCLI(t)
	c.Cluster.App(t, c.space, "shop")
	for _, test := range []struct {
		want string
		args []string
	}{
		{"has no unit", []string{"-m", "512"}},
		{"has no unit", []string{"-k", "0"}},
		{"below zero", []string{"-m", "-1G"}},
		{"is nothing", []string{"-m", "0M"}},
		{"whole number of bytes", []string{"-m", "1.0001K"}},
		{"not above zero", []string{"--cpu-cores", "0"}},
		{"UTF-8", []string{"-c", "echo \xff"}},
		{"is empty", []string{"-c", " \t"}},
	} {
		if len(strings.Join(test.args, "")) < 100<<10 { // no process can be given it: that is the point
			c.has(c.refused(append([]string{"run-task", "shop"}, test.args...)...), test.want)
		}
		if test.args[0] != "-c" {
			c.has(c.refused(append([]string{"push", "shop", "--task"}, test.args...)...), test.want)
			c.has(c.refused(append([]string{"create-job", "shop", "job", "true"}, test.args...)...), test.want)
		}
	}
	c.has(c.refused("push", "shop", "--task", "-e", "ü=1"), "printable ASCII")
	c.has(c.refused("push", "shop", "--task", "-e", "A=\xff"), "UTF-8")
}
