package pods

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// kills is how often TestNoKillBeginsACommandTwice kills something: make one-start KILLS=200.
var (
	kills    = flag.Int("kills", 6, "how often something is killed while commands that count themselves run")
	killSeed = flag.Int64("seed", 1, "what is killed, and when, is drawn from this")
)

// counted is a Space whose App counts, on a volume, how often each Task's command begins; all functions that run a Task
// run, by pings alone.
type counted struct {
	*writers
	dir           string
	start, status *harness.Function
}

func newCounted(t *testing.T) *counted {
	t.Helper()
	w := newWriters(t)
	c := &counted{writers: w, dir: t.TempDir(), start: w.start, status: w.pinged("status")}
	for dir := c.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) { // the command's user is nobody in particular
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	app, err := w.c.Kf.Apps(w.ns).Get(ctx, "writer", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	spec := &app.Spec.Template.Spec
	spec.Volumes = []corev1.Volume{{Name: "count", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: c.dir}}}}
	spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "count", MountPath: "/count"}}
	if _, err := w.c.Kf.Apps(w.ns).Update(ctx, app, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return c
}

// begins makes a Task whose command counts itself and stays, and waits until it has begun.
func (c *counted) begins(name string, retries int32) {
	c.t.Helper()
	task := harness.NewTask(c.ns, "writer", name)
	task.Spec.Command, task.Spec.Retries = "-count /count/"+name+" -lines 1 -stay 1h", retries
	task, err := c.c.Kf.Tasks(c.ns).Create(ctx, task, metav1.CreateOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	c.runtask.Deliver(harness.Added("Task", task))
	c.until(name, func(*v1alpha1.Task) error {
		if c.count(name) == 0 {
			return errors.New("it has not begun")
		}
		return nil
	})
}

// count is how often the command of a Task has begun.
func (c *counted) count(name string) int {
	b, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil && !os.IsNotExist(err) {
		c.t.Error(err)
	}
	return bytes.Count(b, []byte("\n"))
}

func (c *counted) until(name string, is func(*v1alpha1.Task) error) {
	c.t.Helper()
	harness.Eventually(c.t, 4*time.Minute, func() error {
		task, err := c.c.Kf.Tasks(c.ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if err := is(task); err != nil {
			return fmt.Errorf("%w: %+v", err, task.Status)
		}
		return nil
	})
}

// ended waits until a Task has ended, and none of its Pods can start or run.
func (c *counted) ended(name string, reasons ...string) {
	c.t.Helper()
	c.until(name, func(task *v1alpha1.Task) error {
		if !task.Final() {
			return errors.New("not ended")
		}
		for _, p := range c.pods(name) {
			if p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodFailed && p.Status.Phase != corev1.PodSucceeded {
				return fmt.Errorf("Pod %s is %s", p.Name, p.Status.Phase)
			}
		}
		return nil
	})
	got := meta.FindStatusCondition(c.task(name).Status.Conditions, v1alpha1.ConditionSucceeded)
	for _, r := range reasons {
		if got.Reason == r {
			return
		}
	}
	c.t.Errorf("%s ended as %s (%s), want %v", name, got.Reason, got.Message, reasons)
}

func (c *counted) pod(name string) corev1.Pod {
	c.t.Helper()
	pods := c.pods(name)
	if len(pods) == 0 {
		c.t.Fatalf("%s has no Pod", name)
	}
	return pods[0]
}

func (c *counted) must(err error) {
	c.t.Helper()
	if err != nil && !apierrors.IsNotFound(err) {
		c.t.Error(err)
	}
}

func (c *counted) evict(pod string) error {
	return c.c.Kube.PolicyV1().Evictions(c.ns).Evict(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod, Namespace: c.ns}})
}

var atOnce, orphan = int64(0), metav1.DeletePropagationOrphan

// TestACommandBeginsOnceWhateverIsDoneToItsPod: and each way to lose it has a reason of its own.
func TestACommandBeginsOnceWhateverIsDoneToItsPod(t *testing.T) {
	c := newCounted(t)
	deletes := c.c.Kube.CoreV1().Pods(c.ns).Delete
	patch := func(kind, name, patch string) error {
		var err error
		switch kind {
		case "Task":
			_, err = c.c.Kf.Tasks(c.ns).Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		case "TaskRun":
			_, err = c.c.Tekton.TaskRuns(c.ns).Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		}
		return err
	}
	for name, test := range map[string]struct {
		do      func(name string)
		reasons []string
	}{
		"deleted": {func(name string) { c.must(deletes(ctx, c.pod(name).Name, metav1.DeleteOptions{})) }, []string{"PodDeleted"}},
		"forced": {func(name string) {
			c.must(deletes(ctx, c.pod(name).Name, metav1.DeleteOptions{GracePeriodSeconds: &atOnce}))
		}, []string{"PodDeleted"}},
		"evicted": {func(name string) { c.must(c.evict(c.pod(name).Name)) }, []string{"Drained"}},
		"taskrun-deleted": {func(name string) {
			c.must(c.c.Tekton.TaskRuns(c.ns).Delete(ctx, name+"-user-container", metav1.DeleteOptions{}))
		}, []string{"PodDeleted", "PipelineRunDeleted"}},
		"run-deleted": {func(name string) {
			c.must(c.c.Tekton.PipelineRuns(c.ns).Delete(ctx, name, metav1.DeleteOptions{}))
		}, []string{"PipelineRunDeleted"}},
		"run-orphaned": {func(name string) {
			c.must(c.c.Tekton.PipelineRuns(c.ns).Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &orphan}))
		}, []string{"PipelineRunDeleted"}},
		"stripped": {func(name string) {
			if err := patch("TaskRun", name+"-user-container", `{"metadata":{"labels":{"tasks.kf.dev/task":null}}}`); !apierrors.IsForbidden(err) {
				t.Errorf("the TaskRun's label can be taken off: %v", err)
			}
			c.must(patch("Task", name, `{"metadata":{"labels":null}}`))
			c.must(c.c.Tekton.PipelineRuns(c.ns).Delete(ctx, name, metav1.DeleteOptions{}))
			for range 3 {
				c.runtask.Deliver(harness.Ping("resync"))
			}
		}, []string{"PipelineRunDeleted"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &counted{writers: c.in(t), dir: c.dir}
			c.begins(name, 0)
			test.do(name)
			c.ended(name, test.reasons...)
			if n := c.count(name); n != 1 {
				t.Errorf("the command began %d times", n)
			}
			if task := c.task(name); len(task.Status.Starts) != 1 {
				t.Errorf("its starts are %+v", task.Status.Starts)
			}
			harness.Eventually(t, 2*time.Minute, func() error { // nothing is left that would make Pods
				tr, err := c.c.Tekton.TaskRuns(c.ns).Get(ctx, name+"-user-container", metav1.GetOptions{})
				if err == nil && !tr.IsDone() {
					return fmt.Errorf("its TaskRun goes on: %+v", tr.Status.Conditions)
				}
				return nil
			})
		})
	}
	t.Run("retries", func(t *testing.T) {
		t.Parallel()
		c := &counted{writers: c.in(t), dir: c.dir}
		c.begins("again", 1)
		for n := 1; n <= 2; n++ {
			c.until("again", func(*v1alpha1.Task) error {
				if got := c.count("again"); got != n {
					return fmt.Errorf("begun %d times", got)
				}
				return nil
			})
			c.must(deletes(ctx, c.pod("again").Name, metav1.DeleteOptions{GracePeriodSeconds: &atOnce}))
		}
		c.ended("again", "PodDeleted")
		if n, starts := c.count("again"), c.task("again").Status.Starts; n != 2 || len(starts) != 2 || starts[0].Lost == "" {
			t.Errorf("begun %d times, with the starts %+v", n, starts)
		}
	})
}

// TestAPodThatWasLostBeforeItBeganIsMadeAnew: what has cost no start is no loss.
func TestAPodThatWasLostBeforeItBeganIsMadeAnew(t *testing.T) {
	c := newCounted(t)
	c.start.Kill() // so that it is up, and may not begin
	task := c.create("writer", "patient", "-count /count/patient -lines 1 -stay 1h")
	c.runtask.Deliver(harness.Added("Task", task))
	var first types.UID
	harness.Eventually(t, 4*time.Minute, func() error {
		for _, p := range c.pods("patient") {
			if p.Status.Phase == corev1.PodRunning {
				first = p.UID
				return nil
			}
		}
		return errors.New("no Pod is up")
	})
	c.must(c.c.Kube.CoreV1().Pods(c.ns).Delete(ctx, c.pod("patient").Name, metav1.DeleteOptions{GracePeriodSeconds: &atOnce}))
	c.start.Start()
	c.until("patient", func(task *v1alpha1.Task) error {
		if c.count("patient") != 1 || len(task.Status.Starts) != 1 || task.Status.Starts[0].PodUID == first {
			return fmt.Errorf("begun %d times", c.count("patient"))
		}
		return nil
	})
}

// TestWhatHasEndedLeavesNoPodThatCanStart: Tekton gives such a run up, and leaves its Pod, which would start when the Secret is there.
func TestWhatHasEndedLeavesNoPodThatCanStart(t *testing.T) {
	c := newCounted(t)
	app, err := c.c.Kf.Apps(c.ns).Get(ctx, "writer", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	app.Spec.Template.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "later"}}}}
	if _, err = c.c.Kf.Apps(c.ns).Update(ctx, app, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	task := c.create("writer", "given-up", "-count /count/given-up -lines 1 -stay 1h")
	c.runtask.Deliver(harness.Added("Task", task))
	harness.Eventually(t, 3*time.Minute, func() error {
		if len(c.pods("given-up")) == 0 {
			return errors.New("no Pod yet")
		}
		return nil
	})
	// Whoever ends it, and however: here it is somebody who fails its TaskRun.
	harness.Eventually(t, 3*time.Minute, func() error {
		run, err := c.c.Tekton.PipelineRuns(c.ns).Get(ctx, "given-up", metav1.GetOptions{})
		if err == nil && !run.IsDone() {
			_, err = c.c.Tekton.TaskRuns(c.ns).Patch(ctx, "given-up-user-container", types.MergePatchType, []byte(
				`{"status":{"completionTime":"2020-01-01T00:00:00Z","conditions":[{"type":"Succeeded","status":"False","reason":"Failed","message":"given up","lastTransitionTime":"2020-01-01T00:00:00Z"}]}}`), metav1.PatchOptions{}, "status")
			if err == nil {
				err = errors.New("not done")
			}
		}
		return err
	})
	harness.Eventually(t, 2*time.Minute, func() error {
		if n := len(c.pods("given-up")); n != 0 {
			return fmt.Errorf("%d Pods", n)
		}
		return nil
	})
	if n, exit := c.count("given-up"), c.task("given-up").Status.ExitCode; n != 0 || exit != nil {
		t.Errorf("begun %d times, exit code %v", n, exit)
	}
}

// TestATaskThatRunsIntoItsLimitKeepsItsLog: Tekton deletes its Pod, and each line had been delivered before.
func TestATaskThatRunsIntoItsLimitKeepsItsLog(t *testing.T) {
	w := newWriters(t)
	w.pinged("status")
	f := w.pinged("terminate")
	task := harness.NewTask(w.ns, "writer", "limited")
	task.Spec.Command, task.Spec.Timeout = "-lines 1000000 -every 50ms -term 1s", &metav1.Duration{Duration: 45 * time.Second}
	task, err := w.c.Kf.Tasks(w.ns).Create(ctx, task, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.runtask.Deliver(harness.Added("Task", task))
	harness.Eventually(t, 3*time.Minute, func() error {
		task = w.task("limited")
		if !task.Final() || !task.Status.Termination.Finished() || len(w.pods("limited")) > 0 {
			return fmt.Errorf("%d Pods, %+v", len(w.pods("limited")), task.Status)
		}
		return nil
	})
	if got := v1alpha1.Reason(task.Status.Conditions, v1alpha1.ConditionSucceeded); got != v1alpha1.ReasonTimedOut {
		t.Errorf("it ended as %s", got)
	}
	if task.Status.Termination.Log == v1alpha1.LogIncomplete {
		t.Errorf("its log: %+v", task.Status.Termination)
	}
	if len(task.Status.Starts) == 0 {
		t.Fatal("it had not begun within its limit")
	}
	got := w.delivered("limited", f)
	if len(got) == 0 || !strings.HasPrefix(got[len(got)-1].Message, "last words after") {
		t.Errorf("%d lines were delivered, not to the last", len(got))
	}
}

// TestNoKillBeginsACommandTwice kills Pods, the kubelet, Tekton's controller and functions at random, while commands run that
// count themselves.
func TestNoKillBeginsACommandTwice(t *testing.T) {
	c := newCounted(t)
	t.Logf("%d kills; the same again: -args -kills %[1]d -seed %d", *kills, *killSeed)
	random := rand.New(rand.NewSource(*killSeed))
	pods := c.c.Kube.CoreV1().Pods(c.ns)
	one := func(ns, selector string) *corev1.Pod {
		list, err := c.c.Kube.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil || len(list.Items) == 0 {
			return nil
		}
		return &list.Items[random.Intn(len(list.Items))]
	}
	again := func(f *harness.Function) bool { f.Kill(); f.Start(); return true }
	lose := func(lose func(pod string) error) bool {
		p := one(c.ns, v1alpha1.TaskLabel)
		if p != nil {
			c.must(lose(p.Name))
		}
		return p != nil
	}
	killed := map[string]int{}
	ways := []struct {
		what string
		kill func() bool
	}{
		{"Pod deleted", func() bool {
			return lose(func(pod string) error { return pods.Delete(ctx, pod, metav1.DeleteOptions{}) })
		}},
		{"Pod deleted by force", func() bool {
			return lose(func(pod string) error {
				return pods.Delete(ctx, pod, metav1.DeleteOptions{GracePeriodSeconds: &atOnce})
			})
		}},
		{"Pod evicted", func() bool { return lose(c.evict) }},
		{"kubelet", func() bool { return killPart(t, "kubelet") }},
		{"Tekton's controller", func() bool {
			p := one("tekton-pipelines", "app=tekton-pipelines-controller")
			if p != nil {
				c.must(c.c.Kube.CoreV1().Pods("tekton-pipelines").Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &atOnce}))
			}
			return p != nil
		}},
		{"start", func() bool { return again(c.start) }},
		{"status", func() bool { return again(c.status) }},
		{"runtask", func() bool { return again(c.runtask) }},
	}
	var made []string
	task := func(retries int32) {
		name := "k" + strconv.Itoa(len(made))
		task := harness.NewTask(c.ns, "writer", name)
		task.Spec.Command, task.Spec.Retries = "-count /count/"+name+" -lines 1 -stay 30s", retries
		if _, err := c.c.Kf.Tasks(c.ns).Create(ctx, task, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		made = append(made, name)
	}
	live := func() (n int) {
		for _, name := range made {
			if t := c.task(name); !t.Final() {
				n++
			}
		}
		return n
	}
	for done, tries := 0, 0; done < *kills; tries++ {
		if tries > 10**kills {
			t.Fatalf("only %d of %d kills found something to kill", done, *kills)
		}
		for live() < 4 {
			task(int32(len(made) % 4 / 3)) // each fourth may be tried again
		}
		c.runtask.Send(harness.Ping("resync"))
		time.Sleep(time.Duration(random.Intn(2500)) * time.Millisecond) // at any moment of what is under way
		if w := ways[(tries+random.Intn(2))%len(ways)]; w.kill() {
			killed[w.what]++
			done++
		}
	}
	total := 0
	for _, name := range made {
		c.runtask.Deliver(harness.Ping("resync"))
		c.until(name, func(task *v1alpha1.Task) error {
			if !task.Final() {
				return errors.New("not ended")
			}
			return nil
		})
		n, task := c.count(name), c.task(name)
		if total += n; n > 1+int(task.Spec.Retries) || n > len(task.Status.Starts) {
			t.Errorf("%s, with %d retries, began %d times: %+v", name, task.Spec.Retries, n, task.Status)
		}
	}
	t.Logf("%d Tasks began %d commands, none more often than it may; killed: %v", len(made), total, killed)
}

// killPart kills a part of the cluster as a crash does; the cluster starts it again. It says whether there was one, which there may
// not be just after it was killed.
func killPart(t *testing.T, part string) bool {
	t.Helper()
	dir := filepath.Join(harness.Root(), ".cluster-pods")
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range processes {
		b, err := os.ReadFile(p)
		if args := strings.Split(string(b), "\x00"); err != nil || len(args) < 2 || args[1] != part || !bytes.Contains(b, []byte(dir)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		if err == nil {
			err = syscall.Kill(pid, syscall.SIGKILL)
		}
		if err != nil {
			t.Logf("%s: %v", part, err)
		}
		return err == nil
	}
	return false
}

// TestANamespaceWithRunningTasksEnds: nothing that is written into a Task, or waits for one, holds it, and no command begins again
// on the way.
func TestANamespaceWithRunningTasksEnds(t *testing.T) {
	c := newCounted(t)
	names := []string{"one", "two"}
	for _, name := range names {
		c.begins(name, 1)
	}
	c.must(c.c.Kube.CoreV1().Namespaces().Delete(ctx, c.ns, metav1.DeleteOptions{}))
	harness.Eventually(t, 4*time.Minute, func() error {
		space, err := c.c.Kube.CoreV1().Namespaces().Get(ctx, c.ns, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is there, %v: %+v", err, space.Status)
	})
	for _, name := range names {
		if n := c.count(name); n != 1 {
			t.Errorf("the command of %s has begun %d times", name, n)
		}
	}
}
