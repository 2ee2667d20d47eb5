package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// runs is how a quota calls PipelineRuns.
const runs = "count/pipelineruns.tekton.dev"

// quota makes a ResourceQuota, and returns when the API server enforces it.
func quota(t *testing.T, c *harness.Cluster, ns, of, hard string) {
	t.Helper()
	q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "compute", Namespace: ns}}
	q.Spec.Hard = corev1.ResourceList{corev1.ResourceName(of): resource.MustParse(hard)}
	if _, err := c.Kube.CoreV1().ResourceQuotas(ns).Create(ctx, q, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, time.Minute, func() error {
		q, err := c.Kube.CoreV1().ResourceQuotas(ns).Get(ctx, q.Name, metav1.GetOptions{})
		if err == nil && len(q.Status.Hard) == 0 {
			err = fmt.Errorf("the quota is not counted yet")
		}
		return err
	})
}

func raise(t *testing.T, c *harness.Cluster, ns, of, hard string) {
	t.Helper()
	patch := fmt.Sprintf(`{"spec":{"hard":{%q:%q}}}`, of, hard)
	if _, err := c.Kube.CoreV1().ResourceQuotas(ns).Patch(ctx, "compute", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// wantVisible fails unless the Task waits, for the reason, as people find it from the first moment.
func wantVisible(t *testing.T, task *v1alpha1.Task, reason, message, id string) {
	t.Helper()
	said := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
	if said == nil || said.Status != metav1.ConditionUnknown || said.Reason != reason || !strings.Contains(said.Message, message) {
		t.Errorf("it says %+v, want it to wait for %s with %q", said, reason, message)
	}
	for k, v := range v1alpha1.TaskLabels(task.Spec.AppRef.Name) {
		if task.Labels[k] != v {
			t.Errorf("label %s=%q, want %q", k, task.Labels[k], v)
		}
	}
	if task.Labels[v1alpha1.VersionLabel] != id || fmt.Sprint(task.Status.ID) != id || task.Spec.DisplayName == "" {
		t.Errorf("ID %q in its label, %d in its status, display name %q; want the ID %s", task.Labels[v1alpha1.VersionLabel], task.Status.ID,
			task.Spec.DisplayName, id)
	}
}

// wantRest fails unless many hints and pings, and a function that starts anew, leave a Task that waits as it is.
func wantRest(t *testing.T, c *harness.Cluster, f *harness.Function, task *v1alpha1.Task) {
	t.Helper()
	f.Proxy.Inject(nil)
	began, tries := time.Now(), 0
	for range 5 {
		f.Deliver(harness.Updated("Task", task))
		f.Deliver(harness.Ping("resync"))
	}
	for _, r := range f.Proxy.Requests() {
		if ours := strings.Contains(r.Path, "/namespaces/"+task.Namespace+"/"); ours && r.Is(http.MethodPost, "/pipelineruns") {
			tries++
		} else if ours && r.Write > 0 {
			t.Errorf("a Task that waits cost %s %s", r.Method, r.Path)
		}
	}
	if most := 1 + int(time.Since(began)/(9*time.Second)); tries > most {
		t.Errorf("it was tried %d times within %s, want at most %d", tries, time.Since(began), most)
	}
	f.Kill()
	f.Start()
	f.Deliver(harness.Ping("resync")) // tries once, for it does not know
	now := getTask(t, c, task.Namespace)
	app, err := c.Kf.Apps(task.Namespace).Get(ctx, "shop", metav1.GetOptions{})
	if err != nil || now.ResourceVersion != task.ResourceVersion || app.Status.Tasks.UpdateRequests != 1 {
		t.Errorf("the Task was written while nothing changed: %+v, %+v; or its App's counter is %d, want 1 (%v)", task.ManagedFields, now.ManagedFields,
			app.Status.Tasks.UpdateRequests, err)
	}
}

func runsAfter(t *testing.T, c *harness.Cluster, f *harness.Function, ns string) {
	t.Helper()
	harness.Eventually(t, time.Minute, func() error { // it is tried again ten seconds after the last try
		f.Deliver(harness.Ping("resync"))
		_, err := c.Tekton.PipelineRuns(ns).Get(ctx, "migrate", metav1.GetOptions{})
		return err
	})
	wantOneRun(t, c, ns, "migrate")
	if task := getTask(t, c, ns); task.Labels[v1alpha1.VersionLabel] != "1" {
		t.Errorf("it runs with the ID %s, and waited with 1", task.Labels[v1alpha1.VersionLabel])
	}
}

// TestATaskUnderAQuotaWaitsAndCostsNothing: one ID, taken once and kept; no write while nothing changes; and then it runs.
func TestATaskUnderAQuotaWaitsAndCostsNothing(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "waiting")
	c.App(t, ns, "shop")
	quota(t, c, ns, runs, "0")
	f := c.Function(t, "runtask")
	f.Deliver(harness.Added("Task", c.Task(t, ns, "shop", "migrate")))
	task := getTask(t, c, ns)
	wantVisible(t, task, v1alpha1.ReasonPipelineRunNotCreated, "exceeded quota: compute", "1")
	wantRest(t, c, f, task)

	status := c.Function(t, "status")
	status.Deliver(harness.Ping("resync")) // a Task that waits for its run has lost none
	wantVisible(t, getTask(t, c, ns), v1alpha1.ReasonPipelineRunNotCreated, "exceeded quota: compute", "1")

	raise(t, c, ns, runs, "1")
	runsAfter(t, c, f, ns)
}

// TestATaskThatAPolicyRefusesWaits: whoever made the policy may change it.
func TestATaskThatAPolicyRefusesWaits(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "waiting")
	c.App(t, ns, "shop")
	fail, equivalent := admissionv1.Fail, admissionv1.Equivalent
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: ns}, Spec: admissionv1.ValidatingAdmissionPolicySpec{
		FailurePolicy: &fail,
		MatchConstraints: &admissionv1.MatchResources{MatchPolicy: &equivalent, ResourceRules: []admissionv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionv1.RuleWithOperations{Operations: []admissionv1.OperationType{admissionv1.Create}, Rule: admissionv1.Rule{
				APIGroups: []string{"tekton.dev"}, APIVersions: []string{"v1"}, Resources: []string{"pipelineruns"}}}}}},
		Validations: []admissionv1.Validation{{Expression: "false", Message: "no runs on Sundays"}},
	}}
	if _, err := c.Kube.AdmissionregistrationV1().ValidatingAdmissionPolicies().Create(ctx, policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: ns}, Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName: ns, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}}},
	}}
	if _, err := c.Kube.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	remove := func() {
		c.Kube.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Delete(ctx, ns, metav1.DeleteOptions{})
		c.Kube.AdmissionregistrationV1().ValidatingAdmissionPolicies().Delete(ctx, ns, metav1.DeleteOptions{})
	}
	t.Cleanup(remove)
	f := c.Function(t, "runtask")
	harness.Eventually(t, time.Minute, func() error { // the API server takes a moment to know of a policy
		run := probeRun(ns, "probe")
		if _, err := c.Tekton.PipelineRuns(ns).Create(ctx, run, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err == nil {
			return fmt.Errorf("the policy lets runs pass")
		}
		return nil
	})
	f.Deliver(harness.Added("Task", c.Task(t, ns, "shop", "migrate")))
	task := getTask(t, c, ns)
	wantVisible(t, task, v1alpha1.ReasonPipelineRunNotCreated, "no runs on Sundays", "1")
	wantRest(t, c, f, task)
	remove()
	runsAfter(t, c, f, ns)
}

// TestATaskWaitsForTheRunOfAnEarlierOneToGo: its name is the lock, and a finalizer of somebody's, or a slow garbage collector, keeps it.
func TestATaskWaitsForTheRunOfAnEarlierOneToGo(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "waiting")
	c.App(t, ns, "shop")
	earlier := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "migrate", UID: "earlier"}}
	left := probeRun(ns, "migrate")
	left.Finalizers = []string{"kf.dev/test"}
	left.OwnerReferences = []metav1.OwnerReference{v1alpha1.OwnedBy(earlier, "Task")}
	if _, err := c.Tekton.PipelineRuns(ns).Create(ctx, left, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	release := func() {
		c.Tekton.PipelineRuns(ns).Patch(ctx, "migrate", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		c.Tekton.PipelineRuns(ns).Delete(ctx, "migrate", metav1.DeleteOptions{})
	}
	t.Cleanup(release)
	f := c.Function(t, "runtask")
	f.Deliver(harness.Added("Task", c.Task(t, ns, "shop", "migrate")))
	task := getTask(t, c, ns)
	wantVisible(t, task, v1alpha1.ReasonPipelineRunNotCreated, `the PipelineRun "migrate" of an earlier Task is still there`, "1")
	wantRest(t, c, f, task)
	release()
	runsAfter(t, c, f, ns)
}

// TestATaskInANamespaceThatIsGoingAwayEnds, and one that is terminated while it waits does so too.
func TestATaskInANamespaceThatIsGoingAwayEnds(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "waiting")
	app := c.App(t, ns, "shop")
	hold := []byte(`{"metadata":{"finalizers":["kf.dev/test"]}}`)
	release := []byte(`{"metadata":{"finalizers":null}}`)
	task := c.Task(t, ns, "shop", "migrate")
	patch := func(p []byte) {
		c.Kf.Apps(ns).Patch(ctx, app.Name, types.MergePatchType, p, metav1.PatchOptions{})
		c.Kf.Tasks(ns).Patch(ctx, task.Name, types.MergePatchType, p, metav1.PatchOptions{})
	}
	patch(hold)
	t.Cleanup(func() { patch(release) })
	f := c.Function(t, "runtask")
	deleted := false
	f.Proxy.Inject(func(r harness.Request) harness.Fault {
		if r.Is(http.MethodGet, "/apps/shop") && !deleted {
			deleted = true
			return harness.Fault{Then: func() { c.Kube.CoreV1().Namespaces().Delete(ctx, ns, metav1.DeleteOptions{}) }}
		}
		return harness.Fault{}
	})
	f.Deliver(harness.Added("Task", task))
	if got := reason(getTask(t, c, ns)); got != "False "+v1alpha1.ReasonSpaceTerminating {
		t.Errorf("%q, want it to have ended as %s", got, v1alpha1.ReasonSpaceTerminating)
	}
}

// TestATaskThatIsTerminatedWhileItWaitsEnds, though its name can't be taken.
func TestATaskThatIsTerminatedWhileItWaitsEnds(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "waiting")
	c.App(t, ns, "shop")
	quota(t, c, ns, runs, "0")
	f := c.Function(t, "runtask")
	f.Deliver(harness.Added("Task", c.Task(t, ns, "shop", "migrate")))
	task, err := c.Kf.Tasks(ns).Patch(ctx, "migrate", types.MergePatchType, []byte(`{"spec":{"terminated":true}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.Deliver(harness.Updated("Task", task))
	if task = getTask(t, c, ns); task.Outcome() != v1alpha1.TaskTerminated || task.Status.ID != 1 {
		t.Errorf("%s, ID %d: want it terminated", reason(task), task.Status.ID)
	}
	raise(t, c, ns, runs, "1")
	f.Deliver(harness.Ping("resync"))
	made, err := c.Tekton.PipelineRuns(ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range made.Items {
		if !run.IsCancelled() { // one that is takes the name, and never starts
			t.Error("it was started after its end")
		}
	}
}

// TestATaskWaitsForItsServiceAccount: that of a namespace takes a moment to be there, and Tekton ends a run that finds none.
func TestATaskWaitsForItsServiceAccount(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "waiting")
	app := c.App(t, ns, "shop")
	if _, err := c.Kf.Apps(ns).Patch(ctx, app.Name, types.MergePatchType, []byte(`{"spec":{"template":{"spec":{"serviceAccountName":"robot"}}}}`),
		metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	f := c.Function(t, "runtask")
	f.Deliver(harness.Added("Task", c.Task(t, ns, "shop", "migrate")))
	task := getTask(t, c, ns)
	wantVisible(t, task, v1alpha1.ReasonServiceAccountMissing, `"robot"`, "1")
	wantRest(t, c, f, task)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "robot"}}
	if _, err := c.Kube.CoreV1().ServiceAccounts(ns).Create(ctx, account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	runsAfter(t, c, f, ns)
}

func probeRun(ns, name string) *tekton.PipelineRun {
	return &tekton.PipelineRun{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns}, Spec: tekton.PipelineRunSpec{PipelineSpec: &tekton.PipelineSpec{
		Tasks: []tekton.PipelineTask{{Name: "a", TaskSpec: &tekton.EmbeddedTask{TaskSpec: tekton.TaskSpec{
			Steps: []tekton.Step{{Name: "a", Image: "i", Command: []string{"c"}}}}}}}}}}
}
