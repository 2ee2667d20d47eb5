// Package e2e tests the deployed system on a full cluster, as its users see it.
package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

var ctx = context.Background()

// world is a Space with an App in it whose image has a shell.
type world struct {
	*harness.Cluster
	space string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c := harness.Deployed(t)
	w := &world{c, c.Namespace(t, "e2e")}
	w.app(t, "shop", os.Getenv("KO_DOCKER_REPO")+"/base/busybox:latest", nil)
	return w
}

func (w *world) app(t *testing.T, name, image string, change func(*v1alpha1.App)) {
	t.Helper()
	app := harness.NewApp(w.space, name, image)
	app.Spec.Template.Spec.Containers = []corev1.Container{{
		Name: v1alpha1.UserContainer, Env: []corev1.EnvVar{{Name: "GREETING", Value: "hello"}},
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5m"), corev1.ResourceMemory: resource.MustParse("8Mi")}},
	}}
	if change != nil {
		change(app)
	}
	if _, err := w.Kf.Apps(w.space).Create(ctx, app, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, 2*time.Minute, func() error {
		app, err := w.Kf.Apps(w.space).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.ConditionReady) || app.Status.StartCommands.Image != image {
			return fmt.Errorf("App %s: %+v", name, app.Status)
		}
		return nil
	})
}

func (w *world) task(t *testing.T, name, app, command string, change func(*v1alpha1.Task)) {
	t.Helper()
	task := harness.NewTask(w.space, app, name)
	task.Spec.Command = command
	if change != nil {
		change(task)
	}
	if _, err := w.Kf.Tasks(w.space).Create(ctx, task, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// ends waits for a Task's end and returns it with the reason and the message of its outcome.
func (w *world) ends(t *testing.T, name string) (*v1alpha1.Task, string, string) {
	t.Helper()
	var task *v1alpha1.Task
	harness.Eventually(t, 4*time.Minute, func() error {
		var err error
		if task, err = w.Kf.Tasks(w.space).Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		if !task.Final() {
			return fmt.Errorf("Task %s: %+v", name, task.Status.Conditions)
		}
		return nil
	})
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
	return task, c.Reason, c.Message
}

func (w *world) log(t *testing.T, task string) string {
	t.Helper()
	pods, err := w.Kube.CoreV1().Pods(w.space).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel + "=" + task})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("Task %s has %d Pods: %v", task, len(pods.Items), err)
	}
	b, err := w.Kube.CoreV1().Pods(w.space).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{Container: "step-" + v1alpha1.UserContainer}).DoRaw(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCommandHasShellSemanticsAndTheAppsEnvironment(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Kube.CoreV1().Secrets(w.space).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.InjectedEnvSecret("shop")},
		StringData: map[string]string{"VCAP_SERVICES": `{"pg":[]}`, "DATABASE_URL": "postgres://db"},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.task(t, "shell", "shop", `echo "$GREETING" | tr a-z A-Z; echo pid:$$; echo $(echo sub); echo "$VCAP_SERVICES" $DATABASE_URL; echo $VCAP_APPLICATION; echo "port:$PORT"`, nil)
	task, reason, message := w.ends(t, "shell")
	if reason != "Succeeded" || task.Status.ExitCode == nil || *task.Status.ExitCode != 0 {
		t.Fatalf("%s: %s", reason, message)
	}
	out := w.log(t, "shell")
	for _, want := range []string{"HELLO\n", "\nsub\n", `{"pg":[]} postgres://db`, `"application_name":"shop"`, "port:\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "pid:$") {
		t.Errorf("$$ did not reach the shell:\n%s", out)
	}
	if task.Status.ID != 1 || task.Status.Duration == nil || task.Status.StartTime == nil {
		t.Errorf("status %+v, want ID 1, start and duration", task.Status)
	}
}

func TestWhatGoesWrongIsSaid(t *testing.T) {
	w := newWorld(t)
	w.app(t, "broken", os.Getenv("KO_DOCKER_REPO")+"/no/such/image:1", nil)
	w.app(t, "small", os.Getenv("KO_DOCKER_REPO")+"/base/busybox:latest", func(a *v1alpha1.App) {
		a.Spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("16Mi")}
	})
	w.task(t, "fails", "shop", "exit 3", nil)
	w.task(t, "missing", "shop", "nosuchcommand", nil)
	w.task(t, "nopull", "broken", "true", nil)
	w.task(t, "slow", "shop", "sleep 600", func(t *v1alpha1.Task) { t.Spec.Timeout = &metav1.Duration{Duration: 5 * time.Second} })
	w.task(t, "greedy", "small", "tail /dev/zero", nil)
	w.waits(t, "nopull", "Pending", "no/such/image") // how long, is Tekton's default-imagepullbackoff-timeout
	for name, want := range map[string]struct{ reason, message string }{
		"fails":   {"Failed", "exited with code 3"},
		"missing": {"Failed", "not found"},
		"slow":    {"TimedOut", "5s"},
		"greedy":  {"OutOfMemory", "more memory"},
	} {
		_, reason, message := w.ends(t, name)
		if reason != want.reason || !strings.Contains(message, want.message) {
			t.Errorf("%s: %q %q, want %q and a message with %q", name, reason, message, want.reason, want.message)
		}
	}
}

// waits fails unless the Task comes to say that it waits, and for what.
func (w *world) waits(t *testing.T, name, reason, message string) {
	t.Helper()
	harness.Eventually(t, 3*time.Minute, func() error {
		task, err := w.Kf.Tasks(w.space).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
		if c == nil || c.Status != metav1.ConditionUnknown || c.Reason != reason || !strings.Contains(c.Message, message) {
			return fmt.Errorf("conditions %+v, want %s with %q", task.Status.Conditions, reason, message)
		}
		return nil
	})
}

func TestTaskWithoutAppStartsWhenTheAppIsThere(t *testing.T) {
	w := newWorld(t)
	w.task(t, "early", "later", "true", nil)
	harness.Eventually(t, 3*time.Minute, func() error {
		task, err := w.Kf.Tasks(w.space).Get(ctx, "early", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionAppReady); c == nil || c.Reason != "AppNotFound" {
			return fmt.Errorf("conditions %+v", task.Status.Conditions)
		}
		return nil
	})
	w.app(t, "later", os.Getenv("KO_DOCKER_REPO")+"/base/busybox:latest", nil)
	if _, reason, message := w.ends(t, "early"); reason != "Succeeded" { // found by the next minute's ping
		t.Errorf("%s: %s", reason, message)
	}
}

func TestManyTasksAtOnceEachRunOnce(t *testing.T) {
	const tasks = 24 // what two cores run in a minute or two; test/integration has 200 without their Pods
	w := newWorld(t)
	var wg sync.WaitGroup
	for i := range tasks {
		wg.Go(func() { w.task(t, fmt.Sprintf("many-%d", i), "shop", "echo once", nil) })
	}
	wg.Wait()
	ids := map[int]string{}
	for i := range tasks {
		name := fmt.Sprintf("many-%d", i)
		task, reason, message := w.ends(t, name)
		if reason != "Succeeded" {
			t.Errorf("%s: %s %s", name, reason, message)
		}
		if other := ids[task.Status.ID]; other != "" || task.Status.ID == 0 {
			t.Errorf("%s and %s have ID %d", name, other, task.Status.ID)
		}
		ids[task.Status.ID] = name
	}
	runs, err := w.Tekton.PipelineRuns(w.space).List(ctx, metav1.ListOptions{})
	if err != nil || len(runs.Items) != tasks {
		t.Errorf("%d PipelineRuns for %d Tasks (%v)", len(runs.Items), tasks, err)
	}
	// from creation to PipelineRun and to its end, as the API server's clock (whole seconds) saw it
	var worst time.Duration
	for _, r := range runs.Items {
		if task, err := w.Kf.Tasks(w.space).Get(ctx, r.Name, metav1.GetOptions{}); err == nil {
			worst = max(worst, r.CreationTimestamp.Sub(task.CreationTimestamp.Time))
		}
	}
	t.Logf("the latest PipelineRun came %s after its Task", worst)
}

// kf runs the CLI in the Space and returns what it printed and its exit code.
func (w *world) kf(t *testing.T, args ...string) (string, int) {
	t.Helper()
	out, said, code := w.RunKf(t, w.space, args...)
	return out + said, code
}

func TestCLIRunsATaskAndExitsWithItsCode(t *testing.T) {
	w := newWorld(t)
	if out, code := w.kf(t, "run-task", "shop", "-c", "exit 7", "--name", "seven", "--wait"); code != 7 {
		t.Errorf("exit code %d, want the Task's 7:\n%s", code, out)
	}
	out, code := w.kf(t, "tasks", "shop")
	if code != 0 || !strings.Contains(out, "seven") || !strings.Contains(out, "Failed") {
		t.Errorf("tasks: %d\n%s", code, out)
	}
	if out, code := w.kf(t, "run-task", "nope", "-c", "x"); code != 3 || !strings.Contains(out, "shop") {
		t.Errorf("an App that is not there: %d\n%s", code, out)
	}
}

// TestACallIsSent: a request from the Space to the cluster's registry, and one that is answered with 404, which fails.
func TestACallIsSent(t *testing.T) {
	w := newWorld(t)
	host, _, _ := strings.Cut(os.Getenv("KO_DOCKER_REPO"), "/")
	for path, want := range map[string]struct {
		code int
		says string
	}{"/v2/": {0, "200 OK"}, "/v2/nothing/manifests/latest": {1, "404 Not Found"}} {
		name := fmt.Sprintf("call-%d", want.code)
		if out, code := w.kf(t, "create-call", "shop", name, "http://"+host+path); code != 0 {
			t.Fatalf("create-call: %d\n%s", code, out)
		}
		if out, code := w.kf(t, "run-call", name, "--wait"); code != want.code || !strings.Contains(out, want.says) {
			t.Errorf("run-call: %d, want %d and %q\n%s", code, want.code, want.says, out)
		}
	}
}
