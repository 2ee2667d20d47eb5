// Package event measures how near a Task's event comes to what the API server itself can do.
package event

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// BenchmarkEvent has runtask, as it is shipped, make the runs of Tasks whose events so many senders send, each its next when the last was
// answered; and beside it, in turns on the same API server, has as many clients create the same runs themselves. ratio is the rate of
// the first by that of the second, latency the time until the run is there, the median of each, the same way. The runtask of the version before has its
// turn too. It needs an API server of its own:
//
//	bin/cluster up --dir /tmp/bench --stage control-plane
//	. /tmp/bench/env && go test -bench=. -benchtime=1x -timeout=30m ./test/bench/event
func BenchmarkEvent(b *testing.B) {
	for _, senders := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			s := start(b)
			s.round(30, senders) // warm
			var raw, event, before measured
			used, usedBefore := s.runtask.CPU(), s.before.CPU()
			for b.Loop() {
				for range rounds {
					r, e, o := s.round(tasks/rounds, senders)
					raw.add(r)
					event.add(e)
					before.add(o)
				}
			}
			b.ReportMetric(raw.rate(), "raw/s")
			b.ReportMetric(event.rate(), "events/s")
			b.ReportMetric(event.rate()/raw.rate(), "ratio")
			b.ReportMetric(float64(raw.latency())/1e6, "raw-ms")
			b.ReportMetric(float64(event.latency())/1e6, "event-ms")
			b.ReportMetric(float64(event.latency())/float64(raw.latency()), "latency")
			b.ReportMetric(float64(s.runtask.CPU()-used)/1e6/float64(event.n), "runtask-cpu-ms")
			b.ReportMetric(before.rate(), "before/s")
			b.ReportMetric(before.rate()/raw.rate(), "before-ratio")
			b.ReportMetric(float64(before.latency())/float64(raw.latency()), "before-latency")
			b.ReportMetric(float64(s.before.CPU()-usedBefore)/1e6/float64(before.n), "before-cpu-ms")
			b.ReportMetric(0, "ns/op") // it says nothing here
		})
	}
}

// tasks are handled in so many rounds, each beside one of the other kind: what else the machine does falls on both.
const tasks, rounds = 300, 5

// measured is how long a number of runs took.
type measured struct {
	n    int
	took time.Duration
	each []time.Duration // until it is there
}

func (m *measured) add(more measured) {
	m.n, m.took, m.each = m.n+more.n, m.took+more.took, append(m.each, more.each...)
}

func (m measured) rate() float64 { return float64(m.n) / m.took.Seconds() }

func (m measured) latency() time.Duration { return slices.Sorted(slices.Values(m.each))[len(m.each)/2] }

type setup struct {
	testing.TB
	c       *harness.Cluster
	runtask *harness.Function
	before  *harness.Function // that of the version before
	ns      string
	app     *v1alpha1.App
	made    int

	mu   sync.Mutex
	seen map[string]time.Time // when a run was there, by its name
}

func start(b *testing.B) *setup {
	b.Helper()
	s := &setup{TB: b, c: harness.New(b), seen: map[string]time.Time{}}
	s.ns = s.c.Namespace(b, "bench")
	s.app = s.c.App(b, s.ns, "shop")
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	b.Cleanup(sink.Close)
	s.runtask = s.c.Shipped(b, "runtask", "K_SINK="+sink.URL, "LOG_LEVEL=warn")
	s.before = s.c.Of(b, harness.Before(b), "runtask", "K_SINK="+sink.URL, "LOG_LEVEL=warn")
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 64 // else most senders would connect anew each time
	runs := harness.Watch(b, s.c.Tekton.PipelineRuns(s.ns))
	go func() {
		for e := range runs.ResultChan() {
			if run, ok := e.Object.(metav1.Object); ok && e.Type == watch.Added {
				s.mu.Lock()
				s.seen[run.GetName()] = time.Now()
				s.mu.Unlock()
			}
		}
	}()
	return s
}

// round creates so many runs, and then has as many made of Tasks, by each version.
func (s *setup) round(n, senders int) (raw, event, before measured) {
	s.Helper()
	all := s.create(2 * n)
	raw = s.measure(senders, n, func(i int) (string, error) {
		run, err := pipelinerun.For(s.app, all[i], i+1, pipelinerun.Options{})
		if err != nil {
			return "", err
		}
		run.Name = "raw-" + run.Name
		_, err = s.c.Tekton.PipelineRuns(s.ns).Create(context.Background(), run, metav1.CreateOptions{})
		return run.Name, err
	})
	return raw, s.deliver(s.runtask, senders, all[:n]), s.deliver(s.before, senders, all[n:])
}

// create makes so many Tasks.
func (s *setup) create(n int) []*v1alpha1.Task {
	s.Helper()
	all := make([]*v1alpha1.Task, n)
	s.parallel(8, n, func(i int) (err error) {
		all[i], err = s.c.Kf.Tasks(s.ns).Create(context.Background(), harness.NewTask(s.ns, "shop", fmt.Sprintf("t%d", s.made+i)), metav1.CreateOptions{})
		return err
	})
	s.made += n
	return all
}

// deliver sends the events of Tasks to a runtask.
func (s *setup) deliver(to *harness.Function, senders int, all []*v1alpha1.Task) measured {
	s.Helper()
	return s.measure(senders, len(all), func(i int) (string, error) {
		if status, _ := to.Send(harness.Added("Task", all[i])); status >= 300 || status == 0 {
			return "", fmt.Errorf("the event of %s was answered with %d", all[i].Name, status)
		}
		return all[i].Name, nil
	})
}

// measure does n steps, so many at a time, each of which makes the run that it names.
func (s *setup) measure(senders, n int, step func(i int) (string, error)) measured {
	s.Helper()
	began, made := make([]time.Time, n), make([]string, n)
	at := time.Now()
	s.parallel(senders, n, func(i int) (err error) {
		began[i] = time.Now()
		made[i], err = step(i)
		return err
	})
	m := measured{n: n, took: time.Since(at)}
	harness.Eventually(s, time.Minute, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		m.each = nil
		for i, name := range made {
			at, ok := s.seen[name]
			if !ok {
				return fmt.Errorf("there is no run %s", name)
			}
			m.each = append(m.each, at.Sub(began[i]))
		}
		return nil
	})
	return m
}

func (s *setup) parallel(atOnce, n int, do func(i int) error) {
	s.Helper()
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range n {
		group.Go(func() error { return do(i) })
	}
	if err := group.Wait(); err != nil {
		s.Fatal(err)
	}
}
