// Package tick measures ticks.
package tick

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// tick is the function as it is shipped, against an API server of its own:
//
//	bin/cluster up --dir /tmp/bench --stage control-plane
//	. /tmp/bench/env && go test -bench=. -timeout=60m -v ./test/bench/tick
type tick struct {
	testing.TB
	*harness.Function
	c        *harness.Cluster
	ns       string
	settings []string
}

func startTick(t testing.TB) *tick {
	t.Helper()
	b := &tick{TB: t, c: harness.New(t)}
	b.ns = b.c.Namespace(t, "bench")
	b.c.App(t, b.ns, "app")
	b.settings = []string{"K_SINK=" + harness.NewFacts(t).URL, "LOG_LEVEL=" + cmp.Or(os.Getenv("TICK_LOG_LEVEL"), "warn")}
	b.Function = b.c.Shipped(t, "tick", b.settings...)
	return b
}

// in is the same for a part of the benchmark.
func (b *tick) in(t testing.TB) *tick {
	part := *b
	part.TB = t
	return &part
}

func (b *tick) must(err error) {
	if err != nil {
		b.Helper()
		b.Fatal(err)
	}
}

// ping sends a tick and says how long it took, and what processor time the function used for it.
func (b *tick) ping() (took, cpu time.Duration) {
	b.Helper()
	before, began := b.CPU(), time.Now()
	if status, _ := b.Send(harness.Ping("every-minute")); status >= 300 || status == 0 {
		b.Errorf("the tick was answered with %d", status)
	}
	return time.Since(began), b.CPU() - before
}

// memory is the most that the function ever held.
func (b *tick) memory() string { return fmt.Sprintf("%d kB", b.PeakMemory()>>10) }

func (b *tick) parallel(n int, do func(i int) error) {
	b.Helper()
	var group errgroup.Group
	group.SetLimit(32)
	for i := range n {
		group.Go(func() error { return do(i) })
	}
	b.must(group.Wait())
}

// daily is an expression that names just this minute of a day.
func daily(t time.Time) string { return fmt.Sprintf("%d %d * * *", t.UTC().Minute(), t.UTC().Hour()) }

// create makes Jobs that are due at an instant, and has them settled.
func (b *tick) create(n int, instant time.Time, edit func(*v1alpha1.TaskSchedule)) {
	b.Helper()
	b.parallel(n, func(i int) error {
		job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("job%d", i), Namespace: b.ns}}
		job.Spec.Schedule = daily(instant)
		job.Spec.TaskTemplate.AppRef.Name = "app"
		job.Spec.TaskTemplate.Command = "bin/report --daily"
		if edit != nil {
			edit(job)
		}
		_, err := b.c.Kf.TaskSchedules(b.ns).Create(context.Background(), job, metav1.CreateOptions{})
		return err
	})
	took, _ := b.ping()
	b.Logf("%d new Jobs settled by one tick in %s", n, took.Round(time.Millisecond))
}

// history gives every Job a history as long as it gets.
func (b *tick) history(n int) {
	b.Helper()
	b.parallel(n, func(i int) error {
		jobs := b.c.Kf.TaskSchedules(b.ns)
		job, err := jobs.Get(context.Background(), fmt.Sprintf("job%d", i), metav1.GetOptions{})
		if err != nil {
			return err
		}
		_, err = client.PatchStatus(context.Background(), jobs, job, func(j *v1alpha1.TaskSchedule) {
			for k := range 50 {
				instant := metav1.NewTime(time.Now().Add(-time.Duration(k) * 24 * time.Hour).Truncate(time.Minute))
				j.Status.History = append(j.Status.History, v1alpha1.Decision{Instant: instant, Outcome: v1alpha1.OutcomeRan, Task: j.TaskName(instant.Time), Result: "Succeeded"})
			}
		})
		return err
	})
}

// arrivals notes when each of n objects was seen by a watch, until all were or the time is over.
func arrivals(b testing.TB, w watch.Interface, n int, limit time.Duration) (seen []time.Time) {
	defer w.Stop()
	end := time.After(limit)
	for len(seen) < n {
		select {
		case e, open := <-w.ResultChan():
			if !open {
				b.Fatalf("the watch ended after %d of %d", len(seen), n)
			}
			if e.Type == watch.Added {
				seen = append(seen, time.Now())
			}
		case <-end:
			b.Logf("%d of %d within %s", len(seen), n, limit)
			return seen
		}
	}
	return seen
}

// report says how late the runs of an instant were, the last of them above all.
func (b *tick) report(what string, instant time.Time, seen []time.Time) (last time.Duration) {
	if len(seen) == 0 {
		b.Fatalf("%s: none came", what)
	}
	slices.SortFunc(seen, time.Time.Compare)
	late := func(i int) time.Duration { return seen[i].Sub(instant).Round(time.Millisecond) }
	rate := float64(len(seen)-1) / seen[len(seen)-1].Sub(seen[0]).Seconds()
	b.Logf("%s: %d runs of one minute: the first %s late, the middle %s, the last %s (%.0f/s)", what, len(seen), late(0), late(len(seen)/2), late(len(seen)-1), rate)
	return late(len(seen) - 1)
}

// fire waits for the instant, sends the tick as PingSource does, and reports how late the Tasks came.
func (b *tick) fire(n int, instant time.Time) (last time.Duration) {
	b.Helper()
	w := harness.Watch(b, b.c.Kf.Tasks(b.ns))
	if left := time.Until(instant); left < 0 {
		b.Fatalf("the Jobs were not ready in time: %s late", -left)
	}
	time.Sleep(time.Until(instant))
	var answered sync.WaitGroup
	answered.Go(func() {
		took, cpu := b.ping()
		b.Logf("the tick was answered after %s; it used %s of processor time, %s of memory at most", took.Round(time.Millisecond), cpu, b.memory())
	})
	seen := arrivals(b, w, n, 10*time.Minute)
	answered.Wait()
	return b.report("tick", instant, seen)
}

// Benchmark10000Jobs: a tick with nothing to do, one with everything to do, and one that comes again.
func Benchmark10000Jobs(t *testing.B) {
	n := 10000
	if v, err := strconv.Atoi(os.Getenv("JOBS")); err == nil {
		n = v
	}
	b := startTick(t)
	instant := time.Now().Truncate(time.Minute).Add(time.Duration(n/2000+2) * time.Minute)
	b.create(n, instant, nil)
	idle := func(what string) {
		var took, cpu time.Duration
		const rounds = 5
		for range rounds {
			a, c := b.ping()
			took, cpu = took+a, cpu+c
		}
		t.Logf("none of %d Jobs is due, %s: %s a tick, %s of processor time in the function; %s of memory at most",
			n, what, (took / rounds).Round(time.Millisecond), cpu/rounds, b.memory())
	}
	idle("histories empty")
	b.history(n)
	idle("histories full")
	b.fire(n, instant)
	took, _ := b.ping()
	t.Logf("the same tick once more: %s", took.Round(time.Millisecond))
}

// BenchmarkBesideCronJob: 1,000 runs that are due in one minute, by this project and by Kubernetes' own CronJob controller
// with its defaults, which is part of the cluster, on the same API server. Its Jobs are suspended, so that no Pods are made
// of them while it works.
func BenchmarkBesideCronJob(t *testing.B) {
	n := harness.Number(t, "JOBS", 1000)
	b := startTick(t)
	inTime := func() time.Time { return time.Now().Truncate(time.Minute).Add(time.Duration(n/1000+2) * time.Minute) }
	var ours, theirs time.Duration
	t.Run("tick", func(t *testing.B) {
		b := b.in(t)
		instant := inTime()
		b.create(n, instant, nil)
		ours = b.fire(n, instant)
		t.ReportMetric(ours.Seconds(), "last-s")
		t.ReportMetric(float64(n)/ours.Seconds(), "runs/s")
	})
	t.Run("CronJob controller", func(t *testing.B) {
		b := b.in(t)
		instant := inTime()
		b.cronJobs(n, instant)
		w, err := b.c.Kube.BatchV1().Jobs(b.ns).Watch(context.Background(), metav1.ListOptions{})
		b.must(err)
		theirs = b.report("CronJob controller", instant, arrivals(b, w, n, 10*time.Minute))
		t.ReportMetric(theirs.Seconds(), "last-s")
		t.ReportMetric(float64(n)/theirs.Seconds(), "runs/s")
		t.ReportMetric(theirs.Seconds()/ours.Seconds(), "times-as-late")
	})
}

func (b *tick) cronJobs(n int, instant time.Time) {
	b.Helper()
	b.parallel(n, func(i int) error {
		c := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("job%d", i), Namespace: b.ns}}
		c.Spec.Schedule = daily(instant)
		suspend := true
		c.Spec.JobTemplate.Spec.Suspend = &suspend
		c.Spec.JobTemplate.Spec.Template.Spec = corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{{Name: "user-container", Image: "registry.example/app:1", Args: []string{"bin/report --daily"}}}}
		_, err := b.c.Kube.BatchV1().CronJobs(b.ns).Create(context.Background(), c, metav1.CreateOptions{})
		return err
	})
}
