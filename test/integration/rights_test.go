package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// member is kf in a Space, used with no right but a ClusterRole of Kubernetes' own there.
func (c *cli) member(role string) *cli {
	c.Helper()
	c.Rights(c, "users")
	m := &cli{c.T, c.Member(c, c.space, "ClusterRole", role), c.space}
	harness.Eventually(c, time.Minute, func() error { // aggregated by a controller
		_, err := m.Kf.Apps(c.space).List(c.Context(), metav1.ListOptions{})
		return err
	})
	return m
}

// mayNotWriteStatus: a Task's status says whether it ran, an App's what it runs, and a Job's what it has decided.
func (c *cli) mayNotWriteStatus() {
	c.Helper()
	status := []byte(`{"status": {"id": 1}}`)
	_, task := c.Kf.Tasks(c.space).Patch(c.Context(), "any", types.MergePatchType, status, metav1.PatchOptions{}, "status")
	_, app := c.Kf.Apps(c.space).Patch(c.Context(), "any", types.MergePatchType, status, metav1.PatchOptions{}, "status")
	_, job := c.Kf.TaskSchedules(c.space).Patch(c.Context(), "any", types.MergePatchType, status, metav1.PatchOptions{}, "status")
	for kind, err := range map[string]error{"Task": task, "App": app, "Job": job} {
		if !apierrors.IsForbidden(err) {
			c.Errorf("a user patches the status of any %s: %v", kind, err)
		}
	}
}

// TestAnEditorUsesKfInItsSpaceAndNowhereElse: with `edit` or `admin` in one namespace, from push to delete.
func TestAnEditorUsesKfInItsSpaceAndNowhereElse(t *testing.T) {
	for _, role := range []string{"edit", "admin"} {
		t.Run(role, func(t *testing.T) {
			all := newCLI(t)
			all.ready(metav1.ConditionTrue, "")
			c := all.member(role)
			c.kf("push", "shop", "--task", "--docker-image", "registry.example/shop:1")
			c.kf("run-task", "shop", "-c", "true")
			c.kf("terminate-task", c.one().Name)
			c.kf("create-job", "shop", "nightly", "true")
			c.kf("schedule-job", "nightly", "@daily")
			c.kf("run-job", "nightly")
			c.kf("jobs")
			c.kf("delete-job-schedule", "nightly")
			c.kf("delete-job", "nightly", "--async")
			if err := c.Kf.Tasks(c.space).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
				t.Error(err)
			}
			c.mayNotWriteStatus()

			elsewhere := &cli{t, c.Cluster, all.Namespace(t, "other")}
			for _, args := range [][]string{{"apps"}, {"jobs"}, {"tasks", "shop"}, {"run-task", "shop", "-c", "true"}, {"push", "shop", "--task", "--docker-image", "i"},
				{"create-job", "shop", "nightly", "true"}, {"delete-job", "nightly"}, {"terminate-task", "shop-1"}} {
				elsewhere.has(elsewhere.refused(args...), "is forbidden", fmt.Sprintf("namespace %q", elsewhere.space))
			}
		})
	}
}

// TestAViewerReadsAndWritesNothing, with `view`.
func TestAViewerReadsAndWritesNothing(t *testing.T) {
	all := newCLI(t)
	all.App(t, all.space, "shop")
	task := all.Task(t, all.space, "shop", "one")
	all.ready(metav1.ConditionTrue, "")
	all.kf("create-job", "shop", "nightly", "true")
	c := all.member("view")
	c.has(c.kf("apps"), "shop")
	c.has(c.kf("jobs"), "nightly")
	c.kf("tasks", "shop")
	for _, args := range [][]string{{"push", "shop", "--task", "--docker-image", "i"}, {"run-task", "shop", "-c", "true"}, {"terminate-task", task.Name},
		{"create-job", "shop", "hourly", "true"}, {"schedule-job", "nightly", "@daily"}, {"run-job", "nightly"}, {"delete-job", "nightly"}} {
		c.has(c.refused(args...), "is forbidden")
	}
	c.mayNotWriteStatus()
}

// TestTheAPIServerAsksForTheOwnersFinalizers: else it would not show if a function, or a user's role, lacked that right. Who may create
// Tasks and nothing else makes none that holds up the deletion of an App.
func TestTheAPIServerAsksForTheOwnersFinalizers(t *testing.T) {
	c := newCLI(t)
	app := c.App(t, c.space, "shop")
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "creates", Namespace: c.space}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"tasks"}, Verbs: []string{"create"}}}}
	if _, err := c.Kube.RbacV1().Roles(c.space).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	creates := c.Member(t, c.space, "Role", role.Name)
	task := harness.NewTask(c.space, app.Name, "owned")
	task.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("App"))}
	_, err := creates.Kf.Tasks(c.space).Create(t.Context(), task, metav1.CreateOptions{})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "finalizers") {
		t.Errorf("a Task that holds up its App: %v; does the API server run with OwnerReferencesPermissionEnforcement?", err)
	}
	task.OwnerReferences = nil
	if _, err := creates.Kf.Tasks(c.space).Create(t.Context(), task, metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
}
