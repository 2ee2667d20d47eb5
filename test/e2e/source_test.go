package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// folder is a copy of the sample, to be changed.
func folder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(harness.Root(), "test", "fixtures", "shop"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// does runs the CLI, which is to end with a code and to print all of some texts.
func (w *world) does(t *testing.T, code int, texts []string, args ...string) string {
	t.Helper()
	out, said, got := w.RunKf(t, w.space, args...)
	if got != code {
		t.Fatalf("kf %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, said)
	}
	for _, text := range texts {
		if !strings.Contains(out+said, text) {
			t.Errorf("kf %s does not say %q:\n%s%s", strings.Join(args, " "), text, out, said)
		}
	}
	return out + said
}

var digests = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// TestAFolderToATask is the way of a user who has source, in a Space that enforces Pod Security "restricted": built once, run, built again
// when it has changed; a build that fails takes nothing away.
func TestAFolderToATask(t *testing.T) {
	w := newWorld(t)
	namespace, err := w.Kube.CoreV1().Namespaces().Get(ctx, w.space, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	namespace.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
	if _, err := w.Kube.CoreV1().Namespaces().Update(ctx, namespace, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	dir := folder(t)
	push := []string{"push", "packed", "--task", "-p", dir, "-e", "GREETING=hello"}

	began := time.Now()
	first := digests.FindAllString(w.does(t, 0, []string{"App packed is ready"}, push...), -1)
	t.Logf("from a folder to an image: %s", time.Since(began))
	if len(first) == 0 {
		t.Fatal("no digest of the image is printed")
	}
	w.does(t, 0, []string{"migrate --all: orders", "migrated"}, "run-task", "packed", "--process", "migrate", "--wait")
	w.does(t, 0, []string{"HELLO"}, "run-task", "packed", "--command", `echo "$GREETING" | tr a-z A-Z`, "--wait")

	w.does(t, 0, []string{"Nothing to build"}, push...)
	if list := w.does(t, 0, nil, "builds", "packed", "-o", "name"); strings.Count(list, "packed-build-") != 1 {
		t.Errorf("pushed twice, there is one build:\n%s", list)
	}

	write(t, filepath.Join(dir, "fail-build"), "it is broken on purpose\n")
	w.does(t, 1, []string{"build", "51", "it is broken on purpose"}, push...)
	w.does(t, 0, []string{"it is broken on purpose"}, "build-logs", "packed")
	w.does(t, 0, []string{"migrated"}, "run-task", "packed", "--process", "migrate", "--wait")
	if app, err := w.Kf.Apps(w.space).Get(ctx, "packed", metav1.GetOptions{}); err != nil || !strings.HasSuffix(app.Status.Image, first[len(first)-1]) {
		t.Errorf("a build that failed has taken the image: %+v %v", app.Status, err)
	}

	if err := os.Remove(filepath.Join(dir, "fail-build")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "bin", "migrate"), "#!/bin/sh\necho mended\n")
	w.does(t, 0, []string{"App packed is ready"}, push...)
	w.does(t, 0, []string{"mended"}, "run-task", "packed", "--process", "migrate", "--wait")

	w.does(t, 0, nil, "rebase", "packed")
	harness.Eventually(t, 2*time.Minute, w.rebased("packed"))
	w.does(t, 0, []string{"mended"}, "run-task", "packed", "--process", "migrate", "--wait")
}

func (w *world) rebased(app string) func() error {
	return func() error {
		a, err := w.Kf.Apps(w.space).Get(ctx, app, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if reason := v1alpha1.Reason(a.Status.Conditions, v1alpha1.ConditionBuildReady); reason != v1alpha1.ReasonRebased {
			return &notYet{reason}
		}
		return nil
	}
}

type notYet struct{ what string }

func (n *notYet) Error() string { return "not yet: " + n.what }

// TestASpaceFromNothing is the way of a user who has nothing: a Space, source, a Task, by our CLI and by Kf's own; and the Space goes with all
// that it made.
func TestASpaceFromNothing(t *testing.T) {
	c := harness.Deployed(t)
	w := &world{c, "e2e-space-" + strings.ToLower(t.Name()[len("TestASpace"):])}
	w.does(t, 0, nil, "create-space", w.space)
	t.Cleanup(func() { _ = w.Kf.Spaces().Delete(ctx, w.space, metav1.DeleteOptions{}) }) // it is gone, if all went well
	w.does(t, 0, []string{w.space}, "spaces")
	w.does(t, 0, []string{"App packed is ready"}, "push", "packed", "--task", "-p", folder(t))
	w.does(t, 0, []string{"migrated"}, "run-task", "packed", "--process", "migrate", "--wait")
	for _, args := range [][]string{
		{"push", "theirs", "--task", "-p", folder(t), "--container-registry", os.Getenv("KO_DOCKER_REPO") + "/kfs-own"},
		{"run-task", "theirs", "--command", "bin/migrate --by=kf", "--name", "migrate"},
	} {
		if printed, code := w.KfsOwn(t, w.space, args...); code != 0 {
			t.Fatalf("Kf's own kf %s: exit code %d\n%s", strings.Join(args, " "), code, printed)
		}
	}
	harness.Eventually(t, 2*time.Minute, func() error {
		tasks, err := w.Kf.Tasks(w.space).List(ctx, metav1.ListOptions{FieldSelector: "spec.appRef.name=theirs"})
		if err != nil || len(tasks.Items) != 1 || tasks.Items[0].Outcome() != v1alpha1.TaskSucceeded {
			return &notYet{fmt.Sprintf("%d Tasks of Kf's own CLI, which has succeeded? %v", len(tasks.Items), err)}
		}
		return nil
	})
	w.does(t, 0, nil, "delete-space", w.space, "--force")
	harness.Eventually(t, 2*time.Minute, func() error {
		if n, err := w.Kube.CoreV1().Namespaces().Get(ctx, w.space, metav1.GetOptions{}); err == nil {
			return &notYet{"namespace " + n.Name + " is there"}
		}
		return nil
	})
}
