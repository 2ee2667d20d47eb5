package integration

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

const builtDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// build plays the function build: a PipelineRun that builds an App.
func (c *cli) build(app *v1alpha1.App, name string) *tekton.PipelineRun {
	c.Helper()
	run := &tekton.PipelineRun{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{v1alpha1.ComponentLabel: "build", v1alpha1.NameLabel: app.Name},
		Annotations:     map[string]string{"tasks.kf.dev/image": "registry.example:5000/kf/app-" + app.Name + ":build-1"},
		OwnerReferences: []metav1.OwnerReference{v1alpha1.OwnedBy(app, "App")},
	}}
	run.Spec.PipelineSpec = &tekton.PipelineSpec{Tasks: []tekton.PipelineTask{{Name: "build", TaskSpec: &tekton.EmbeddedTask{
		TaskSpec: tekton.TaskSpec{Steps: []tekton.Step{{Name: "detect", Image: "registry.example/builder"}}}}}}}
	run, err := c.Tekton.PipelineRuns(c.space).Create(c.Context(), run, metav1.CreateOptions{})
	if err != nil {
		c.Fatal(err)
	}
	return run
}

// tried plays Tekton: the run has ended 65 s after it started, and its TaskRun has left a result.
func (c *cli) tried(run *tekton.PipelineRun, status corev1.ConditionStatus, reason, message, digest, log string) {
	c.Helper()
	began := metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	ended := metav1.NewTime(began.Add(65 * time.Second))
	result := func(name, value string) string {
		if value == "" {
			return "[]"
		}
		return `[{"name": ` + quoted(name) + `, "value": ` + quoted(value) + `}]`
	}
	condition := `[{"type": "Succeeded", "status": ` + quoted(string(status)) + `, "reason": ` + quoted(reason) + `, "message": ` + quoted(message) + `,
	  "lastTransitionTime": ` + quoted(ended.Format(time.RFC3339)) + `}]`
	times := `"startTime": ` + quoted(began.Format(time.RFC3339)) + `, "completionTime": ` + quoted(ended.Format(time.RFC3339))
	patch := `{"status": {` + times + `, "conditions": ` + condition + `, "results": ` + result("IMAGE_DIGEST", digest) + `}}`
	if _, err := c.Tekton.PipelineRuns(c.space).Patch(c.Context(), run.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status"); err != nil {
		c.Fatal(err)
	}
	taskRun := &tekton.TaskRun{ObjectMeta: metav1.ObjectMeta{Name: run.Name + "-build", Labels: map[string]string{"tekton.dev/pipelineRun": run.Name}}}
	taskRun.Spec.TaskSpec = &run.Spec.PipelineSpec.Tasks[0].TaskSpec.TaskSpec
	if _, err := c.Tekton.TaskRuns(c.space).Create(c.Context(), taskRun, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
	patch = `{"status": {"results": ` + result("LOG", log) + `}}`
	if _, err := c.Tekton.TaskRuns(c.space).Patch(c.Context(), taskRun.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status"); err != nil {
		c.Fatal(err)
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// TestKfListsBuilds: of an App or of the Space, newest first, in every form of a list; what others wrote in them is inert.
func TestKfListsBuilds(t *testing.T) {
	c := newCLI(t)
	shop, bakery := c.App(t, c.space, "shop"), c.App(t, c.space, "bakery")
	if out := c.kf("builds"); strings.Count(out, "\n") != 1 {
		t.Errorf("there is no build, and\n%s", out)
	}
	c.tried(c.build(shop, "shop-build-000000000001"), corev1.ConditionTrue, "Succeeded", "", builtDigest, "")
	c.tried(c.build(bakery, "bakery-build-000000000001"), corev1.ConditionFalse, "Failed", hostile, "", "")
	c.build(shop, "shop-build-000000000002")
	if _, err := c.Tekton.PipelineRuns(c.space).Create(t.Context(), &tekton.PipelineRun{
		ObjectMeta: metav1.ObjectMeta{Name: "no-build", Labels: map[string]string{v1alpha1.NameLabel: "shop"}},
		Spec:       tekton.PipelineRunSpec{PipelineRef: &tekton.PipelineRef{Name: "theirs"}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	all := c.kf("builds")
	if strings.Count(all, "\n") != 4 || strings.Contains(all, "no-build") {
		t.Errorf("three builds:\n%s", all)
	}
	c.has(all, "Name App Succeeded Reason Started Duration Image", "bakery-build-000000000001 bakery False Failed 2026-03-01T12:00:00Z 1m5s")
	c.has(c.kf("builds", "shop", "-o", "wide"), "Name App Succeeded Reason Started Duration Image Repository Message",
		"shop-build-000000000001 shop True Succeeded 2026-03-01T12:00:00Z 1m5s "+builtDigest+" registry.example:5000/kf/app-shop")
	if out := c.kf("builds", "shop"); strings.Contains(out, "bakery") || !strings.Contains(out, builtDigest) || !strings.Contains(out, "shop-build-000000000002   shop   Unknown     Pending") {
		t.Errorf("the builds of one App:\n%s", out)
	}
	if out := c.kf("builds", "bakery", "-o", "name"); out != "pipelinerun.tekton.dev/bakery-build-000000000001\n" {
		t.Errorf("%q", out)
	}
	var list struct{ Items []tekton.PipelineRun }
	if err := json.Unmarshal([]byte(c.kf("builds", "shop", "-o", "json")), &list); err != nil || len(list.Items) != 2 || list.Items[0].Labels[v1alpha1.NameLabel] != "shop" {
		t.Errorf("%d items, %v", len(list.Items), err)
	}
	c.has(c.kf("builds", "shop", "-o", "jsonpath={.items[*].metadata.name}"), "shop-build-000000000001")
	c.has(c.refused("builds", "nope"), `there is no App "nope"`)
	c.has(c.member("view").kf("builds", "bakery"), "bakery-build-000000000001")
}

// TestKfSaysWhatIsLeftOfABuild whose Pod is gone: the step program's words, else the App's, else Tekton's; and what to do where there is none.
func TestKfSaysWhatIsLeftOfABuild(t *testing.T) {
	c := newCLI(t)
	shop := c.App(t, c.space, "shop")
	c.has(c.refused("build-logs", "shop"), `there is no build of App "shop": kf push builds one from source`)
	said := func(args ...string) string {
		t.Helper()
		out, said, code := c.RunKf(t, c.space, append([]string{"build-logs", "shop"}, args...)...)
		if code != 0 || out != "" {
			t.Errorf("exit code %d\n%s%s", code, out, said)
		}
		c.inert(said)
		return said
	}
	first := c.build(shop, "shop-build-000000000001")
	c.tried(first, corev1.ConditionTrue, "Succeeded", "", builtDigest, "")
	c.has(said(), "the Pod of build shop-build-000000000001 is gone, and its log with it",
		"build shop-build-000000000001: Succeeded, image registry.example:5000/kf/app-shop@"+builtDigest)

	c.later(first)
	second := c.build(shop, "shop-build-000000000002")
	c.has(said(), "build shop-build-000000000002 has not started; --follow waits for it", "goes on: Pending")
	c.tried(second, corev1.ConditionFalse, "Failed", "Tasks Completed: 1", "", "detect: exit code 20\n"+hostile)
	c.has(said("-f"), "is gone", "build shop-build-000000000002: Failed: detect: exit code 20")
	c.has(said("--build", "shop-build-000000000001"), "Succeeded, image")
	c.has(c.refused("build-logs", "shop", "--build", "bakery-build-1"), `there is no build "bakery-build-1" of App "shop"; there is: shop-build-000000000002, shop-build-000000000001`)

	c.later(second)
	third := c.build(shop, "shop-build-000000000003")
	c.tried(third, corev1.ConditionFalse, "PipelineRunTimeout", "failed to finish within 1h", "", "")
	c.has(said(), "build shop-build-000000000003: PipelineRunTimeout: failed to finish within 1h")
	_, err := client.PatchStatus(t.Context(), c.Kf.Apps(c.space), shop, func(a *v1alpha1.App) {
		meta.SetStatusCondition(&a.Status.Conditions, metav1.Condition{Type: "BuildReady", Status: metav1.ConditionFalse, Reason: "BuildFailed", Message: "it took longer than 1h"})
	})
	if err != nil {
		t.Fatal(err)
	}
	c.has(said(), "build shop-build-000000000003: PipelineRunTimeout: it took longer than 1h")
}

// later waits until what is made is younger than a build: times of creation have whole seconds, and the newest build is the one shown.
func (c *cli) later(than *tekton.PipelineRun) {
	c.Helper()
	harness.Eventually(c, time.Minute, func() error {
		if time.Since(than.CreationTimestamp.Time) < time.Second {
			return errors.New("it is the same second")
		}
		return nil
	})
}
