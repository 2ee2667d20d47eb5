// Package upgrade takes Spaces from the version before to this one, and from a backup into a cluster. The functions of both versions run as
// processes, on an API server with their CRDs.
package upgrade

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

var ctx = context.Background()

// kubectl runs it, the local cluster's or the machine's, until it succeeds: a CRD takes a moment to be served.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	command := append([]string{"kubectl"}, args...)
	if kube := os.Getenv("CLUSTER_KUBE"); kube != "" {
		command = append([]string{kube}, command...)
	}
	var out []byte
	harness.Eventually(t, 30*time.Second, func() (err error) {
		var said bytes.Buffer
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Stderr = &said
		if out, err = cmd.Output(); err != nil {
			return fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, said.Bytes())
		}
		return nil
	})
	return string(out)
}

// world is a namespace with what a version's functions are told.
type world struct {
	*testing.T
	*harness.Cluster
	ns string
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// settled gives an App its image, as build does.
func (w *world) settled(app string) {
	w.Helper()
	a, err := w.Kf.Apps(w.ns).Get(ctx, app, metav1.GetOptions{})
	w.must(err)
	_, err = client.PatchStatus(ctx, w.Kf.Apps(w.ns), a, func(a *v1alpha1.App) {
		a.Status.Image = "registry.example/" + app + ":1"
		a.Status.StartCommands = v1alpha1.StartCommandStatus{Image: a.Status.Image, Shell: v1alpha1.ShellPOSIX}
	})
	w.must(err)
}

func (w *world) create(app, name string) *v1alpha1.Task {
	w.Helper()
	task, err := w.Kf.Tasks(w.ns).Create(ctx, &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.TaskSpec{AppRef: corev1.LocalObjectReference{Name: app}, Command: "true"}}, metav1.CreateOptions{})
	w.must(err)
	return task
}

func (w *world) task(name string) *v1alpha1.Task {
	w.Helper()
	task, err := w.Kf.Tasks(w.ns).Get(ctx, name, metav1.GetOptions{})
	w.must(err)
	return task
}

func (w *world) job(name string) *v1alpha1.TaskSchedule {
	w.Helper()
	job, err := w.Kf.TaskSchedules(w.ns).Get(ctx, name, metav1.GetOptions{})
	w.must(err)
	return job
}

// tasksOf are those of a Job.
func (w *world) tasksOf(job string) []v1alpha1.Task {
	w.Helper()
	list, err := w.Kf.Tasks(w.ns).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskScheduleLabel + "=" + job})
	w.must(err)
	return list.Items
}

func (w *world) schedule(name, schedule string) *v1alpha1.TaskSchedule {
	w.Helper()
	job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: name}}
	job.Spec.Schedule = schedule
	job.Spec.TaskTemplate = v1alpha1.TaskSpec{AppRef: corev1.LocalObjectReference{Name: "shop"}, Command: "true"}
	job, err := w.Kf.TaskSchedules(w.ns).Create(ctx, job, metav1.CreateOptions{})
	w.must(err)
	return job
}

// decidedUntil sets a Job's watermark, as if ticks had been away since.
func (w *world) decidedUntil(name string, at time.Time) {
	w.Helper()
	_, err := w.Kf.TaskSchedules(w.ns).Patch(ctx, name, types.MergePatchType,
		fmt.Appendf(nil, `{"status":{"decidedUntil":%q}}`, at.UTC().Format(time.RFC3339)), metav1.PatchOptions{}, "status")
	w.must(err)
}

// runs are the UIDs of the PipelineRuns, by name.
func (w *world) runs() map[string]types.UID {
	w.Helper()
	list, err := w.Tekton.PipelineRuns(w.ns).List(ctx, metav1.ListOptions{})
	w.must(err)
	all := map[string]types.UID{}
	for _, r := range list.Items {
		all[r.Name] = r.UID
	}
	return all
}

// says is what Tekton would write into a PipelineRun.
func (w *world) says(f *harness.Function, run, status, reason string) {
	w.Helper()
	r, err := w.Tekton.PipelineRuns(w.ns).Patch(ctx, run, types.MergePatchType, fmt.Appendf(nil,
		`{"status":{"startTime":%[3]q,"conditions":[{"type":"Succeeded","status":%[1]q,"reason":%[2]q,"message":"","lastTransitionTime":%[3]q}]}}`,
		status, reason, time.Now().UTC().Format(time.RFC3339)), metav1.PatchOptions{}, "status")
	w.must(err)
	if f != nil {
		f.Redeliver(harness.Updated("PipelineRun", r))
	}
}

// minute is n minutes ago, and daily names just this minute of a day.
func minute(n int) time.Time {
	return time.Now().UTC().Truncate(time.Minute).Add(-time.Duration(n) * time.Minute)
}

func daily(at time.Time) string { return fmt.Sprintf("%d %d * * *", at.Minute(), at.Hour()) }

// clearOfTheMinute waits until no minute begins soon, whose instants an early tick would take.
func clearOfTheMinute() {
	for now := time.Now(); now.Truncate(time.Minute).Add(time.Minute).Sub(now) < 20*time.Second; now = time.Now() {
		time.Sleep(time.Until(now.Truncate(time.Minute).Add(time.Minute)) + 50*time.Millisecond)
	}
}

func objects() string {
	return filepath.Join(harness.Root(), "test", "upgrade", "testdata", "objects.yaml")
}
