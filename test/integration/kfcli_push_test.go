package integration

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// kfsPush is a Space with a builder, a folder of source, and Kf's own CLI.
type kfsPush struct {
	*buildWorld
	dir string
}

func newKfsPush(t *testing.T) *kfsPush {
	t.Setenv("KF_STARTUP_TIMEOUT", "2m") // how long push waits
	k := &kfsPush{buildWorld: newBuildWorld(t, nil), dir: t.TempDir()}
	of := newSpace(t, k.Cluster, k.Namespace, func(s *v1alpha1.Space) {
		s.Spec.Build.BuilderImage = "registry.example/builder:1"
		s.Spec.BuildConfig.ContainerRegistry = k.registry + "/team"
	})
	k.Function(t, "space").Deliver(harness.Added("Space", of))
	k.Must(os.WriteFile(filepath.Join(k.dir, "Procfile"), []byte("worker: bin/one\n"), 0o644))
	return k
}

// kf runs Kf's CLI while App events are lost and a resync finds what there is to do; its columns count as one space.
func (k *kfsPush) kf(code int, line string, says ...string) {
	k.Helper()
	meanwhile(k.f, func() {
		printed, got := k.KfsOwn(k, k.Namespace, words(line)...)
		flat := strings.Join(strings.Fields(printed), " ")
		for _, s := range append(says, "") {
			if got != code || !strings.Contains(flat, s) {
				k.Errorf("kf %s: exit code %d, want %d and %q in\n%s", line, got, code, s, printed)
			}
		}
	})
}

func (k *kfsPush) named(of string) *v1alpha1.App {
	k.Helper()
	app, err := client.Find(ctx, k.Kf.Apps(k.Namespace), k.Namespace, of)
	k.Must(err)
	if app == nil {
		k.Fatalf("there is no App %s", of)
	}
	return app
}

// pushes runs a push from the folder, and ends the build that comes of it.
func (k *kfsPush) pushes(code int, end func(run string), says ...string) {
	k.Helper()
	before := k.builds()
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.kf(code, "push shop --task -p "+k.dir+" --container-registry "+k.registry+"/src", says...)
	}()
	var run string
	harness.Eventually(k, time.Minute, func() error {
		for _, name := range k.builds() {
			if !slices.Contains(before, name) {
				run = name
				return nil
			}
		}
		return fmt.Errorf("no build has begun")
	})
	end(run)
	<-done
}

func (k *kfsPush) builds() (names []string) {
	k.Helper()
	all, err := client.Collect(client.All[*tekton.PipelineRun](ctx, k.Tekton.PipelineRuns(k.Namespace), build.Of("shop")))
	k.Must(err)
	for _, run := range all {
		names = append(names, run.Name)
	}
	return names
}

// ran says whether one Task has run, of an image.
func (k *kfsPush) ran(image string) {
	k.Helper()
	k.Function(k, "runtask").Deliver(harness.Ping("resync"))
	runs, err := k.Tekton.PipelineRuns(k.Namespace).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel})
	k.Must(err)
	if len(runs.Items) != 1 {
		k.Fatalf("%d runs, want one", len(runs.Items))
	}
	if is := runs.Items[0].Spec.PipelineSpec.Tasks[0].TaskSpec.Steps[0].Image; is != image {
		k.Errorf("the Task runs %s, want %s", is, image)
	}
}

// source is what an image of source has in a file.
func (k *kfsPush) source(image, file string) string {
	k.Helper()
	ref, err := name.ParseReference(image)
	k.Must(err)
	img, err := remote.Image(ref)
	k.Must(err)
	files := mutate.Extract(img)
	defer files.Close()
	for r := tar.NewReader(files); ; {
		header, err := r.Next()
		k.Must(err)
		if strings.Trim(header.Name, "/") == file {
			b, err := io.ReadAll(r)
			k.Must(err)
			return string(b)
		}
	}
}

// TestKfsOwnCLIPushesAnImage, by flag; what can't be run, it says, and does not wait.
func TestKfsOwnCLIPushesAnImage(t *testing.T) {
	k := newKfsPush(t)
	image := pushed(t)
	k.kf(0, "target -s "+k.Namespace, "Updated target Space: "+k.Namespace)
	k.kf(0, "push shop --task --docker-image "+image+" -e STAGE=test -m 256M", "Successfully deployed without starting", "Instances: stopped")
	app := k.named("shop")
	if app.Status.Image != image || !app.Spec.Instances.Stopped || app.Spec.Template.Spec.Containers[0].Env[0].Value != "test" {
		t.Errorf("%+v, %+v", app.Spec, app.Status)
	}
	k.kf(0, "apps", "shop stopped 256Mi", "True ImageReady")
	k.kf(0, "run-task shop --command bin/report", "is submitted successfully for execution.")
	k.ran(image + "@" + app.Status.StartCommands.Digest)
	k.kf(1, "push shop --task --docker-image not:a:name", "is not the name of an image")
	host, _, _ := strings.Cut(image, "/")
	_, err := k.Kf.Spaces().Patch(ctx, k.Namespace, types.MergePatchType,
		fmt.Appendf(nil, `{"spec":{"build":{"allowedRegistries":[%q]}}}`, host), metav1.PatchOptions{})
	k.Must(err)
	k.kf(1, "push shop --task --docker-image "+k.registry+"/shop:1", "push the App with another image")
	k.kf(0, "push serves --docker-image "+image, "nothing serves it here")
	k.kf(1, "set-env serves STAGE test", "Apps are not served here, only their Tasks run")
	k.kf(0, "stop serves", `Stopping App "serves"`)
	k.kf(1, "start serves", "Apps are not served here, only their Tasks run")
	k.kf(0, "delete serves", "Waiting for deletion")
}

// TestKfsOwnCLIPushesAFolder: it uploads the source to a registry, waits for the build, and says how it ended; a Task runs what was built.
func TestKfsOwnCLIPushesAFolder(t *testing.T) {
	k := newKfsPush(t)
	digest := ""
	k.pushes(0, func(run string) { digest = k.succeed(run, "bin/one", false) },
		"Placeholder App created.", "builds it", "Successfully deployed without starting")
	app := k.named("shop")
	built := k.registry + "/team/app-" + k.Namespace + ".shop@" + digest
	if app.Status.Image != built || app.Status.Processes[1].Command[0] != "bin/one" {
		t.Errorf("%+v, want the image %s", app.Status, built)
	}
	spec := app.Spec.Build.Spec
	if got := k.source(spec.Param(v1alpha1.ParamSourceImage), "var/run/kontext/Procfile"); got != "worker: bin/one\n" {
		t.Errorf("the source is %q", got)
	}
	if b := spec.Param(v1alpha1.ParamBuilderImage); b != "registry.example/builder:1" {
		t.Errorf("the builder is %q, want the Space's", b)
	}
	k.kf(0, "run-task shop --command bin/report --name report", "is submitted successfully for execution.")
	k.ran(built)

	k.kf(1, "push other --task --dockerfile Procfile -p "+k.dir+" --container-registry "+k.registry+"/src", `there is no way to build "kaniko"`)
	k.kf(1, "push other --task -p "+k.dir+" --container-registry 127.0.0.1:1/src", "error publishing image")
	k.pushes(1, func(run string) { k.fail(run, "detect failed with exit code 20:\nno buildpack", false) },
		"build failed: detect failed with exit code 20: | no buildpack")
	if app = k.named("shop"); app.Status.Image != built {
		t.Errorf("a build that failed took the image away: %+v", app.Status)
	}
}

// TestKfsOwnCLIIsToldOfTheOtherUpload: without a registry on its command line it would upload a SourcePackage, which nobody here takes.
// What the App had stays, and an App that names one for another reason can be changed.
func TestKfsOwnCLIIsToldOfTheOtherUpload(t *testing.T) {
	k := newKfsPush(t)
	image := pushed(t)
	k.kf(0, "push shop --task --docker-image "+image, "Successfully deployed")
	k.kf(1, "push shop --task -p "+k.dir, "failed to push App", "push with --container-registry REGISTRY")
	if app := k.named("shop"); app.Status.Image != image || app.FromSource() || len(k.builds()) != 0 {
		t.Errorf("%+v, %+v", app.Spec, app.Status)
	}
	old := newSource(k.Namespace, "brought")
	old.Spec.Build.Spec.SourcePackage.Name = "brought-1"
	_, err := k.Kf.Apps(k.Namespace).Create(ctx, old, metav1.CreateOptions{})
	k.Must(err)
	k.kf(0, "set-env brought STAGE test", "Setting environment variable")
	if app := k.named("brought"); app.Spec.Template.Spec.Containers[0].Env[0].Value != "test" {
		t.Errorf("%+v", app.Spec)
	}
}
