// Package growth measures what a round of each kind costs as there is more of one thing and another.
package growth

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// BenchmarkGrowth makes more and more Spaces, Apps, Jobs, Jobs that are due and ended Tasks, and at three sizes of each has every function look
// for what it missed, prune look at all Apps, tick do a minute, and kf list a Space. SCALE=10 is ten times as many.
//
//	bin/cluster up --dir .cluster-bench --stage control-plane
//	. .cluster-bench/env && HARNESS_RACE=0 go test -run - -bench . -benchtime 1x -timeout 2h -v ./test/bench/growth
func BenchmarkGrowth(b *testing.B) {
	scale, err := strconv.Atoi(cmp.Or(os.Getenv("SCALE"), "1"))
	if err != nil {
		b.Fatal(err)
	}
	w := start(b)
	for _, dim := range []struct {
		what string
		most int
		make func(ctx context.Context, from, to int)
	}{
		{"Spaces", 100, w.spaces},
		{"Apps", 500, w.apps},
		{"Jobs", 1000, w.jobs(false)},
		{"Jobs due", 100, w.jobs(true)},
		{"Tasks kept", 5000, w.tasks},
	} {
		there := 0
		for _, part := range []int{25, 5, 1} {
			n := dim.most * scale / part
			dim.make(b.Context(), there, n)
			there = n
			b.Run(fmt.Sprintf("%s: %d", dim.what, n), w.rounds)
		}
	}
}

// world is a cluster with the functions that look for what they missed.
type world struct {
	*harness.World
	app         *v1alpha1.App
	tick, prune *harness.Function
	resyncs     []*harness.Function
	image       string    // which build finds
	due         time.Time // when the Jobs are that were made last
}

func start(b *testing.B) *world {
	w := &world{World: harness.NewWorld(b)}
	w.app = w.App("app", map[string]string{v1alpha1.RetainAnnotation: "1000000"}) // none is pruned, and prune has to count
	w.image = pushed(b)
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.Cleanup(sink.Close)
	function := func(of string) *harness.Function {
		f := w.Function(b, of, "K_SINK="+sink.URL, "LOG_LEVEL=error", "SWEEP_INTERVAL=1ms")
		f.Proxy.Inject(nil)
		return f
	}
	w.tick, w.prune = function("tick"), function("prune")
	for _, of := range []string{"runtask", "status", "terminate", "start", "build", "space", "bind"} {
		w.resyncs = append(w.resyncs, function(of))
	}
	w.RunKf(b, w.Namespace, "tasks", w.app.Name) // which builds it
	return w
}

// pushed is an image in a registry that goes with the benchmark.
func pushed(b *testing.B) string {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	b.Cleanup(server.Close)
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/app:1")
	if err == nil {
		err = remote.Write(ref, empty.Image)
	}
	if err != nil {
		b.Fatal(err)
	}
	return ref.String()
}

// cost is what functions have used so far.
type cost struct {
	requests int
	bytes    int64
	cpu      time.Duration
}

func used(functions ...*harness.Function) (c cost) {
	for _, f := range functions {
		c.requests += len(f.Proxy.Requests())
		c.bytes += f.Proxy.Answered()
		c.cpu += f.CPU()
	}
	return c
}

// rounds measures one round of each kind; the first of each is not counted, for it deals with what is new.
func (w *world) rounds(b *testing.B) {
	measure := func(unit, ping string, functions ...*harness.Function) {
		if unit != "tick" || w.due.IsZero() {
			for _, f := range functions {
				f.Deliver(harness.Ping(ping))
			}
		} else {
			time.Sleep(time.Until(w.due.Add(100 * time.Millisecond)))
			w.due = time.Time{}
		}
		before := used(functions...)
		for _, f := range functions {
			f.Deliver(harness.Ping(ping))
		}
		after := used(functions...)
		b.ReportMetric(float64(after.requests-before.requests), unit+"-requests")
		b.ReportMetric(float64(after.bytes-before.bytes)/1000, unit+"-kB")
		b.ReportMetric(float64((after.cpu - before.cpu).Milliseconds()), unit+"-cpu-ms")
	}
	measure("tick", "every-minute", w.tick)
	w.Must(w.Kf.Tasks(w.Namespace).DeleteCollection(b.Context(), metav1.DeleteOptions{}, // what was due would be Tasks that run, in all that comes after
		metav1.ListOptions{LabelSelector: v1alpha1.TaskScheduleLabel}))
	w.tick.Deliver(harness.Ping("every-minute")) // sees that they are gone
	measure("resyncs", "resync", w.resyncs...)
	measure("prune", "every-hour", w.prune)
	for _, list := range []string{"tasks", "jobs"} {
		args := []string{list}
		if list == "tasks" {
			args = append(args, w.app.Name)
		}
		began := time.Now()
		if _, said, code := w.RunKf(b, w.Namespace, args...); code != 0 {
			b.Errorf("kf %s: %s", list, said)
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "kf-"+list+"-ms")
	}
}

const atOnce = 16

func (w *world) spaces(_ context.Context, from, to int) {
	w.Parallel(to-from, atOnce, func(ctx context.Context, i int) error {
		space := &v1alpha1.Space{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", w.Namespace, from+i)}}
		_, err := w.Kf.Spaces().Create(ctx, space, metav1.CreateOptions{})
		w.Cleanup(func() { // its namespace too: nobody plays the event of its end
			_ = w.Kf.Spaces().Delete(context.Background(), space.Name, metav1.DeleteOptions{})
			_ = w.Kube.CoreV1().Namespaces().Delete(context.Background(), space.Name, metav1.DeleteOptions{})
		})
		return err
	})
}

func (w *world) apps(_ context.Context, from, to int) {
	w.Parallel(to-from, atOnce, func(ctx context.Context, i int) error {
		_, err := w.Kf.Apps(w.Namespace).Create(ctx, harness.NewApp(w.Namespace, fmt.Sprintf("app%d", from+i), w.image), metav1.CreateOptions{})
		return err
	})
	harness.Eventually(w, 10*time.Minute, func() error { // until build has settled them: what it has yet to do is no part of a round
		for _, f := range w.resyncs {
			f.Deliver(harness.Ping("resync"))
		}
		list, err := w.Kf.Apps(w.Namespace).List(w.Context(), metav1.ListOptions{})
		w.Must(err)
		for _, a := range list.Items {
			if a.Name != w.app.Name && !meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionReady) {
				return fmt.Errorf("App %s is not ready: %+v", a.Name, a.Status)
			}
		}
		return nil
	})
}

// jobs makes Jobs that are settled: due at a minute to come, or half a day later. Those that are due are made anew, as many as there are to be.
func (w *world) jobs(due bool) func(ctx context.Context, from, to int) {
	return func(_ context.Context, from, to int) {
		at, prefix := time.Now().UTC().Truncate(time.Minute).Add(12*time.Hour), "rest"
		if due {
			from, prefix = 0, fmt.Sprintf("due%d-", to)
			at = time.Now().UTC().Add(time.Duration(to/20+20) * time.Second).Truncate(time.Minute).Add(time.Minute)
			w.due = at
		}
		w.Parallel(to-from, atOnce, func(ctx context.Context, i int) error {
			j := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(prefix, from+i), Namespace: w.Namespace}}
			j.Spec.Schedule = fmt.Sprintf("%d %d * * *", at.Minute(), at.Hour())
			j.Spec.TaskTemplate.AppRef.Name, j.Spec.TaskTemplate.Command = w.app.Name, "bin/report"
			_, err := w.Kf.TaskSchedules(w.Namespace).Create(ctx, j, metav1.CreateOptions{})
			return err
		})
		w.tick.Deliver(harness.Ping("resync")) // settles them
	}
}

// tasks makes Tasks that have run and ended.
func (w *world) tasks(_ context.Context, from, to int) {
	w.Parallel(to-from, atOnce, func(ctx context.Context, _ int) error {
		task, err := w.Add(ctx, w.app, func(t *v1alpha1.Task) {
			t.Labels = map[string]string{v1alpha1.HandledLabel: "yes", v1alpha1.NameLabel: w.app.Name}
		})
		if err != nil {
			return err
		}
		return w.Final(ctx, task, metav1.ConditionTrue)
	})
}

// BenchmarkNamespaces does what Knative's controller of ApiServerSources does whenever a namespace comes or goes, before it rolls the adapter of
// a source of all namespaces over (knative.dev/eventing v0.50, pkg/reconciler/apiserversource): it asks, one by one, whether the source's account
// may get, list and watch each kind in each namespace, and it writes the names of all namespaces into the adapter's settings.
func BenchmarkNamespaces(b *testing.B) {
	c := harness.New(b)
	source, err := os.ReadFile(filepath.Join(harness.Root(), "config/sources/apiserver.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	kinds := strings.Count(string(source), "- {apiVersion: ") + strings.Count(string(source), "- apiVersion: ")
	for _, namespaces := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("namespaces: %d", namespaces), func(b *testing.B) {
			began, asked := time.Now(), 0
			for n := range min(namespaces, 20) { // one is as dear as the other
				for range kinds {
					for _, verb := range []string{"get", "list", "watch"} {
						_, err := c.Kube.AuthorizationV1().SubjectAccessReviews().Create(b.Context(), &authorizationv1.SubjectAccessReview{
							Spec: authorizationv1.SubjectAccessReviewSpec{User: "system:serviceaccount:kf-tasks:source",
								ResourceAttributes: &authorizationv1.ResourceAttributes{
									Namespace: fmt.Sprint("n", n), Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: "tasks"}},
						}, metav1.CreateOptions{})
						if err != nil {
							b.Fatal(err)
						}
						asked++
					}
				}
			}
			each := time.Since(began).Seconds() / float64(asked)
			reviews := float64(namespaces * kinds * 3)
			b.ReportMetric(reviews, "reviews")
			b.ReportMetric(reviews*each, "s-at-least")
			b.ReportMetric(float64(namespaces)*25/1000, "kB-of-settings") // a name and its quotes, of 22 characters say
		})
	}
}
