package pods

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

const registryUser, registryPassword = "pusher", "correct-horse-7319"

// private is a registry that asks everybody for a password.
type private struct {
	host    string
	refused atomic.Int64 // requests without it
}

// newPrivate starts one where Pods reach it.
func newPrivate(t *testing.T) *private {
	t.Helper()
	listener := listen(t)
	p := &private{host: listener.Addr().String()}
	images := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != registryUser || password != registryPassword {
			p.refused.Add(1)
			w.Header().Set("WWW-Authenticate", `Basic realm="private"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
			return
		}
		images.ServeHTTP(w, r)
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return p
}

func (p *private) auth() authn.Authenticator {
	return &authn.Basic{Username: registryUser, Password: registryPassword}
}

// layer is a layer with these files, by their paths; all may be read and run.
func layer(t *testing.T, files map[string][]byte) v1.Layer {
	t.Helper()
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	for path, b := range files {
		if err := w.WriteHeader(&tar.Header{Name: path, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(b))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// with is an image of the cluster's registry with more files in it, pushed beside it.
func (b *built) with(image, as string, files map[string][]byte) string {
	b.t.Helper()
	ref, err := name.ParseReference(image, name.Insecure)
	if err != nil {
		b.t.Fatal(err)
	}
	of, err := remote.Image(ref)
	if err == nil {
		of, err = mutate.AppendLayers(of, layer(b.t, files))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return b.pushed(of, as)
}

// spy is a buildpack that looks for the registry's password wherever it can, as it is and as Docker's configuration has it: in what a
// file of credentials could be, and in what processes were started with. It is written so that it does not find itself; what it is to
// find, for it to be worth something, is in the source.
func spy() []byte {
	auth := base64.StdEncoding.EncodeToString([]byte(registryUser + ":" + registryPassword))
	return fmt.Appendf(nil, `#!/bin/sh
echo "spy begins as $(id -u)"
p=%[1]s a=%[3]s
p=${p}%[2]s a=${a}%[4]s
find / \( -path /proc -o -path /sys \) -prune -o -type f -size -1024k -exec grep -lF -e "$p" -e "$a" {} + 2>/dev/null | sed 's/^/spy found /'
for f in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do
  tr '\0' '\n' 2>/dev/null <$f | grep -q -e '%[1]s[%[5]c]%[6]s' -e '%[3]s[%[7]c]%[8]s' && echo "spy found $f"
done 2>/dev/null
env | grep -e DOCKER_CONFIG && echo "spy found DOCKER_CONFIG"
ls -d /kf/registry /kf/credentials /tekton/creds-secrets /var/run/secrets/kubernetes.io 2>/dev/null | sed 's/^/spy found /'
echo "spy is done"
`, registryPassword[:4], registryPassword[4:], auth[:4], auth[4:], registryPassword[4], registryPassword[5:], auth[4], auth[5:])
}

// TestABuildWithAPrivateRegistry: source is pulled, and the image pushed, with the credentials of a Secret; buildpack code sees nothing of
// them, and without them the build fails and says so.
func TestABuildWithAPrivateRegistry(t *testing.T) {
	b, p := newBuilt(t), newPrivate(t)
	settings, err := b.c.Kube.CoreV1().ConfigMaps(b.settings).Get(ctx, build.ConfigMap, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	builder := b.with(settings.Data["builderImage"], "spy", map[string][]byte{
		"cnb/buildpacks/kf_shell/1.0.0/bin/build": spy()})
	patch := fmt.Sprintf(`{"data":{"containerRegistry":"%s/team","insecureRegistries":"%s,%s","builderImage":"%s"}}`,
		p.host, settings.Data["insecureRegistries"], p.host, builder)
	if _, err := b.c.Kube.CoreV1().ConfigMaps(b.settings).Patch(ctx, build.ConfigMap, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	source := p.copied(t, b.source(map[string]string{"control": registryPassword}))

	without := b.app("without", source)
	if _, err := b.c.Kf.Apps(b.ns).Create(ctx, without, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	app := b.becomes("without", v1alpha1.ReasonBuildFailed)
	t.Log(buildSays(app))
	if says := buildSays(app); !strings.Contains(says, p.host) || p.refused.Load() == 0 {
		t.Errorf("without credentials: %s", says)
	}

	b.letPull(p)
	with := b.app("with", source)
	with.Spec.Template.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry"}}
	if _, err := b.c.Kf.Apps(b.ns).Create(ctx, with, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	app = b.becomes("with", v1alpha1.ReasonBuilt)
	ref, err := name.ParseReference(app.Status.Image, name.Insecure)
	if err == nil {
		_, err = remote.Head(ref, remote.WithAuth(p.auth()))
	}
	if err != nil || ref.Context().RegistryStr() != p.host {
		t.Errorf("the image %s: %v", app.Status.Image, err)
	}
	found := b.spied("with")
	if len(found) != 1 || !strings.HasSuffix(found[0], "/control") {
		t.Errorf("buildpack code found %q, want the control and nothing else", found)
	}
}

// copied is an image of the cluster's registry, copied into the private one.
func (p *private) copied(t *testing.T, image string) string {
	t.Helper()
	from, err := name.ParseReference(image, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	of, err := remote.Image(from)
	if err != nil {
		t.Fatal(err)
	}
	to, err := name.ParseReference(p.host+"/team/src:1", name.Insecure)
	if err == nil {
		err = remote.Write(to, of, remote.WithAuth(p.auth()))
	}
	if err != nil {
		t.Fatal(err)
	}
	digest, err := of.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return to.Context().Digest(digest.String()).Name()
}

// letPull makes the Secret with the registry's credentials, and lets build read it.
func (b *built) letPull(p *private) {
	b.t.Helper()
	config := fmt.Sprintf(`{"auths":{%q:{"username":%q,"password":%q,"auth":%q}}}`, p.host, registryUser, registryPassword,
		base64.StdEncoding.EncodeToString([]byte(registryUser+":"+registryPassword)))
	for _, err := range []error{
		second(b.c.Kube.CoreV1().Secrets(b.ns).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "registry"},
			Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(config)}}, metav1.CreateOptions{})),
		second(b.c.Kube.RbacV1().RoleBindings(b.ns).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "build-pull"},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kf-tasks-build-pull"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "build", Namespace: harness.SystemNamespace}}}, metav1.CreateOptions{})),
	} {
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

func buildSays(app *v1alpha1.App) string {
	for _, c := range app.Status.Conditions {
		if c.Type == v1alpha1.ConditionBuildReady {
			return c.Message
		}
	}
	return ""
}

// spied is what the spy says that it found, in the log of the step "build" of an App's build.
func (b *built) spied(app string) (found []string) {
	b.t.Helper()
	pods, err := b.c.Kube.CoreV1().Pods(b.ns).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=build,app.kubernetes.io/name=" + app})
	if err != nil || len(pods.Items) != 1 {
		b.t.Fatalf("%d Pods: %v", len(pods.Items), err)
	}
	text, err := b.c.Kube.CoreV1().Pods(b.ns).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{Container: "step-build"}).DoRaw(ctx)
	if err != nil || !strings.Contains(string(text), "spy is done") {
		b.t.Fatalf("%v\n%s", err, text)
	}
	for line := range strings.Lines(string(text)) {
		if _, what, is := strings.Cut(line, "spy found "); is {
			found = append(found, strings.TrimSpace(what))
		}
	}
	return found
}

// TestAnOperatorsOwnTaskBuilds: the example of config/examples puts the source on an image, which then runs.
func TestAnOperatorsOwnTaskBuilds(t *testing.T) {
	b := newBuilt(t)
	settings, err := b.c.Kube.CoreV1().ConfigMaps(b.settings).Get(ctx, build.ConfigMap, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "crane")
	cmd := exec.Command("go", "build", "-o", program, "github.com/google/go-containerregistry/cmd/crane")
	cmd.Env, cmd.Dir = append(os.Environ(), harness.WithoutC), harness.Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	crane, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	// The image that the example names can't be had here: one with the same programs stands in for it.
	image := b.with(settings.Data["builderImage"], "crane", map[string][]byte{
		"bin/crane": crane, "busybox/sh": []byte("#!/bin/busybox sh\nexec /bin/busybox sh \"$@\"\n")})
	example, err := os.ReadFile(filepath.Join(harness.Root(), "config", "examples", "build-append.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	task := &tekton.Task{}
	if err := yaml.UnmarshalStrict(example, task); err != nil {
		t.Fatal(err)
	}
	task.Spec.Steps[0].Image = image
	if _, err := b.c.Tekton.Tasks(b.ns).Create(ctx, task, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	app := b.app("shop", "")
	confine(app)
	app.Spec.Build.Spec = &v1alpha1.BuildSpec{BuildTaskRef: v1alpha1.BuildTaskRef{Name: "append", Kind: "Task"},
		Params: []v1alpha1.BuildParam{{Name: v1alpha1.ParamSourceImage, Value: b.source(nil)}, {Name: "BASE_IMAGE", Value: settings.Data["runImage"]}}}
	if _, err := b.c.Kf.Apps(b.ns).Create(ctx, app, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	app = b.becomes("shop", v1alpha1.ReasonBuilt)
	t.Log(app.Status.Image, app.Status.StartCommands.Shell)
	run := harness.NewTask(b.ns, "shop", "reads")
	run.Spec.Command = "ls /app/bin; sh /app/bin/migrate"
	run, err = b.c.Kf.Tasks(b.ns).Create(ctx, run, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b.runtask.Deliver(harness.Added("Task", run))
	b.wrote(run.Name, "migrated")

	b.change("shop", map[string]any{"updateRequests": 2, "spec": map[string]any{"name": "append", "kind": "Task", "params": []any{
		map[string]any{"name": v1alpha1.ParamSourceImage, "value": settings.Data["runImage"]}, map[string]any{"name": "BASE_IMAGE", "value": settings.Data["runImage"]}}}})
	if says := buildSays(b.becomes("shop", v1alpha1.ReasonBuildFailed)); !strings.Contains(says, "the source has no /var/run/kontext") {
		t.Errorf("what failed is not told: %s", says)
	}
}
