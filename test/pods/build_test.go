package pods

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// built is a Space that enforces Pod Security "restricted", whose Apps are built on the node.
type built struct {
	*writers
	settings string
}

func newBuilt(t *testing.T) *built {
	t.Helper()
	w := newWriters(t)
	b := &built{writers: w, settings: w.c.Namespace(t, "settings")}
	b.put(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`)
	data := builderImages(t)
	host, _, _ := strings.Cut(registry(t), "/")
	data["containerRegistry"], data["insecureRegistries"], data["memory"] = registry(t)+"/"+w.ns, host, "512Mi"
	m := metav1.ObjectMeta{Name: build.ConfigMap, Namespace: b.settings}
	for _, err := range []error{
		second(w.c.Kube.CoreV1().ConfigMaps(b.settings).Create(ctx, &corev1.ConfigMap{ObjectMeta: m, Data: data}, metav1.CreateOptions{})),
		second(w.c.Kube.RbacV1().Roles(b.settings).Create(ctx, &rbacv1.Role{ObjectMeta: m, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{build.ConfigMap}, Verbs: []string{"get"}}}}, metav1.CreateOptions{})),
		second(w.c.Kube.RbacV1().RoleBindings(b.settings).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: m,
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: build.ConfigMap},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:authenticated"}}}, metav1.CreateOptions{})),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.pinged("build", "SETTINGS_NAMESPACE="+b.settings, "STEP_IMAGE="+registry(t)+"/step:latest")
	return b
}

// builderImages are the builder and the run image of the cluster's registry.
func builderImages(t *testing.T) map[string]string {
	t.Helper()
	data := map[string]string{}
	of, err := os.ReadFile(filepath.Join(harness.Root(), "dist", "builder.yaml"))
	if err == nil {
		err = yaml.Unmarshal(of, &data)
	}
	if err != nil {
		t.Fatalf("no builder image; hack/builder.sh makes one: %v", err)
	}
	return data
}

func second[T any](_ T, err error) error { return err }

// put changes the Space's namespace.
func (b *built) put(patch string) {
	b.t.Helper()
	if _, err := b.c.Kube.CoreV1().Namespaces().Patch(ctx, b.ns, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

// source pushes the files of test/fixtures/shop, more and less some, as `kf push` does, and returns the image.
func (b *built) source(more map[string]string, less ...string) string {
	b.t.Helper()
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	dir := filepath.Join(harness.Root(), "test", "fixtures", "shop")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.Contains(less, d.Name()) {
			return err
		}
		file, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if err := w.WriteHeader(&tar.Header{Name: "var/run/kontext/" + rel, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(file))}); err != nil {
			return err
		}
		_, err = w.Write(file)
		return err
	})
	for file, text := range more {
		if err == nil {
			err = w.WriteHeader(&tar.Header{Name: "var/run/kontext/" + file, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))})
		}
		if err == nil {
			_, err = io.WriteString(w, text)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil })
	if err != nil {
		b.t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.pushed(image, "src")
}

func (b *built) pushed(image v1.Image, as string) string {
	b.t.Helper()
	ref, err := name.ParseReference(registry(b.t)+"/"+b.ns+"/"+as+":1", name.Insecure)
	if err == nil {
		err = remote.Write(ref, image)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		b.t.Fatal(err)
	}
	return ref.Context().Digest(digest.String()).Name()
}

// becomes waits for what becomes of a build, which is to be one of some, and returns the App.
func (b *built) becomes(app string, want ...string) *v1alpha1.App {
	b.t.Helper()
	var now *v1alpha1.App
	harness.Eventually(b.t, 4*time.Minute, func() (err error) {
		if now, err = b.c.Kf.Apps(b.ns).Get(ctx, app, metav1.GetOptions{}); err != nil {
			return err
		}
		c := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionBuildReady)
		if c == nil || now.Status.ObservedGeneration < now.Generation || c.Status == metav1.ConditionUnknown {
			return fmt.Errorf("not yet: %+v", c)
		}
		if !slices.Contains(want, c.Reason) {
			b.t.Fatalf("%s: %s, want %q", c.Reason, c.Message, want)
		}
		return nil
	})
	return now
}

func (b *built) change(app string, to map[string]any) {
	b.t.Helper()
	now, err := b.c.Kf.Apps(b.ns).Get(ctx, app, metav1.GetOptions{})
	if err == nil {
		_, err = client.Merge(ctx, b.c.Kf.Apps(b.ns), now, client.Change{Spec: map[string]any{"build": to}})
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func params(source string) map[string]any {
	return map[string]any{"params": []any{map[string]any{"name": v1alpha1.ParamSourceImage, "value": source}}}
}

// TestAnAppIsBuiltAndRuns: its source becomes an image on a node that enforces "restricted", whose process types Tasks run; a
// build that fails says how and takes nothing away; a rebase makes another image of it.
func TestAnAppIsBuiltAndRuns(t *testing.T) {
	b := newBuilt(t)
	app := b.app("shop", b.source(nil))
	confine(app)
	if _, err := b.c.Kf.Apps(b.ns).Create(ctx, app, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	app = b.becomes("shop", v1alpha1.ReasonBuilt)
	t.Logf("built in %s: %s", time.Since(began).Round(time.Second), app.Status.Image)
	b.runs(app, "first")

	image := app.Status.Image
	for i, failing := range []struct{ source, want string }{
		{b.source(nil, "Procfile", "migrate", "report"), "detect failed with exit code 20"},
		{b.source(map[string]string{"fail-build": ""}), "build failed with exit code 51"},
	} {
		b.change("shop", map[string]any{"updateRequests": 2 + i, "spec": params(failing.source)})
		app = b.becomes("shop", v1alpha1.ReasonBuildFailed)
		said := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionBuildReady).Message
		if app.Status.Image != image || !strings.Contains(said, failing.want) {
			t.Errorf("%s, want %s; image %s", said, failing.want, app.Status.Image)
		}
		t.Log(said)
	}

	began = time.Now()
	b.change("shop", map[string]any{"updateRequests": 4, "spec": params(b.source(nil))})
	b.becomes("shop", v1alpha1.ReasonBuilt)
	t.Logf("built again in %s", time.Since(began).Round(time.Second))
	began = time.Now()
	b.change("shop", map[string]any{"rebaseRequests": 1})
	app = b.becomes("shop", v1alpha1.ReasonRebased)
	t.Logf("rebased in %s: %s", time.Since(began).Round(time.Second), app.Status.Image)
	b.runs(app, "second")
}

// confine has an App's Tasks pass "restricted".
func confine(app *v1alpha1.App) {
	yes, no, user := true, false, int64(1000)
	app.Spec.Template.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &user,
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	app.Spec.Template.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{AllowPrivilegeEscalation: &no,
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
}

// app is an App as `kf push` makes it.
func (b *built) app(name, source string) *v1alpha1.App {
	app := harness.NewApp(b.ns, name, "")
	app.Spec.Build = v1alpha1.AppSpecBuild{UpdateRequests: 1, Spec: &v1alpha1.BuildSpec{
		BuildTaskRef: v1alpha1.BuildTaskRef{Name: v1alpha1.BuildpackV3Task, Kind: v1alpha1.BuiltinTaskKind, APIVersion: v1alpha1.BuiltinTaskAPIVersion},
		Params:       []v1alpha1.BuildParam{{Name: v1alpha1.ParamSourceImage, Value: source}},
	}}
	return app
}

// TestBuildsThatHang: one that hangs has a time limit, and one whose registry is away has failed; one whose Pod is evicted is begun again by
// Tekton, or has failed. Each says so.
func TestBuildsThatHang(t *testing.T) {
	b := newBuilt(t)
	settings := b.c.Kube.CoreV1().ConfigMaps(b.settings)
	if _, err := settings.Patch(ctx, build.ConfigMap, types.MergePatchType, []byte(`{"data":{"timeout":"90s","cpu":"10m"}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	slow, slower := b.source(map[string]string{"slow-build": "15"}), b.source(map[string]string{"slow-build": "600"})
	nowhere, _, _ := strings.Cut(registry(t), ":")
	for name, source := range map[string]string{"hangs": slower, "evicted": slow, "away": nowhere + ":9/src@sha256:" + strings.Repeat("0", 64)} {
		if _, err := b.c.Kf.Apps(b.ns).Create(ctx, b.app(name, source), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	harness.Eventually(t, 2*time.Minute, func() error { return b.evict("evicted") })
	for name, want := range map[string]string{"evicted": "deleted or evicted", "away": "takes no connections", "hangs": "longer than 1m30s"} {
		app := b.becomes(name, v1alpha1.ReasonBuildFailed, map[string]string{"evicted": v1alpha1.ReasonBuilt}[name])
		if app.Status.Image != "" && name == "evicted" {
			t.Logf("%s: begun again, and built", name)
			continue
		}
		said := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionBuildReady).Message
		if said == "" || !strings.Contains(said, want) || app.Status.Image != "" {
			t.Errorf("%s: %q, want %q; image %q", name, said, want, app.Status.Image)
		}
		t.Logf("%s: %s", name, said)
	}
}

// evict evicts the Pod of an App's build, once its step "build" runs.
func (b *built) evict(app string) error {
	pods, err := b.c.Kube.CoreV1().Pods(b.ns).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=build,app.kubernetes.io/name=" + app})
	if err != nil || len(pods.Items) != 1 {
		return fmt.Errorf("%d Pods: %v", len(pods.Items), err)
	}
	pod := &pods.Items[0]
	if pod.Status.Phase != corev1.PodRunning {
		return fmt.Errorf("Pod %s is %s", pod.Name, pod.Status.Phase)
	}
	return b.c.Kube.CoreV1().Pods(b.ns).EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: b.ns}})
}

// runs runs the process types of an App, and one that it has not.
func (b *built) runs(app *v1alpha1.App, as string) {
	b.t.Helper()
	for process, want := range map[string]string{"migrate": "migrated", "report": "order 2: 28.00"} {
		task := harness.NewTask(b.ns, app.Name, as+"-"+process)
		task.Spec.Command, task.Spec.Process = "", process
		task, err := b.c.Kf.Tasks(b.ns).Create(ctx, task, metav1.CreateOptions{})
		if err != nil {
			b.t.Fatal(err)
		}
		b.runtask.Deliver(harness.Added("Task", task))
		b.wrote(task.Name, want)
	}
}
