package pods

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	images "github.com/google/go-containerregistry/pkg/registry"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// archives has the Space keep logs in a registry of this test's, and starts the functions that bring them there.
func (r *readers) archives() (archive, terminate *harness.Function) {
	r.t.Helper()
	r.c.As(r.t, "build") // makes its rights: everybody may read the settings of builds
	server := httptest.NewServer(images.New(images.Logger(log.New(io.Discard, "", 0))))
	r.t.Cleanup(server.Close)
	of := &v1alpha1.Space{ObjectMeta: metav1.ObjectMeta{Name: r.ns}}
	of.Spec.Logs.Archive = &v1alpha1.SpaceLogArchive{Registry: strings.TrimPrefix(server.URL, "http://") + "/kf"}
	if _, err := r.c.Kf.Spaces().Create(ctx, of, metav1.CreateOptions{}); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := r.c.Kf.Spaces().Delete(ctx, of.Name, metav1.DeleteOptions{}); err != nil {
			r.t.Error(err)
		}
	})
	settings := func() []string { return []string{"SPOOL=" + r.t.TempDir(), "DOCKER_CONFIG=" + r.t.TempDir()} }
	return r.c.Function(r.t, "archive", settings()...), r.c.Function(r.t, "terminate", settings()...)
}

// read is what the function logs says of a Task.
func (r *readers) read(path string) string {
	r.t.Helper()
	resp := r.get(ctx, "/tasks/"+path, r.token)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: %s %v %.300s", path, resp.Status, err, b)
	}
	return string(b)
}

// archived waits for what becomes of the log of a Task that has ended.
func (r *readers) archived(name string, archive *harness.Function, state v1alpha1.ArchiveState) *v1alpha1.TaskLog {
	r.t.Helper()
	r.final(name)
	var is *v1alpha1.TaskLog
	harness.Eventually(r.t, 3*time.Minute, func() error {
		archive.Deliver(harness.Ping("every-hour"))
		if is = r.task(name).Status.Log; !is.Settled() {
			return fmt.Errorf("the log of %s: %+v", name, is)
		}
		return nil
	})
	if is.State != state {
		r.t.Errorf("the log of %s: %+v, want %s", name, is, state)
	}
	return is
}

// TestALogOutlivesItsPod, byte for byte as the node gave it, and its Task: of one that ended by itself, and of one that was stopped, whose
// Pod is gone at once. Of a Pod that was deleted while it ran it is said that the log is not whole.
func TestALogOutlivesItsPod(t *testing.T) {
	r := newReaders(t)
	archive, terminate := r.archives()
	r.run("kept", `-lines 2000 -stderr 7 -code 3 -say '\e[31mred\e[0m 50%\r100%'`)
	r.run("stopped", "-lines 40 -stay 10m -term 300ms")
	r.run("lost", "-lines 5 -stay 10m")

	r.wrote("lost", "line 0000005")
	if err := r.c.Kube.CoreV1().Pods(r.ns).Delete(ctx, r.pods("lost")[0].Name, metav1.DeleteOptions{GracePeriodSeconds: &atOnce}); err != nil {
		t.Fatal(err)
	}
	r.wrote("stopped", "line 0000040")
	terminate.Deliver(harness.Updated("Task", r.terminated("stopped")))

	if log := r.archived("kept", archive, v1alpha1.ArchiveComplete); log.Lines != 2001 {
		t.Errorf("%+v", log)
	}
	before := r.read("kept?timestamps")
	if !strings.Contains(before, "line 0002000 ") || !strings.Contains(before, "exit code 3") {
		t.Errorf("from the Pod: %.300s", before)
	}
	if err := r.c.Kube.CoreV1().Pods(r.ns).Delete(ctx, r.pods("kept")[0].Name, metav1.DeleteOptions{GracePeriodSeconds: &atOnce}); err != nil {
		t.Fatal(err)
	}
	if after := r.read("kept?timestamps"); after != before {
		t.Errorf("without its Pod: %.300s\nwant %.300s", after, before)
	}
	r.deleted("kept")
	if after := r.read("kept?timestamps"); after != before {
		t.Errorf("without its Task: %.300s\nwant %.300s", after, before)
	}

	if log := r.archived("lost", archive, v1alpha1.ArchiveIncomplete); log.Message == "" {
		t.Errorf("%+v", log)
	}

	r.archived("stopped", archive, v1alpha1.ArchiveComplete)
	r.wantGone("stopped")
	r.deleted("stopped")
	var want strings.Builder
	for _, line := range r.delivered("stopped", terminate) {
		fmt.Fprintln(&want, line.Message)
	}
	if got := r.read("stopped"); !strings.HasPrefix(got, want.String()+"[kf] stopped") || !strings.Contains(got, "last words after") {
		t.Errorf("stopped: %s\nwant %s", got, want.String())
	}
}

// deleted deletes a Task, and returns when it is gone.
func (r *readers) deleted(name string) {
	r.t.Helper()
	if err := r.c.Kf.Tasks(r.ns).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		r.t.Fatal(err)
	}
	harness.Eventually(r.t, 3*time.Minute, func() error {
		if task, err := client.Find(ctx, r.c.Kf.Tasks(r.ns), r.ns, name); task != nil || err != nil {
			return fmt.Errorf("it is there: %v", err)
		}
		return nil
	})
}
