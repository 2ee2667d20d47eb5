package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// hostile clears the screen and forges a row (CVE-2021-25743), and turns the text around.
const hostile = "ok\x1b[2J\x1b[1;1Hfake\nrow\u202e\u009b2J"

// cli is a Space to use kf in. What the functions do there is played, so that each test says what kf finds.
type cli struct {
	*testing.T
	*harness.Cluster
	space string
}

func newCLI(t *testing.T) *cli {
	c := harness.New(t)
	return &cli{t, c, c.Namespace(t, "kf")}
}

// kf runs the CLI, which must succeed, and returns what was asked for. Nothing that it says may act on a terminal.
func (c *cli) kf(args ...string) string {
	c.Helper()
	out, said, code := c.RunKf(c, c.space, args...)
	if code != 0 {
		c.Fatalf("kf %q: exit code %d\n%s%s", args, code, out, said)
	}
	c.inert(out + said)
	return out
}

// refused runs the CLI, which must refuse, and returns why, which is one row.
func (c *cli) refused(args ...string) string {
	c.Helper()
	out, said, code := c.RunKf(c, c.space, args...)
	rows := strings.Split(strings.TrimSuffix(said, "\n"), "\n")
	last := rows[len(rows)-1]
	if code < 1 || code > 5 || !strings.HasPrefix(last, "Error: ") {
		c.Fatalf("kf %q: exit code %d\n%s%s", args, code, out, said)
	}
	c.inert(out + said)
	return last
}

func (c *cli) inert(text string) {
	c.Helper()
	for _, r := range text {
		if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e) {
			c.Errorf("%q acts on a terminal: %q", r, text)
			return
		}
	}
}

// has fails if the text lacks a part; its columns count as one space.
func (c *cli) has(text string, parts ...string) {
	c.Helper()
	flat := strings.Join(strings.Fields(text), " ")
	for _, part := range parts {
		if !strings.Contains(flat, part) {
			c.Errorf("%q is not in\n%s", part, text)
		}
	}
}

// ready plays what build and tick do with each App and Job of the Space until the test ends: they look at it, and find
// it as told.
func (c *cli) ready(status metav1.ConditionStatus, message string) (stop func()) {
	ctx, cancel := context.WithCancel(c.Context())
	done := make(chan struct{})
	found := func(of metav1.Object) metav1.Condition {
		return metav1.Condition{Type: v1alpha1.ConditionReady, Status: status, Reason: "Played", Message: message,
			ObservedGeneration: of.GetGeneration(), LastTransitionTime: metav1.Now()}
	}
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			apps, _ := c.Kf.Apps(c.space).List(ctx, metav1.ListOptions{})
			for i := range apps.Items {
				_, _ = client.PatchStatus(ctx, c.Kf.Apps(c.space), &apps.Items[i], func(a *v1alpha1.App) {
					a.Status.ObservedGeneration = a.Generation
					meta.SetStatusCondition(&a.Status.Conditions, found(a))
				})
			}
			jobs, _ := c.Kf.TaskSchedules(c.space).List(ctx, metav1.ListOptions{})
			for i := range jobs.Items {
				_, _ = client.PatchStatus(ctx, c.Kf.TaskSchedules(c.space), &jobs.Items[i], func(j *v1alpha1.TaskSchedule) {
					j.Status.ObservedGeneration = j.Generation
					meta.SetStatusCondition(&j.Status.Conditions, found(j))
				})
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	stop = func() { cancel(); <-done }
	c.Cleanup(stop)
	return stop
}

// final plays that a Task has ended.
func (c *cli) final(name string, status metav1.ConditionStatus, reason, message string, exit int32) {
	c.Helper()
	task, err := c.Kf.Tasks(c.space).Get(c.Context(), name, metav1.GetOptions{})
	if err != nil {
		c.Fatal(err)
	}
	if _, err := client.PatchStatus(c.Context(), c.Kf.Tasks(c.space), task, func(t *v1alpha1.Task) {
		t.Status.ExitCode = &exit
		v1alpha1.SetCondition(t, &t.Status.Conditions,
			metav1.Condition{Type: v1alpha1.ConditionSucceeded, Status: status, Reason: reason, Message: message}, time.Now())
	}); err != nil {
		c.Fatal(err)
	}
}

// one is the one Task of the Space.
func (c *cli) one() *v1alpha1.Task {
	c.Helper()
	list, err := c.Kf.Tasks(c.space).List(c.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		c.Fatalf("%d Tasks, want one: %v", len(list.Items), err)
	}
	return &list.Items[0]
}

// TestKfPushKeepsWhatItDoesNotName: also what an App has that this program's types do not, and that it serves.
func TestKfPushKeepsWhatItDoesNotName(t *testing.T) {
	c := newCLI(t)
	c.ready(metav1.ConditionTrue, "")
	c.has(c.refused("push", "shop", "--task"), "a new App needs --docker-image")
	c.has(c.kf("push", "shop", "--task", "--docker-image", "registry.example/shop:1"), "App shop is ready.", "kf run-task shop --command")
	d, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	apps := d.Resource(v1alpha1.GroupVersion.WithResource("apps")).Namespace(c.space)
	theirs := `{"metadata": {"annotations": {"theirs": "kept"}}, "spec": {"theirs": {"kept": true}, "build": {"theirs": "kept"},
	  "instances": {"theirs": "kept", "replicas": 3, "stopped": false}, "template": {"spec": {"serviceAccountName": "theirs", "containers": [
	  {"name": "user-container", "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
	   "resources": {"limits": {"memory": "1Gi"}}},
	  {"name": "sidecar", "image": "registry.example/sidecar"}]}}}}`
	before, err := apps.Patch(t.Context(), "shop", "application/merge-patch+json", []byte(theirs), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.kf("push", "shop", "--task", "-e", "GREETING=hello", "-e", "NODE=here", "-m", "256M", "-c", "serve")
	after, err := apps.Get(t.Context(), "shop", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// the same by hand, on the App as it was
	want := before.DeepCopy()
	build := map[string]any{"image": "registry.example/shop:1", "theirs": "kept", "updateRequests": int64(2)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(unstructured.SetNestedMap(want.Object, build, "spec", "build"))
	containers, _, err := unstructured.NestedSlice(want.Object, "spec", "template", "spec", "containers")
	must(err)
	container := containers[0].(map[string]any)
	container["args"] = []any{"serve"}
	container["env"] = []any{map[string]any{"name": "NODE", "value": "here"}, map[string]any{"name": "GREETING", "value": "hello"}}
	must(unstructured.SetNestedField(container, "256Mi", "resources", "requests", "memory"))
	must(unstructured.SetNestedField(container, "256Mi", "resources", "limits", "memory"))
	must(unstructured.SetNestedField(want.Object, "serve", "spec", "template", "startCommand"))
	must(unstructured.SetNestedSlice(want.Object, containers, "spec", "template", "spec", "containers"))
	if !equality.Semantic.DeepEqual(after.Object["spec"], want.Object["spec"]) || after.GetAnnotations()["theirs"] != "kept" {
		t.Errorf("%v %v\nwant %v", after.Object["spec"], after.GetAnnotations(), want.Object["spec"])
	}
	c.has(c.kf("apps"), "Name Instances Memory Disk CPU Ready Reason", "shop", "256Mi", "True Played")
}

// TestKfSaysWhyAnAppOrAJobCantBeUsed: in one row, whoever wrote the reason.
func TestKfSaysWhyAnAppOrAJobCantBeUsed(t *testing.T) {
	c := newCLI(t)
	stop := c.ready(metav1.ConditionFalse, hostile)
	c.has(c.refused("push", "shop", "--task", "--docker-image", "i"),
		"App shop is there, and can't be used: Played: ok^[[2J^[[1;1Hfake^Jrow")
	c.has(c.refused("create-job", "shop", "nightly", "true"), "Job nightly is there, and can't run: Played: ok^[[2J")
	c.has(c.refused("create-job", "shop", "nightly", "true"),
		`there is a Job "nightly" in Space "`+c.space+`" already: schedule-job changes`)
	c.has(c.refused("schedule-job", "nightly", "@daily"), "can't run: Played")
	stop()
	c.has(c.kf("create-job", "shop", "later", "true", "--async"), "Job later created. It has no schedule.")
	c.has(c.refused("run-task", "shop"), "start command not found on App or Task: say what to run with --command")
	c.has(c.refused("run-task", "nope", "-c", "x"), `there is no App "nope" in Space "`+c.space+`"; there is: shop`)
	c.has(c.refused("run-task", "shop", "-c", "x", "--name", hostile+strings.Repeat("x", 250)), "--name can have at most 253 characters")
	c.has(c.refused("job-history", "nope"), `there is no Job "nope"`, "`kf jobs --space "+c.space+"` lists them")
	c.has(c.refused("terminate-task", "nope"), `there is no Task "nope"`, "`kf tasks APP` lists an App's")
	c.has(c.refused("terminate-task", "shop", "first"), "give the number that `kf tasks shop` shows")
	c.has(c.refused("terminate-task", "shop", "7"), `No Task found for App "shop" and Task ID "7"`)
	c.has(c.refused("logs", "shop"), "shop is an App: say --task to see what its Tasks write")
	c.has(c.refused("logs", "shop", "--task", "-n", "1000000"), "--number can be at most")
}

// TestKfShowsForeignTextInert: a Task's name in the list, a reason in the history, a message while it is waited for.
func TestKfShowsForeignTextInert(t *testing.T) {
	c := newCLI(t)
	app := c.App(t, c.space, "shop")
	c.has(c.kf("run-task", "shop", "-c", "true", "--name", hostile),
		"is submitted successfully for execution.", "kf tasks shop --space "+c.space)
	task := c.one()
	if task.Spec.DisplayName != hostile || !metav1.IsControlledBy(task, app) {
		t.Errorf("%q of %v", task.Spec.DisplayName, task.OwnerReferences)
	}
	out := c.kf("tasks", "shop")
	c.has(out, "Name ID DisplayName Age Duration Succeeded Reason", task.Name+" ok^[[2J^[[1;1Hfake^Jrow<U+202E><U+009B>2J")
	if n := strings.Count(out, "\n"); n != 2 {
		t.Errorf("%d rows for one Task:\n%s", n, out)
	}
	c.ready(metav1.ConditionTrue, hostile)
	c.kf("create-job", "shop", "nightly", "true", "-s", "@daily")
	job, err := c.Kf.TaskSchedules(c.space).Get(t.Context(), "nightly", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.PatchStatus(t.Context(), c.Kf.TaskSchedules(c.space), job, func(j *v1alpha1.TaskSchedule) {
		j.Status.History = []v1alpha1.Decision{{Instant: metav1.Now(), Outcome: v1alpha1.OutcomeRefused, Message: hostile}}
	}); err != nil {
		t.Fatal(err)
	}
	if out = c.kf("job-history", "nightly"); strings.Count(out, "\n") != 2 {
		t.Errorf("more rows than one:\n%s", out)
	}
	c.has(out, "Time Outcome Task Result Message", "Refused ok^[[2J^[[1;1Hfake^Jrow")
}

// TestKfExitsWithTheTasksCode, after a wait in which others write what it says.
func TestKfExitsWithTheTasksCode(t *testing.T) {
	c := newCLI(t)
	c.App(t, c.space, "shop")
	for _, e := range []struct {
		status metav1.ConditionStatus
		reason string
		exit   int32
		want   int
		says   string
	}{
		{metav1.ConditionTrue, "Succeeded", 0, 0, "Succeeded"},
		{metav1.ConditionFalse, "Failed", 7, 7, "Failed ok^[[2J^[[1;1Hfake row"}, // a condition's message is one line
		{metav1.ConditionFalse, "TimedOut", 0, 1, "did not succeed: TimedOut"},
	} {
		played := make(chan string, 1)
		go func() {
			for {
				list, err := c.Kf.Tasks(c.space).List(t.Context(), metav1.ListOptions{})
				if err != nil {
					played <- err.Error()
					return
				}
				for _, task := range list.Items {
					if !task.Final() {
						c.final(task.Name, e.status, e.reason, hostile, e.exit)
						played <- ""
						return
					}
				}
				time.Sleep(50 * time.Millisecond)
			}
		}()
		out, said, code := c.RunKf(t, c.space, "run-task", "shop", "-c", "true", "--wait")
		if failed := <-played; failed != "" {
			t.Fatal(failed)
		}
		if code != e.want {
			t.Errorf("exit code %d, want %d:\n%s%s", code, e.want, out, said)
		}
		c.inert(out + said)
		c.has(said, e.says)
	}
}

func TestKfTerminatesByNameAndByID(t *testing.T) {
	c := newCLI(t)
	c.App(t, c.space, "shop")
	c.kf("run-task", "shop", "-c", "true")
	task := c.one()
	c.has(c.kf("terminate-task", task.Name), `Task "`+task.Name+`" is successfully submitted for termination`)
	if task = c.one(); !task.Spec.Terminated || task.ManagedFields[len(task.ManagedFields)-1].Manager != "kf" {
		t.Errorf("%+v, by %v", task.Spec, task.ManagedFields)
	}
	c.has(c.kf("terminate-task", task.Name), "Can't terminate terminated Task")
	id := client.Change{Labels: map[string]string{v1alpha1.VersionLabel: "1", v1alpha1.HandledLabel: string(task.UID)}}
	if _, err := client.Merge(t.Context(), c.Kf.Tasks(c.space), task, id); err != nil {
		t.Fatal(err)
	}
	c.final(task.Name, metav1.ConditionFalse, v1alpha1.ReasonCancelled, "", 0)
	c.has(c.kf("terminate-task", "shop", "1"), "Can't terminate completed Task")

	// an App that was restored counts from one again
	c.has(c.kf("run-task", "shop", "-c", "true"), "is submitted")
	list, err := c.Kf.Tasks(c.space).List(t.Context(), metav1.ListOptions{LabelSelector: "!" + v1alpha1.VersionLabel})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%d Tasks without an ID: %v", len(list.Items), err)
	}
	if _, err := client.PatchStatus(t.Context(), c.Kf.Tasks(c.space), &list.Items[0], func(t *v1alpha1.Task) { t.Status.ID = 1 }); err != nil {
		t.Fatal(err)
	}
	c.has(c.kf("terminate-task", "shop", "1"), `Task "`+list.Items[0].Name+`" is successfully submitted for termination`)
	c.has(c.refused("terminate-task", "a,b!=c", "1"), "No Task found")
}

func TestKfRunsJobsByHandAndOnSchedules(t *testing.T) {
	c := newCLI(t)
	c.App(t, c.space, "shop")
	c.ready(metav1.ConditionTrue, "")
	c.has(c.kf("create-job", "shop", "nightly", "bin/report", "-m", "1G"),
		"Job nightly created.", `kf schedule-job nightly "30 2 * * *" --space `+c.space)
	c.has(c.kf("jobs"), "nightly", "true")
	if out := c.kf("job-schedules"); strings.Contains(out, "nightly") {
		t.Errorf("a suspended Job is among those that run on a schedule:\n%s", out)
	}
	c.has(c.kf("schedule-job", "nightly", "30 2 * * 7", "--time-zone", "Europe/Berlin", "--dry-run"),
		"Next runs of Job nightly (Europe/Berlin): Sun ")
	job := func() *v1alpha1.TaskSchedule {
		j, err := c.Kf.TaskSchedules(c.space).Get(t.Context(), "nightly", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	if j := job(); !j.Spec.Suspend {
		t.Error("--dry-run has scheduled it")
	}
	c.has(c.kf("schedule-job", "nightly", "0 9 * * 1-5", "0 12 * * 6", "--time-zone", "Europe/Berlin"), "Job nightly scheduled.")
	if j := job(); j.Spec.Suspend || j.Spec.Schedule != "0 9 * * 1-5" || len(j.Spec.Schedules) != 1 || j.Spec.TimeZone != "Europe/Berlin" {
		t.Errorf("%+v", j.Spec)
	}
	c.kf("schedule-job", "nightly", "@daily")
	for _, nothing := range [][]string{{""}, {"0 3 * * *", ""}, {" "}, {v1alpha1.NeverSchedule}} {
		c.refused(append([]string{"schedule-job", "nightly"}, nothing...)...)
	}
	if j := job(); j.Spec.Schedule != "@daily" || len(j.Spec.Schedules) != 0 || j.Spec.TimeZone != "Europe/Berlin" || j.Spec.Suspend {
		t.Errorf("%+v", j.Spec)
	}
	c.has(c.kf("job-schedules"), "nightly @daily false")
	c.has(c.kf("delete-job-schedule", "nightly"), "The schedule of Job nightly is deleted.")
	c.has(c.refused("delete-job-schedule", "nightly"), "Job nightly has no schedule: it is suspended")
	c.kf("run-job", "nightly", "--command", "bin/report --once", "-k", "2G")
	task := c.one()
	if s := task.Spec; s.Command != "bin/report --once" || s.Memory != "1Gi" || s.Disk != "2Gi" || !metav1.IsControlledBy(task, job()) {
		t.Errorf("%+v", s)
	}
	c.has(c.kf("job-history", "nightly"), "Ran "+task.Name+" run by hand")
	c.has(c.kf("delete-job", "nightly"), "Job nightly is deleted, with 1 Tasks, of which 1 ran.")
	if list, err := c.Kf.Tasks(c.space).List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) != 0 {
		t.Errorf("%d Tasks are left: %v", len(list.Items), err)
	}
}

func TestKfPruneShowsWhatWouldGo(t *testing.T) {
	c := newCLI(t)
	app := c.App(t, c.space, "shop")
	one := client.Change{Annotations: map[string]string{v1alpha1.RetainAnnotation: "1"}}
	if _, err := client.Merge(t.Context(), c.Kf.Apps(c.space), app, one); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"first", "second"} {
		c.Task(t, c.space, "shop", name)
		c.final(name, metav1.ConditionTrue, "Succeeded", "", 0)
	}
	c.has(c.kf("prune", "shop", "--dry-run"),
		"The App keeps its newest 1 Tasks. It has 2, of which 0 run and 0 are pinned; 1 would go. Name ID Created Why first")
	if list, err := c.Kf.Tasks(c.space).List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) != 2 {
		t.Errorf("%d Tasks are left: %v", len(list.Items), err)
	}
}

// TestKfBindsServicesAndSetsVariables: what an App's next Task has; a value is in its Secret and nowhere else.
func TestKfBindsServicesAndSetsVariables(t *testing.T) {
	c := newCLI(t)
	c.App(t, c.space, "shop")
	maySecrets(t, c.Cluster, c.space)
	f := c.Function(t, "bind")
	file := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(file, []byte(`{"uri": "postgres://u:hunter2@h/d"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	meanwhile(f, func() {
		c.has(c.kf("create-user-provided-service", "db", "-p", file, "-t", "sql"), "Service db created.", "kf bind-service APP db")
	})
	c.has(c.refused("create-user-provided-service", "db"), "already")
	c.has(c.refused("bind-service", "shop", "none"), `there is no service "none"`)
	c.has(c.refused("unbind-service", "shop", "db"), "is not bound to db")
	meanwhile(f, func() {
		c.has(c.kf("bind-service", "shop", "db"), "its next Task has the credentials")
	})
	c.has(c.kf("services"), "Name Type Tags Bound Apps Ready Reason db user-provided sql shop True ServiceReady")
	c.has(c.kf("services", "-o", "jsonpath={.items[*].metadata.name}"), "db")
	secret, err := c.Kube.CoreV1().Secrets(c.space).Get(t.Context(), v1alpha1.InjectedEnvSecret("shop"), metav1.GetOptions{})
	if err != nil || len(secret.OwnerReferences) != 1 || string(secret.Data["DATABASE_URL"]) != "postgres://u:hunter2@h/d" {
		t.Fatalf("%v %v", secret.OwnerReferences, err)
	}
	c.has(c.kf("vcap-services", "shop"), `"instance_name": "db"`, "hunter2")
	c.has(c.kf("set-env", "shop", "COLOUR", "blue"), "COLOUR is set")
	c.has(c.kf("env", "shop"), "GREETING hello", "COLOUR blue", "hunter2")
	c.has(c.kf("unset-env", "shop", "GREETING"), "GREETING is unset")
	c.has(c.refused("unset-env", "shop", "GREETING"), "has no variable GREETING")
	app, err := c.Kf.Apps(c.space).Get(t.Context(), "shop", metav1.GetOptions{})
	if err != nil || len(app.Spec.Template.Spec.Containers[0].Env) != 1 || strings.Contains(fmt.Sprint(app), "hunter2") {
		t.Errorf("%+v %v", app.Spec.Template.Spec.Containers, err)
	}
	meanwhile(f, func() {
		c.has(c.kf("unbind-service", "shop", "db"), "lacks the credentials")
	})
	if out := c.kf("env", "shop"); strings.Contains(out, "hunter2") {
		t.Errorf("it is still bound:\n%s", out)
	}
	meanwhile(f, func() { c.has(c.kf("delete-service", "db"), "Service db is deleted.") })
	c.has(c.refused("delete-service", "db"), `there is no service "db"`)
}

// TestKfSaysHowItExits: what a script can tell apart, and lists in the forms that it reads.
func TestKfSaysHowItExits(t *testing.T) {
	c := newCLI(t)
	c.App(t, c.space, "shop")
	c.Task(t, c.space, "shop", "migrate")
	for want, args := range map[int][]string{2: {"tasks"}, 3: {"tasks", "none"}, 5: {"apps", "--context", "none"}, 0: {"apps", "-n", c.space}} {
		if out, said, code := c.RunKf(t, c.space, args...); code != want {
			t.Errorf("kf %q: exit code %d, want %d\n%s%s", args, code, want, out, said)
		}
	}
	if _, said, code := c.RunKf(t, c.space, "run-task", "none", "-c", "x", "--wait"); code != 125 {
		t.Errorf("--wait: exit code %d\n%s", code, said)
	}
	c.has(c.kf("apps", "-o", "name"), "app.kf.dev/shop")
	c.has(c.kf("apps", "-o", "json"), `"kind": "App"`)
	c.has(c.kf("apps", "-o", "yaml"), "kind: App")
	c.has(c.kf("apps", "-o", "jsonpath={.items[0].spec.build.image}"), "registry.example/shop:1")
	c.has(c.kf("target"), "Cluster Context Space", c.space)
	c.has(c.refused("target", "none-such"), `there is no Space "none-such"`)
	out, said, code := c.RunKf(t, c.space, "doctor") // there is no Knative here
	c.has(out, "Part State What to do Kubernetes 1.32 or newer ok", "kf.dev/v1alpha1 ok", "ValidatingAdmissionPolicies ok", "serving.knative.dev/v1 FAILS", "install Knative Serving",
		"your rights in "+c.space+" ok")
	if code != 1 || !strings.Contains(said, "parts fail") {
		t.Errorf("exit code %d\n%s", code, said)
	}
}

func TestKfTellsHowAJobDoesAndWhatItTook(t *testing.T) {
	c := newCLI(t)
	c.App(t, c.space, "shop")
	c.refused("create-job", "shop", "nightly", "true", "--expect-success-within", "30s")
	c.refused("create-job", "shop", "nightly", "true", "--pause-after-failures", "1001")
	c.ready(metav1.ConditionTrue, "")
	c.kf("create-job", "shop", "nightly", "true", "-s", "@daily", "--expect-success-within", "26h", "--pause-after-failures", "3")
	job, err := c.Kf.TaskSchedules(c.space).Get(t.Context(), "nightly", metav1.GetOptions{})
	if err != nil || job.Spec.ExpectSuccessWithin.Duration != 26*time.Hour || job.Spec.PauseAfterFailures != 3 {
		t.Fatalf("%+v %v", job.Spec, err)
	}
	c.kf("run-job", "nightly")
	task := c.one()
	memory := resource.MustParse("48Mi")
	if _, err := client.PatchStatus(t.Context(), c.Kf.Tasks(c.space), task, func(t *v1alpha1.Task) {
		t.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded,
			LastTransitionTime: metav1.Now()}}
		t.Status.Duration = &metav1.Duration{Duration: 90 * time.Second}
		t.Status.Usage = &v1alpha1.Usage{CPUTime: &metav1.Duration{Duration: 12500 * time.Millisecond}, PeakMemory: &memory}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PatchStatus(t.Context(), c.Kf.TaskSchedules(c.space), job, func(j *v1alpha1.TaskSchedule) {
		j.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionOverdue, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonNotSucceeded,
			Message: "no Task of it", LastTransitionTime: metav1.Now()}}
		j.Status.Watch = &v1alpha1.Watch{Notices: []v1alpha1.Notice{{At: metav1.Now(), What: v1alpha1.NoticeOverdue, Message: "no Task of it"}}}
		j.Status.History = []v1alpha1.Decision{{Instant: metav1.Now(), Outcome: v1alpha1.OutcomeRan, Task: "nightly-1", Result: "Failed"}}
	}); err != nil {
		t.Fatal(err)
	}
	c.has(c.kf("jobs"), "Overdue", "True")
	c.has(c.kf("job-history", "nightly"), "Overdue no Task of it")
	c.has(c.kf("why", "nightly"), "Overdue: no Task of it", "the Job is overdue")
	c.has(c.kf("job-stats", "nightly"), "nightly 2 1 1 0 0 0 50.0% 1m30s 1m30s 1m30s")
	c.has(c.kf("job-stats", "nightly", "--last", "1", "-o", "jsonpath={.items[0].runs}"), "1")
	for _, of := range []string{"shop", task.Name} {
		c.has(c.kf("top", of), task.Name+" shop 0 Succeeded 1m30s 12.5s 48.0Mi")
	}
	c.has(c.refused("top", "nobody"), `there is no App and no Task "nobody"`)
}
