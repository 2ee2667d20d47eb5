package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

const aDigest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// newSource is an App as `kf push` from a folder makes it.
func newSource(namespace, app string) *v1alpha1.App {
	a := harness.NewApp(namespace, app, "")
	a.Spec.Build = v1alpha1.AppSpecBuild{UpdateRequests: 1, Spec: &v1alpha1.BuildSpec{
		BuildTaskRef: v1alpha1.BuildTaskRef{Name: v1alpha1.BuildpackV3Task, Kind: v1alpha1.BuiltinTaskKind, APIVersion: v1alpha1.BuiltinTaskAPIVersion},
		Params:       []v1alpha1.BuildParam{{Name: v1alpha1.ParamSourceImage, Value: "registry.example/src@sha256:" + aDigest}},
	}}
	return a
}

// anAppWithSource is one that nobody has built yet.
func anAppWithSource(w *harness.World, _ *harness.Function) work {
	settings(w, w.Cluster, harness.SystemNamespace, map[string]string{"containerRegistry": "registry.example/kf", "builderImage": "registry.example/builder:1"})
	withAccount(w)
	app, err := w.Kf.Apps(w.Namespace).Create(ctx, newSource(w.Namespace, "shop"), metav1.CreateOptions{})
	w.Must(err)
	return work{event: harness.Added("App", app), ended: func() error {
		runs, err := w.Tekton.PipelineRuns(w.Namespace).List(ctx, metav1.ListOptions{})
		w.Must(err)
		app, err := w.Kf.Apps(w.Namespace).Get(ctx, "shop", metav1.GetOptions{})
		w.Must(err)
		if len(runs.Items) != 1 || runs.Items[0].Name != build.Name(app) || !build.Owned(&runs.Items[0], app) {
			return fmt.Errorf("%d runs, want one that builds the App", len(runs.Items))
		}
		if r := v1alpha1.Reason(app.Status.Conditions, v1alpha1.ConditionBuildReady); r != v1alpha1.ReasonBuilding || app.Status.BuildName != runs.Items[0].Name {
			return fmt.Errorf("status %+v, want it to be built", app.Status)
		}
		return nil
	}}
}

// withAccount returns when a new namespace has its service account, which builds wait for.
func withAccount(w *harness.World) {
	w.Helper()
	harness.Eventually(w, time.Minute, func() error {
		_, err := w.Kube.CoreV1().ServiceAccounts(w.Namespace).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// settings writes the settings of builds into a namespace, where whoever has a login may read them.
func settings(t testing.TB, c *harness.Cluster, namespace string, data map[string]string) {
	t.Helper()
	m := metav1.ObjectMeta{Name: build.ConfigMap, Namespace: namespace}
	maps := c.Kube.CoreV1().ConfigMaps(namespace)
	_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: m, Data: data}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = maps.Update(ctx, &corev1.ConfigMap{ObjectMeta: m, Data: data}, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	if namespace == harness.SystemNamespace { // config/rbac says who may
		t.Cleanup(func() { _ = maps.Delete(ctx, build.ConfigMap, metav1.DeleteOptions{}) })
		return
	}
	_, err = c.Kube.RbacV1().Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: m, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{build.ConfigMap}, Verbs: []string{"get"}}}}, metav1.CreateOptions{})
	if err == nil {
		_, err = c.Kube.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: m,
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: build.ConfigMap},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:authenticated"}}}, metav1.CreateOptions{})
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// buildWorld is a Space whose Apps are built from source, where Tekton is played.
type buildWorld struct {
	*harness.World
	f        *harness.Function
	registry string // where built images are
	settings string // the namespace
}

func newBuildWorld(t *testing.T, data map[string]string) *buildWorld {
	t.Helper()
	w := &buildWorld{World: harness.NewWorld(t)}
	withAccount(w.World)
	w.settings = w.Cluster.Namespace(t, "settings")
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	w.registry = strings.TrimPrefix(server.URL, "http://")
	all := map[string]string{"containerRegistry": w.registry + "/kf", "builderImage": "registry.example/builder:1", "keep": "2"}
	for k, v := range data {
		all[k] = v
	}
	settings(t, w.Cluster, w.settings, all)
	w.f = w.Function(t, "build", "SETTINGS_NAMESPACE="+w.settings, "STEP_IMAGE=registry.example/step@sha256:"+aDigest)
	return w
}

func (w *buildWorld) create() *v1alpha1.App {
	w.Helper()
	app, err := w.Kf.Apps(w.Namespace).Create(ctx, newSource(w.Namespace, "shop"), metav1.CreateOptions{})
	w.Must(err)
	w.f.Deliver(harness.Added("App", app))
	return w.app()
}

func (w *buildWorld) app() *v1alpha1.App {
	w.Helper()
	app, err := w.Kf.Apps(w.Namespace).Get(ctx, "shop", metav1.GetOptions{})
	w.Must(err)
	return app
}

// change changes the App's build, as its user does, and delivers that.
func (w *buildWorld) change(b map[string]any) *v1alpha1.App {
	w.Helper()
	app, err := client.Merge(ctx, w.Kf.Apps(w.Namespace), w.app(), client.Change{Spec: map[string]any{"build": b}})
	w.Must(err)
	w.f.Deliver(harness.Updated("App", app))
	return w.app()
}

func (w *buildWorld) run(of string) *tekton.PipelineRun {
	w.Helper()
	run, err := client.Find(ctx, w.Tekton.PipelineRuns(w.Namespace), w.Namespace, of)
	w.Must(err)
	if run == nil {
		w.Fatalf("there is no run %q", of)
	}
	return run
}

// succeed plays a build that has made an image with such a worker, and tells of it unless that is lost.
func (w *buildWorld) succeed(of, worker string, lost bool) (digest string) {
	w.Helper()
	run := w.run(of)
	ref, err := name.ParseReference(run.Annotations[v1alpha1.ImageAnnotation])
	w.Must(err)
	image, err := mutate.Config(empty.Image, v1.Config{Entrypoint: []string{"/cnb/process/web"}, Env: []string{"CNB_APP_DIR=/app"},
		Labels: map[string]string{"io.buildpacks.build.metadata": fmt.Sprintf(`{"processes": [{"type": "web"}, {"type": "worker", "command": [%q]}]}`, worker)}})
	w.Must(err)
	w.Must(remote.Write(ref, image))
	hash, err := image.Digest()
	w.Must(err)
	run, err = w.Tekton.PipelineRuns(w.Namespace).Patch(ctx, of, types.MergePatchType, fmt.Appendf(nil,
		`{"status":{"results":[{"name":"IMAGE_DIGEST","value":%q}],"conditions":[{"type":"Succeeded","status":"True","reason":"Succeeded","lastTransitionTime":%q}]}}`,
		hash, time.Now().UTC().Format(time.RFC3339)), metav1.PatchOptions{}, "status")
	w.Must(err)
	w.tell(run, lost)
	return hash.String()
}

// fail plays a build that has failed as the step program tells it.
func (w *buildWorld) fail(of, told string, lost bool) {
	w.Helper()
	now, run := time.Now().UTC().Format(time.RFC3339), w.run(of)
	taskRun, err := w.Tekton.TaskRuns(w.Namespace).Create(ctx, &tekton.TaskRun{ObjectMeta: metav1.ObjectMeta{Name: of + "-t",
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(run, tekton.SchemeGroupVersion.WithKind("PipelineRun"))}},
		Spec: tekton.TaskRunSpec{TaskSpec: &run.Spec.PipelineSpec.Tasks[0].TaskSpec.TaskSpec}}, metav1.CreateOptions{})
	w.Must(err)
	value, err := json.Marshal(told)
	w.Must(err)
	_, err = w.Tekton.TaskRuns(w.Namespace).Patch(ctx, taskRun.Name, types.MergePatchType, fmt.Appendf(nil,
		`{"status":{"podName":"","results":[{"name":"LOG","type":"string","value":%s}]}}`, value), metav1.PatchOptions{}, "status")
	w.Must(err)
	run, err = w.Tekton.PipelineRuns(w.Namespace).Patch(ctx, of, types.MergePatchType, fmt.Appendf(nil,
		`{"status":{"childReferences":[{"name":%q,"pipelineTaskName":"build"}],"conditions":[{"type":"Succeeded","status":"False","reason":"Failed","lastTransitionTime":%q}]}}`,
		taskRun.Name, now), metav1.PatchOptions{}, "status")
	w.Must(err)
	w.tell(run, lost)
}

func (w *buildWorld) tell(run *tekton.PipelineRun, lost bool) {
	w.Helper()
	if lost {
		w.f.Deliver(harness.Ping("resync"))
		return
	}
	w.f.Deliver(harness.Updated("PipelineRun", run))
	w.f.Deliver(harness.Updated("PipelineRun", run)) // doubled
}

// want compares conditions, as "status reason", and what the message of the first holds.
func (w *buildWorld) want(app *v1alpha1.App, buildReady, ready, message string) {
	w.Helper()
	said := func(of string) (string, string) {
		c := meta.FindStatusCondition(app.Status.Conditions, of)
		if c == nil {
			return "", ""
		}
		return string(c.Status) + " " + c.Reason, c.Message
	}
	b, m := said(v1alpha1.ConditionBuildReady)
	if r, _ := said(v1alpha1.ConditionReady); b != buildReady || r != ready || !strings.Contains(m, message) {
		w.Errorf("BuildReady %q, Ready %q, %q; want %q, %q, %q", b, r, m, buildReady, ready, message)
	}
}

// TestAnAppIsBuiltFromSource, whether events come twice, or none at all; one that fails later keeps its image.
func TestAnAppIsBuiltFromSource(t *testing.T) {
	for name, lost := range map[string]bool{"events": false, "no events": true} {
		t.Run(name, func(t *testing.T) {
			w := newBuildWorld(t, nil)
			app := w.create()
			w.want(app, "Unknown Building", "Unknown Building", app.Status.BuildName)
			w.f.Deliver(harness.Updated("App", app))
			digest := w.succeed(app.Status.BuildName, "bin/one", lost)
			first, image := app.Status.BuildName, w.registry+"/kf/app-"+w.Namespace+".shop@"+digest
			app = w.app()
			w.want(app, "True Built", "True ImageReady", "")
			if app.Status.Image != image || app.Status.StartCommands.Shell != v1alpha1.ShellLauncher || len(app.Status.Processes) != 2 ||
				app.Status.Processes[1].Command[0] != "bin/one" {
				t.Errorf("%+v, want the image %s with its process types", app.Status, image)
			}

			app = w.change(map[string]any{"updateRequests": 2})
			w.want(app, "Unknown Building", "True ImageReady", "")
			if app.Status.BuildName == first {
				t.Errorf("pushed again it is still %s", first)
			}
			w.fail(app.Status.BuildName, "detect failed with exit code 20:\nno buildpack \x1b[31m", lost)
			app = w.app()
			w.want(app, "False BuildFailed", "True ImageReady", "detect failed with exit code 20: | no buildpack")
			if app.Status.Image != image || app.Status.Processes[1].Command[0] != "bin/one" {
				t.Errorf("a build that failed took the image away: %+v", app.Status)
			}
			w.f.Proxy.Inject(nil)
			w.f.Deliver(harness.Updated("App", app))
			w.f.Deliver(harness.Ping("resync"))
			for _, r := range w.f.Proxy.Requests() { // the ping is about other Spaces as well
				if r.Write > 0 && strings.Contains(r.Path, "/"+w.Namespace+"/") {
					t.Errorf("what has failed is tried again by itself: %s %s", r.Method, r.Path)
				}
			}
		})
	}
}

// TestABuildThatIsGone: somebody has deleted its run; that is a failure, and the next push builds under another name.
func TestABuildThatIsGone(t *testing.T) {
	w := newBuildWorld(t, nil)
	app := w.create()
	first := w.run(app.Status.BuildName)
	w.Must(w.Tekton.PipelineRuns(w.Namespace).Delete(ctx, first.Name, metav1.DeleteOptions{}))
	w.f.Deliver(harness.Deleted("PipelineRun", first))
	w.want(w.app(), "False BuildFailed", "False BuildFailed", "was deleted")
	app = w.change(map[string]any{"updateRequests": 2})
	w.want(app, "Unknown Building", "Unknown Building", "")
	if w.run(app.Status.BuildName); app.Status.BuildName == first.Name {
		t.Error("under the same name")
	}
}

// TestTheNewestBuildCounts: those that it supersedes are cancelled, what they make is nobody's, and of those that have ended few stay.
func TestTheNewestBuildCounts(t *testing.T) {
	w := newBuildWorld(t, nil)
	app := w.create()
	first := app.Status.BuildName
	app = w.change(map[string]any{"updateRequests": 2})
	second := app.Status.BuildName
	if !w.run(first).IsCancelled() || w.run(second).IsCancelled() {
		t.Error("the older build goes on, or the newer does not")
	}
	w.succeed(first, "bin/old", false) // it had ended just before
	w.want(w.app(), "Unknown Building", "Unknown Building", second)
	w.succeed(second, "bin/new", false)
	if app = w.app(); app.Status.Processes[1].Command[0] != "bin/new" {
		t.Errorf("%+v", app.Status)
	}
	for i := range 3 {
		app = w.change(map[string]any{"updateRequests": 3 + i})
		w.succeed(app.Status.BuildName, "bin/new", i == 0)
	}
	runs, err := w.Tekton.PipelineRuns(w.Namespace).List(ctx, metav1.ListOptions{})
	w.Must(err)
	if len(runs.Items) != 2 {
		t.Errorf("%d runs are kept, want 2", len(runs.Items))
	}
	w.run(app.Status.BuildName)
}

// TestABuildWaitsForWhatItLacks, says for what, and starts when it is there.
func TestABuildWaitsForWhatItLacks(t *testing.T) {
	w := newBuildWorld(t, map[string]string{"containerRegistry": ""})
	app := w.create()
	w.want(app, "Unknown BuildNotStarted", "Unknown BuildNotStarted", "set containerRegistry")
	settings(t, w.Cluster, w.settings, map[string]string{"containerRegistry": "a b"})
	w.f.Deliver(harness.Ping("resync"))
	w.want(w.app(), "Unknown BuildNotStarted", "Unknown BuildNotStarted", `containerRegistry "a b"`)
	settings(t, w.Cluster, w.settings, map[string]string{"containerRegistry": "registry.example/kf", "builderImage": "registry.example/builder:1"})
	w.f.Deliver(harness.Ping("resync"))
	app = w.app()
	w.want(app, "Unknown Building", "Unknown Building", "")
	w.run(app.Status.BuildName)
}

// TestWhatCantBeBuiltIsSaid, once; changed, it is built.
func TestWhatCantBeBuiltIsSaid(t *testing.T) {
	w := newBuildWorld(t, nil)
	app := newSource(w.Namespace, "shop")
	app.Spec.Build.Spec.Params[0].Value = "$(context.pipelineRun.name)"
	app, err := w.Kf.Apps(w.Namespace).Create(ctx, app, metav1.CreateOptions{})
	w.Must(err)
	w.f.Deliver(harness.Added("App", app))
	w.want(w.app(), "False InvalidBuild", "False InvalidBuild", "SOURCE_IMAGE")
	app = w.change(map[string]any{"spec": map[string]any{"params": []any{map[string]any{"name": "SOURCE_IMAGE", "value": "registry.example/src:1"}}}})
	w.want(app, "Unknown Building", "Unknown Building", "")
}

// TestAnotherHasTheNameOfABuild: it is left alone, and what to do is said.
func TestAnotherHasTheNameOfABuild(t *testing.T) {
	w := newBuildWorld(t, nil)
	app, err := w.Kf.Apps(w.Namespace).Create(ctx, newSource(w.Namespace, "shop"), metav1.CreateOptions{})
	w.Must(err)
	_, err = w.Tekton.PipelineRuns(w.Namespace).Create(ctx, &tekton.PipelineRun{ObjectMeta: metav1.ObjectMeta{Name: build.Name(app), Labels: build.Labels("shop")},
		Spec: tekton.PipelineRunSpec{PipelineRef: &tekton.PipelineRef{Name: "theirs"}}}, metav1.CreateOptions{})
	w.Must(err)
	w.f.Deliver(harness.Added("App", app))
	w.want(w.app(), "False InvalidBuild", "False InvalidBuild", "delete it, and push again")
	if w.run(build.Name(app)).IsCancelled() {
		t.Error("another's run was cancelled")
	}
}

// TestRebase puts another digest into the status without a build; one that fails leaves the image.
func TestRebase(t *testing.T) {
	w := newBuildWorld(t, nil)
	app := w.create()
	w.succeed(app.Status.BuildName, "bin/one", false)
	built := w.app().Status.Image
	for i, lost := range []bool{false, true} {
		app = w.change(map[string]any{"rebaseRequests": i + 1})
		w.want(app, "Unknown Rebasing", "True ImageReady", app.Status.RebaseName)
		run := w.run(app.Status.RebaseName)
		if steps := run.Spec.PipelineSpec.Tasks[0].TaskSpec.Steps; len(steps) != 2 || !slices.Contains(steps[1].Args, w.app().Status.Image) {
			t.Errorf("steps %+v, want a rebase of %s", steps, built)
		}
		w.succeed(run.Name, fmt.Sprintf("bin/rebased-%d", i), lost)
		app = w.app()
		w.want(app, "True Rebased", "True ImageReady", "")
		if app.Status.Image == built {
			t.Error("the image is the one that was built")
		}
	}
	rebased := app.Status.Image
	app = w.change(map[string]any{"rebaseRequests": 3})
	w.fail(app.Status.RebaseName, "rebase failed with exit code 3", false)
	app = w.app()
	w.want(app, "False RebaseFailed", "True ImageReady", "exit code 3")
	if app.Status.Image != rebased {
		t.Error("a rebase that failed took the image away")
	}
}

// TestAnAppThatIsNotBuiltAnyMore runs the image that it names, and its build is cancelled.
func TestAnAppThatIsNotBuiltAnyMore(t *testing.T) {
	w := newBuildWorld(t, nil)
	app := w.create()
	name, image := app.Status.BuildName, pushed(t)
	app = w.change(map[string]any{"image": image, "spec": nil})
	w.want(app, "True ImageReady", "True ImageReady", "")
	if app.Status.Image != image || app.Status.BuildName != "" || !w.run(name).IsCancelled() {
		t.Errorf("%+v", app.Status)
	}
}

// TestAnAppThatIsPushedWhileItIsLookedAt: nothing is said of its source before somebody has looked at that.
func TestAnAppThatIsPushedWhileItIsLookedAt(t *testing.T) {
	w := newBuildWorld(t, nil)
	app, err := w.Kf.Apps(w.Namespace).Create(ctx, harness.NewApp(w.Namespace, "shop", v1alpha1.PlaceholderImage), metav1.CreateOptions{})
	w.Must(err)
	var pushed sync.Once
	w.f.Proxy.Inject(func(r harness.Request) harness.Fault {
		if r.Is(http.MethodPatch, "/apps/shop/status") {
			pushed.Do(func() {
				_, err := client.Merge(ctx, w.Kf.Apps(w.Namespace), w.app(), client.Change{Spec: map[string]any{"build": map[string]any{
					"image": nil, "spec": newSource(w.Namespace, "shop").Spec.Build.Spec}}})
				if err != nil {
					t.Error(err)
				}
			})
		}
		return harness.Fault{}
	})
	w.f.Deliver(harness.Added("App", app))
	w.f.Proxy.Inject(nil)
	if app = w.app(); app.Status.ObservedGeneration == app.Generation || app.Generation == 1 {
		t.Errorf("its source was not looked at, and the App says: %+v", app.Status)
	}
	w.f.Deliver(harness.Updated("App", app))
	w.want(w.app(), "Unknown Building", "Unknown Building", "")
}
