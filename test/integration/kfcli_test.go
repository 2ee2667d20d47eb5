package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// kfsOwn is a Space with an App, the functions that look at its Tasks and Jobs, and Kf's own CLI.
type kfsOwn struct {
	*testing.T
	*harness.Cluster
	space                 string
	runtask, status, tick *harness.Function
}

func newKfsOwn(t *testing.T) *kfsOwn {
	c := harness.New(t)
	k := &kfsOwn{T: t, Cluster: c, space: c.Namespace(t, "kfs")}
	c.App(t, k.space, "shop")
	k.runtask, k.status, k.tick = c.Function(t, "runtask"), c.Function(t, "status"), c.Function(t, "tick")
	return k
}

// kf runs Kf's CLI, which must succeed and say all of this; its columns count as one space.
func (k *kfsOwn) kf(line string, says ...string) {
	k.Helper()
	printed, code := k.KfsOwn(k, k.space, words(line)...)
	flat := strings.Join(strings.Fields(printed), " ")
	for _, s := range says {
		if code != 0 || !strings.Contains(flat, s) {
			k.Errorf("kf %s: exit code %d, want 0 and %q in\n%s", line, code, s, printed)
		}
	}
}

// words are those of a command line; what stands between ' is one.
func words(line string) (all []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}

// newest is the youngest Task of the Space, after runtask has seen it.
func (k *kfsOwn) newest() *v1alpha1.Task {
	k.Helper()
	k.runtask.Deliver(harness.Ping("resync"))
	list, err := k.Kf.Tasks(k.space).List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		k.Fatalf("%d Tasks: %v", len(list.Items), err)
	}
	found := &list.Items[0]
	for i := range list.Items {
		if found.ID() < list.Items[i].ID() {
			found = &list.Items[i]
		}
	}
	return found
}

// tekton plays what Tekton writes of a Task's run.
func (k *kfsOwn) tekton(task string, status corev1.ConditionStatus, reason string) {
	k.Helper()
	run, err := k.Tekton.PipelineRuns(k.space).Get(ctx, task, metav1.GetOptions{})
	if err != nil {
		k.Fatal(err)
	}
	now := metav1.Now()
	run.Status.StartTime = &now
	if status != corev1.ConditionUnknown {
		run.Status.CompletionTime = &now
	} else {
		begins(k.T, k.Cluster, run)
		run.Status.ChildReferences = []tekton.ChildStatusReference{{Name: k.container(run), PipelineTaskName: v1alpha1.UserContainer}}
	}
	run.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: reason})
	reach(k.T, k.Cluster, run)
	k.status.Deliver(harness.Updated("PipelineRun", run))
}

// container plays the TaskRun of a run, whose container runs.
func (k *kfsOwn) container(run *tekton.PipelineRun) string {
	k.Helper()
	tr := &tekton.TaskRun{ObjectMeta: metav1.ObjectMeta{Name: run.Name + "-user-container", Namespace: run.Namespace, OwnerReferences: []metav1.OwnerReference{
		*metav1.NewControllerRef(run, tekton.SchemeGroupVersion.WithKind("PipelineRun"))}},
		Spec: tekton.TaskRunSpec{TaskSpec: &tekton.TaskSpec{Steps: []tekton.Step{{Name: v1alpha1.UserContainer, Image: "i", Command: []string{"c"}}}}}}
	tr, err := k.Tekton.TaskRuns(run.Namespace).Create(ctx, tr, metav1.CreateOptions{})
	if err != nil {
		k.Fatal(err)
	}
	tr.Status.Steps = []tekton.StepState{{Name: v1alpha1.UserContainer, ContainerState: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}}}
	writeStatus(k.T, func(b []byte) error {
		_, err := k.Tekton.TaskRuns(tr.Namespace).Patch(ctx, tr.Name, types.MergePatchType, b, metav1.PatchOptions{}, "status")
		return err
	}, tr.Status)
	return tr.Name
}

// TestKfsOwnCLIRunsTasks: each command about Tasks of the unmodified CLI, and the words that Kf's own integration tests wait for.
func TestKfsOwnCLIRunsTasks(t *testing.T) {
	k := newKfsOwn(t)
	k.kf("run-task shop --command 'sleep 120' --name migration -m 512M --cpu-cores 100m", "is submitted successfully for execution.")
	task := k.newest()
	if s := task.Spec; s.Command != "sleep 120" || s.Memory != "512Mi" || s.CPU != "100m" || s.DisplayName != "migration" {
		t.Errorf("%+v", s)
	}
	k.kf("tasks shop", "Name ID DisplayName Age Duration Succeeded Reason", task.Name)
	k.tekton(task.Name, corev1.ConditionUnknown, tekton.PipelineRunReasonRunning.String())
	k.kf("tasks shop", task.Name+" 1 migration", "Unknown Running")
	k.kf("tasks shop -o json", `"command": "sleep 120"`)
	k.kf("logs shop --task --recent", "")
	k.kf("terminate-task shop 1", `Task "`+task.Name+`" is successfully submitted for termination`)
	k.kf("terminate-task "+task.Name, "Can't terminate terminated Task")
	k.tekton(task.Name, corev1.ConditionFalse, tekton.PipelineRunReasonCancelled.String())
	k.kf("tasks shop", "False TaskRunCancelled")
	k.kf("terminate-task shop 1", "Can't terminate completed Task")
}

// TestKfsOwnCLIRunsJobs: the same of each command about Jobs.
func TestKfsOwnCLIRunsJobs(t *testing.T) {
	k := newKfsOwn(t)
	k.ready("create-job shop nightly 'bin/report --all' -k 1G", "Job nightly created.")
	k.kf("jobs", "nightly 0 0 30 2 * true", "True Suspended")
	k.kf("schedule-job nightly '0 3 * * ?'", "Job nightly scheduled.")
	k.tick.Deliver(harness.Updated("TaskSchedule", k.job("nightly")))
	k.kf("job-schedules", "nightly 0 3 * * ? false", "True Scheduled")
	if printed, code := k.KfsOwn(t, k.space, "schedule-job", "nightly", ""); code == 0 || k.job("nightly").Spec.Schedule != "0 3 * * ?" {
		t.Errorf("an empty schedule: exit code %d\n%s", code, printed)
	}
	k.kf("run-job nightly --memory-limit 1G", "is submitted successfully for execution.")
	task := k.newest()
	if s := task.Spec; s.Command != "bin/report --all" || s.Memory != "1Gi" || s.Disk != "1Gi" || !metav1.IsControlledBy(task, k.job("nightly")) {
		t.Errorf("%+v of %v", s, task.OwnerReferences)
	}
	k.tekton(task.Name, corev1.ConditionUnknown, tekton.PipelineRunReasonRunning.String()) // its ID is shown from then on
	k.kf("job-history nightly", task.Name+" 1 ")
	k.kf("tasks shop", task.Name+" 1 ")
	k.kf("delete-job-schedule nightly", "Job schedule for nightly deleted.")
	job := k.job("nightly")
	k.tick.Deliver(harness.Updated("TaskSchedule", job))
	if !job.Spec.Suspend {
		t.Error("its schedule is still there")
	}
	if printed, _ := k.KfsOwn(t, k.space, "job-schedules"); strings.Contains(printed, "nightly") {
		t.Errorf("a suspended Job is among those that run on a schedule:\n%s", printed)
	}
	k.kf("delete-job nightly", "Waiting for deletion")
	harness.Eventually(t, time.Minute, func() error { // the CLI waits for the Job; its Tasks go after it, in the background
		left, err := client.Find(ctx, k.Kf.Tasks(k.space), k.space, task.Name)
		if left != nil {
			err = fmt.Errorf("Task %s is still there", left.Name)
		}
		return err
	})
	k.ready("create-job shop hourly true -s '@hourly' -c Forbid", "Job hourly created.")
	if s := k.job("hourly").Spec; s.Suspend || s.Schedule != "@hourly" || s.ConcurrencyPolicy != v1alpha1.ConcurrencyForbid {
		t.Errorf("%+v", s)
	}
}

// ready is kf for a command that waits until tick has looked at a Job.
func (k *kfsOwn) ready(line string, says ...string) {
	k.Helper()
	done := make(chan struct{})
	go func() { defer close(done); k.kf(line, says...) }()
	for {
		select {
		case <-done:
			return
		case <-time.After(200 * time.Millisecond):
			k.tick.Deliver(harness.Ping("resync"))
		}
	}
}

func (k *kfsOwn) job(name string) *v1alpha1.TaskSchedule {
	k.Helper()
	job, err := k.Kf.TaskSchedules(k.space).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		k.Fatal(err)
	}
	return job
}
