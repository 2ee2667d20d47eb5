package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	ggcrtypes "github.com/google/go-containerregistry/pkg/v1/types"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// pushed is a registry with one image, whose entrypoint is a program and which has no shell.
func pushed(t *testing.T) string {
	t.Helper()
	return push(t, registry.New(registry.Logger(log.New(io.Discard, "", 0))))
}

// private is the same for who has the password only.
func private(t *testing.T, user, password string) string {
	t.Helper()
	open := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	return push(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		open.ServeHTTP(w, r)
	}), remote.WithAuth(&authn.Basic{Username: user, Password: password}))
}

func push(t *testing.T, images http.Handler, options ...remote.Option) string {
	t.Helper()
	server := httptest.NewServer(images)
	t.Cleanup(server.Close)
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/shop:1")
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.Config(empty.Image, v1.Config{Entrypoint: []string{"/shop"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image, options...); err != nil {
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
	cached(t, c, ns, "b-works", nil)

	f.Deliver(harness.Ping("resync"))
	wantShell(t, c, ns, "b-works", v1alpha1.ShellNone, "")
	noted := wantShell(t, c, ns, "a-waits-0", "", "does not answer in time")
	if n := looks.Load(); n != 1 {
		t.Errorf("three Apps of one image cost %d looks at once, want one", n)
	}

	before := looks.Load()
	f.Deliver(harness.Updated("App", noted))
	if looks.Load() != before {
		t.Error("the note that a look failed was cause for the next look")
	}
	due(t, c, noted)
	f.Deliver(harness.Ping("resync"))
	if looks.Load() == before {
		t.Error("an image that could not be read is not looked into again when it is time")
	}
}

// due puts the failed look into an App's image back by a day, so that the next is due.
func due(t *testing.T, c *harness.Cluster, app *v1alpha1.App) {
	t.Helper()
	_, err := client.PatchStatus(ctx, c.Kf.Apps(app.Namespace), app, func(a *v1alpha1.App) {
		yesterday := metav1.NewTime(time.Now().Add(-24 * time.Hour))
		a.Status.StartCommands.LookedAt = &yesterday
	})
	if err != nil {
		t.Fatal(err)
	}
	cached(t, c, app.Namespace, app.Name, func(a *v1alpha1.App) bool { return time.Since(a.Status.StartCommands.LookedAt.Time) > time.Hour })
}

// cached returns when the API server's cache, from which a resync lists, has an App, and has it so.
func cached(t *testing.T, c *harness.Cluster, ns, name string, so func(*v1alpha1.App) bool) {
	t.Helper()
	harness.Eventually(t, time.Minute, func() error {
		app, err := c.Kf.Apps(ns).Get(ctx, name, metav1.GetOptions{ResourceVersion: "0"})
		if err == nil && so != nil && !so(app) {
			err = fmt.Errorf("the cache has %+v", app.Status)
		}
		return err
	})
}

// TestASpaceLetsBuildReadItsPullSecrets: without a RoleBinding there the image is asked for without credentials, and what to do
// about the registry's refusal stands on the App; with one, which may name its Secret, the image is read.
func TestASpaceLetsBuildReadItsPullSecrets(t *testing.T) {
	c := harness.New(t)
	f := c.Function(t, "build")
	for name, grant := range map[string]func(ns string) error{
		"the command of the message": func(ns string) error {
			_, err := c.Kube.RbacV1().RoleBindings(ns).Create(ctx, buildMay(ns, "ClusterRole", "kf-tasks-build-pull"), metav1.CreateOptions{})
			return err
		},
		"this Secret only": func(ns string) error {
			role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "pull", Namespace: ns}, Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}, ResourceNames: []string{"pull"}}}}
			if _, err := c.Kube.RbacV1().Roles(ns).Create(ctx, role, metav1.CreateOptions{}); err != nil {
				return err
			}
			_, err := c.Kube.RbacV1().RoleBindings(ns).Create(ctx, buildMay(ns, "Role", "pull"), metav1.CreateOptions{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ns := c.Namespace(t, "build")
			image := private(t, "build", "hunter2")
			host, _, _ := strings.Cut(image, "/")
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "pull", Namespace: ns}, Type: corev1.SecretTypeDockerConfigJson,
				StringData: map[string]string{corev1.DockerConfigJsonKey: fmt.Sprintf(`{"auths": {%q: {"username": "build", "password": "hunter2"}}}`, host)}}
			if _, err := c.Kube.CoreV1().Secrets(ns).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			shop := harness.NewApp(ns, "shop", image)
			shop.Spec.Template.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "pull"}}
			shop, err := c.Kf.Apps(ns).Create(ctx, shop, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			f.Deliver(harness.Added("App", shop))
			shop, err = c.Kf.Apps(ns).Get(ctx, "shop", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			ready := meta.FindStatusCondition(shop.Status.Conditions, v1alpha1.ConditionReady)
			if ready == nil || ready.Status != metav1.ConditionTrue || ready.Reason != v1alpha1.ReasonRegistryRefused ||
				!strings.Contains(ready.Message, "kubectl -n "+ns+" create rolebinding") || strings.Contains(ready.Message, host) {
				t.Errorf("without a grant: %+v", ready)
			}
			if err := grant(ns); err != nil {
				t.Fatal(err)
			}
			harness.Eventually(t, time.Minute, func() error { // the API server takes a moment to know of it
				due(t, c, shop)
				f.Deliver(harness.Ping("resync"))
				if shop, err = c.Kf.Apps(ns).Get(ctx, "shop", metav1.GetOptions{}); err != nil {
					return err
				}
				if s := shop.Status.StartCommands; s.Shell != v1alpha1.ShellNone || s.Error != "" || s.Failures != 0 {
					return fmt.Errorf("%+v", s)
				}
				return nil
			})
		})
	}
}

func buildMay(ns, kind, role string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "kf-tasks-build-pull", Namespace: ns},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "build", Namespace: harness.SystemNamespace}}}
}

// TestRegistriesThatFail: each way to fail costs one look for each time that is due, is told in words of ours, and the App's Tasks run
// all the same. One that works again is found at the next look.
func TestRegistriesThatFail(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "build")
	f := c.Function(t, "build", "LOOK_PATIENCE=5s")
	answer := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"errors":[{"code":"DENIED","message":"10.0.0.7:5000 says no to ticket 4711"}]}`)
		}
	}
	reset := func(w http.ResponseWriter, _ *http.Request) {
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0) // RST and not FIN
			conn.Close()
		}
	}
	for name, test := range map[string]struct {
		fault http.HandlerFunc // nil: the registry works, and has not the image
		noted string
	}{
		"unauthorized": {answer(401, "WWW-Authenticate", `Basic realm="r"`), "refuses the credentials"},
		"forbidden":    {answer(403), "refuses the credentials"},
		"throttled":    {answer(429, "Retry-After", "3600"), "429 (Too Many Requests)"},
		"down":         {answer(503), "503 (Service Unavailable)"},
		"odd":          {answer(599), "599"},
		"resets":       {reset, "can't be read"},
		"gone":         {nil, "404 (Not Found)"},
	} {
		t.Run(name, func(t *testing.T) { // not side by side: a ping looks for the Apps of all of them
			works := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
			var requests atomic.Int32
			var failing atomic.Bool
			image := push(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1); failing.Load() {
					test.fault(w, r)
					return
				}
				works.ServeHTTP(w, r)
			}))
			if failing.Store(test.fault != nil); test.fault == nil {
				image = strings.TrimSuffix(image, ":1") + "@sha256:" + strings.Repeat("0", 64)
			}
			app := newApp(t, c, ns, name, image)
			f.Deliver(harness.Added("App", app))
			harness.Eventually(t, time.Minute, func() (err error) {
				if app, err = c.Kf.Apps(ns).Get(ctx, name, metav1.GetOptions{}); err == nil && !strings.Contains(app.Status.StartCommands.Error, test.noted) {
					err = fmt.Errorf("%+v, want %q", app.Status, test.noted)
				}
				if err == nil && (app.Status.Image != image || !meta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.ConditionReady)) {
					err = fmt.Errorf("its Tasks could not run: %+v", app.Status)
				}
				return err
			})
			if s := app.Status.StartCommands; strings.Contains(s.Error, "10.0.0.7") || s.Failures != 1 {
				t.Errorf("%+v: no word of the registry's is to be there, and one failure", s)
			}
			before := requests.Load()
			f.Deliver(harness.Updated("App", app))
			f.Deliver(harness.Ping("resync"))
			if n := requests.Load() - before; n > 0 {
				t.Errorf("its own note, and a ping before it is time, cost %d requests", n)
			}
			if test.fault == nil {
				return
			}
			failing.Store(false)
			due(t, c, app)
			f.Deliver(harness.Ping("resync"))
			wantShell(t, c, ns, name, v1alpha1.ShellNone, "")
		})
	}
}

// TestAnImageOfSomeGiB: zeros are soon told and long to read; what is too large is an answer, and looked into no more.
func TestAnImageOfSomeGiB(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "build")
	f := c.Shipped(t, "build", "LOOK_PATIENCE=5m") // the race detector would take minutes for it
	var looks atomic.Int32
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/") {
			looks.Add(1)
		}
		images.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/large:1")
	if err != nil {
		t.Fatal(err)
	}
	// 1.2 GiB of zeros, as as many members of gzip (RFC 1952, 2.2) as MiB, all the same.
	member := func(b []byte) []byte {
		var member bytes.Buffer
		z := gzip.NewWriter(&member)
		_, _ = z.Write(b)
		_ = z.Close()
		return member.Bytes()
	}
	var head bytes.Buffer
	if err := tar.NewWriter(&head).WriteHeader(&tar.Header{Name: "data/zeros", Mode: 0o644, Size: 1200 << 20, Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	content := slices.Concat(member(head.Bytes()), bytes.Repeat(member(make([]byte, 1<<20)), 1200), member(make([]byte, 1024)))
	layer := static.NewLayer(content, ggcrtypes.DockerLayer)
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err == nil {
		err = remote.Write(ref, image)
	}
	if err != nil {
		t.Fatal(err)
	}
	app := newApp(t, c, ns, "large", ref.String())
	f.Send(harness.Added("App", app))
	app = wantShell(t, c, ns, "large", "", "too large")
	before := looks.Load()
	due(t, c, app)
	if status, _ := f.Send(harness.Ping("resync")); status < 200 || status > 299 {
		t.Errorf("the ping was answered %d", status)
	}
	if n := looks.Load() - before; n > 0 {
		t.Errorf("an image that is too large was looked into again, %d times", n)
	}
}
