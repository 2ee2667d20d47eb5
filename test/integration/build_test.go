package integration

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// pushed is a registry with one image, whose entrypoint is a program and which has no shell.
func pushed(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/shop:1")
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.Config(empty.Image, v1.Config{Entrypoint: []string{"/shop"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	return ref.String()
}

// newApp makes an App as `kf push --docker-image` does: nothing of it is settled.
func newApp(t *testing.T, c *harness.Cluster, ns, name, image string) *v1alpha1.App {
	t.Helper()
	app, err := c.Kf.Apps(ns).Create(ctx, harness.NewApp(ns, name, image), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// wantShell waits for an App whose image was looked into; noted is what its status says of a look that failed.
func wantShell(t *testing.T, c *harness.Cluster, ns, name string, shell v1alpha1.Shell, noted string) *v1alpha1.App {
	t.Helper()
	var app *v1alpha1.App
	harness.Eventually(t, time.Minute, func() (err error) {
		app, err = c.Kf.Apps(ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		s := app.Status
		if s.Image != *app.Spec.Build.Image || v1alpha1.Reason(s.Conditions, v1alpha1.ConditionReady) != v1alpha1.ReasonImageReady {
			return fmt.Errorf("App %s has the image %q and the conditions %v", name, s.Image, s.Conditions)
		}
		found := s.StartCommands
		if found.Shell != shell || (found.Error == "") != (noted == "") || !strings.Contains(found.Error, noted) {
			return fmt.Errorf("App %s: %+v, want shell %q, error %q", name, found, shell, noted)
		}
		return nil
	})
	return app
}

func TestAppsImageIsLookedIntoOnce(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "build")
	f := c.Function(t, "build")
	shop := newApp(t, c, ns, "shop", pushed(t))
	for range 3 {
		f.Deliver(harness.Added("App", shop))
	}
	shop = wantShell(t, c, ns, "shop", v1alpha1.ShellNone, "")
	if e := shop.Status.StartCommands.Container; len(e) != 1 || e[0] != "/shop" {
		t.Errorf("entrypoint %q", e)
	}
	_, before := f.Proxy.Counts()
	f.Deliver(harness.Updated("App", shop))
	if _, after := f.Proxy.Counts(); after != before {
		t.Error("the event of its own write made it write again")
	}
}

// TestARegistryThatNeverAnswersHoldsUpNobodyElse: the App's Tasks run with a shell, its status says why, and an App
// beside it whose event was lost is found by the same ping.
func TestARegistryThatNeverAnswersHoldsUpNobodyElse(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "build")
	f := c.Function(t, "build", "LOOK_PATIENCE=2s")
	var looks atomic.Int32
	end := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { looks.Add(1); <-end }))
	t.Cleanup(func() { close(end); silent.Close() })
	for i := range 3 {
		newApp(t, c, ns, fmt.Sprintf("a-waits-%d", i), strings.TrimPrefix(silent.URL, "http://")+"/shop:1")
	}
	newApp(t, c, ns, "b-works", pushed(t))

	f.Deliver(harness.Ping("resync"))
	wantShell(t, c, ns, "b-works", v1alpha1.ShellNone, "")
	noted := wantShell(t, c, ns, "a-waits-0", "", "deadline exceeded")

	before := looks.Load()
	f.Deliver(harness.Updated("App", noted))
	if looks.Load() != before {
		t.Error("the note that a look failed was cause for the next look")
	}
	f.Deliver(harness.Ping("resync"))
	if looks.Load() == before {
		t.Error("an image that could not be read is not looked into again at the next ping")
	}
}
