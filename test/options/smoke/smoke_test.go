// Package smoke is what every way to deploy must do (make test-options): one of each thing that users have the functions do.
package smoke

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

var ctx = context.Background()

// space is one with an App whose image has a shell, and which build has looked at.
func space(t *testing.T) (*harness.Cluster, string) {
	t.Helper()
	c := harness.Deployed(t)
	ns := c.Namespace(t, "smoke")
	app := harness.NewApp(ns, "shop", os.Getenv("KO_DOCKER_REPO")+"/base/busybox:latest")
	app.Spec.Template.Spec.Containers[0].Resources.Requests = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("5m"), corev1.ResourceMemory: resource.MustParse("8Mi")}
	if _, err := c.Kf.Apps(ns).Create(ctx, app, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, 2*time.Minute, func() error {
		app, err := c.Kf.Apps(ns).Get(ctx, "shop", metav1.GetOptions{})
		if err != nil || !meta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("App: %+v %v", app.Status.Conditions, err)
		}
		return nil
	})
	return c, ns
}

// kf runs the CLI, and fails unless it ends with that code.
func kf(t *testing.T, c *harness.Cluster, space string, want int, args ...string) string {
	t.Helper()
	out, said, code := c.RunKf(t, space, args...)
	if code != want {
		t.Fatalf("kf %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, said)
	}
	return out + said
}

func TestTasksEndWithTheirCodes(t *testing.T) {
	c, space := space(t)
	for _, code := range []int{0, 7} {
		kf(t, c, space, code, "run-task", "shop", "-c", fmt.Sprintf("echo it; exit %d", code), "--name", fmt.Sprint("ends-", code), "--wait")
	}
	if out := kf(t, c, space, 0, "tasks", "shop"); !strings.Contains(out, "Succeeded") || !strings.Contains(out, "Failed") {
		t.Errorf("tasks:\n%s", out)
	}
}

func TestATaskIsTerminated(t *testing.T) {
	c, space := space(t)
	kf(t, c, space, 0, "run-task", "shop", "-c", `trap "echo stopped; exit 0" TERM; echo began; while true; do sleep 1; done`, "--name", "long")
	var name string
	harness.Eventually(t, 2*time.Minute, func() error {
		pods, err := c.Kube.CoreV1().Pods(space).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel, FieldSelector: "status.phase=Running"})
		if err != nil || len(pods.Items) != 1 {
			return fmt.Errorf("not running: %v", err)
		}
		name = pods.Items[0].Labels[v1alpha1.TaskLabel]
		return nil
	})
	kf(t, c, space, 0, "terminate-task", name)
	harness.Eventually(t, 2*time.Minute, func() error {
		task, err := c.Kf.Tasks(space).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		outcome := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
		if !task.Final() || outcome == nil || outcome.Reason == "Succeeded" || outcome.Reason == "Failed" {
			return fmt.Errorf("conditions %+v", task.Status.Conditions)
		}
		return nil
	})
}

func TestAJobRunsEachMinute(t *testing.T) {
	c, space := space(t)
	kf(t, c, space, 0, "create-job", "shop", "each-minute", "echo it")
	kf(t, c, space, 0, "schedule-job", "each-minute", "* * * * *")
	harness.Eventually(t, 4*time.Minute, func() error {
		tasks, err := c.Kf.Tasks(space).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, task := range tasks.Items {
			if meta.IsStatusConditionTrue(task.Status.Conditions, v1alpha1.ConditionSucceeded) {
				return nil
			}
		}
		return fmt.Errorf("%d Tasks, none has succeeded", len(tasks.Items))
	})
}

// TestManyAtOnce: Tasks that come all at once are each recorded to their end, and none twice. They are terminated from the beginning, so that
// this is about the functions, and not about how many Pods the node has room for. What it prints is in docs/operate.md, Sizes.
func TestManyAtOnce(t *testing.T) {
	const many, atOnce = 300, 32
	c, space := space(t)
	began := time.Now()
	var creating errgroup.Group
	creating.SetLimit(atOnce)
	for i := range many {
		creating.Go(func() error {
			task := harness.NewTask(space, "shop", fmt.Sprint("t", i))
			task.Spec.Command, task.Spec.Terminated = "true", true
			_, err := c.Kf.Tasks(space).Create(ctx, task, metav1.CreateOptions{})
			return err
		})
	}
	if err := creating.Wait(); err != nil {
		t.Fatal(err)
	}
	created := time.Since(began)
	harness.Eventually(t, 5*time.Minute, func() error {
		tasks, err := c.Kf.Tasks(space).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		left := 0
		for _, task := range tasks.Items {
			if !task.Final() {
				left++
			}
		}
		if left > 0 || len(tasks.Items) != many {
			return fmt.Errorf("%d of %d Tasks have not ended", left, len(tasks.Items))
		}
		return nil
	})
	t.Logf("%d Tasks created in %s have all ended after %s", many, created.Round(100*time.Millisecond), time.Since(began).Round(100*time.Millisecond))
	tasks, err := c.Kf.Tasks(space).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[int]string{}
	for _, task := range tasks.Items {
		if other := ids[task.Status.ID]; other != "" || task.Status.ID == 0 {
			t.Errorf("%s has the ID %d, as %q has", task.Name, task.Status.ID, other)
		}
		ids[task.Status.ID] = task.Name
	}
	runs, err := c.Tekton.PipelineRuns(space).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(runs.Items) != many {
		t.Errorf("%d PipelineRuns of %d Tasks", len(runs.Items), many)
	}
}
