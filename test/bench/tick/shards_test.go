package tick

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

func number(t testing.TB, setting string, otherwise int) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv(setting), fmt.Sprint(otherwise)))
	if err != nil {
		t.Fatalf("%s: %v", setting, err)
	}
	return n
}

// settled makes Jobs as a tick has left them: those that are due owe the instant of a few minutes ago.
func (b *tick) settled(prefix string, n int, due bool) {
	b.Helper()
	now := time.Now().UTC().Truncate(time.Minute)
	instant := now.Add(12 * time.Hour)
	if due {
		instant = now.Add(-2 * time.Minute)
	}
	b.parallel(n, func(i int) error {
		j := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s%d", prefix, i), Namespace: b.ns, Labels: v1alpha1.TaskScheduleLabels(false)}}
		j.Spec.Schedule = daily(instant)
		j.Spec.TaskTemplate.AppRef.Name, j.Spec.TaskTemplate.Command = "app", "bin/report --daily"
		j, err := b.c.Kf.TaskSchedules(b.ns).Create(context.Background(), j, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		yes := true
		plan, need := job.Sync(j, job.Facts{App: &yes}, time.Now())
		if need != job.NeedNothing {
			return fmt.Errorf("it needs %s", need)
		}
		if j.Status = *plan.Status; due {
			j.Status.DecidedUntil = &metav1.Time{Time: instant.Add(-time.Minute)}
		}
		_, err = b.c.Kf.TaskSchedules(b.ns).UpdateStatus(context.Background(), j, metav1.UpdateOptions{})
		return err
	})
}

// raw is how long the API server takes for so many Tasks as ticks create them, from as many senders.
func (b *tick) raw(prefix string, n int) time.Duration {
	b.Helper()
	of, err := b.c.Kf.TaskSchedules(b.ns).Get(context.Background(), "rest0", metav1.GetOptions{})
	b.must(err)
	began := time.Now()
	b.parallel(n, func(i int) error {
		task := of.NewTask()
		task.Name = fmt.Sprintf("%s-%d", prefix, i)
		_, err := b.c.Kf.Tasks(b.ns).Create(context.Background(), task, metav1.CreateOptions{})
		return err
	})
	return time.Since(began)
}

// BenchmarkShards: JOBS, none due, and then DUE of them in one minute, by 1, 2 and 4 instances that have a shard each, beside what the
// API server takes for bare creates from as many senders, before and after.
//
//	JOBS=100000 DUE=10000 go test -run - -bench Shards -benchtime 1x -timeout 3h -v ./test/bench/tick
func BenchmarkShards(t *testing.B) {
	jobs, due := number(t, "JOBS", 2000), number(t, "DUE", 200)
	b := startTick(t)
	began := time.Now()
	b.settled("rest", jobs, false)
	t.Logf("%d Jobs made in %s", jobs, time.Since(began).Round(time.Second))
	const rounds = 3
	var took, cpu time.Duration
	for range rounds {
		a, c := b.ping()
		took, cpu = took+a, cpu+c
	}
	t.Logf("none of %d due: %s a tick, %s of processor time in tick; %s of memory at most",
		jobs, (took / rounds).Round(time.Millisecond), cpu/rounds, b.memory())

	instances := []*harness.Function{b.Function}
	before := b.raw("raw0", due)
	for _, n := range []int{1, 2, 4} {
		for len(instances) < n {
			instances = append(instances, b.c.Shipped(t, "tick", b.settings...))
		}
		b.settled(fmt.Sprint("due", n, "-"), due, true)
		last, cpu, memory := b.share(instances[:n], due)
		after := b.raw(fmt.Sprint("raw", n), due)
		t.Logf("%d of %d due, %d instances: the last Task after %s (%.0f/s); bare creates %s before and %s after: ratio %.2f; %s of processor time in all, %d MiB in one at most",
			due, jobs, n, last.Round(time.Millisecond), float64(due)/last.Seconds(), before.Round(time.Millisecond), after.Round(time.Millisecond),
			(before+after).Seconds()/2/last.Seconds(), cpu, memory>>20)
		before = after
	}
}

// share has instances do a tick, a shard each, and says when the last of so many Tasks was there.
func (b *tick) share(instances []*harness.Function, tasks int) (last, cpu time.Duration, memory int64) {
	b.Helper()
	w := b.watchTasks()
	for _, f := range instances {
		cpu -= f.CPU()
	}
	began := time.Now()
	var answered sync.WaitGroup
	for i, f := range instances {
		answered.Go(func() {
			if status, _ := f.Send(sharded(b, i, len(instances))); status >= 300 || status == 0 {
				b.Errorf("shard %d was answered with %d", i, status)
			}
		})
	}
	seen := arrivals(b, w, tasks, 10*time.Minute)
	answered.Wait()
	if len(seen) == 0 {
		b.Fatal("no Task came")
	}
	for _, f := range instances {
		cpu += f.CPU()
		memory = max(memory, f.PeakMemory())
	}
	return seen[len(seen)-1].Sub(began), cpu, memory
}

func sharded(t testing.TB, n, of int) cloudevents.Event {
	t.Helper()
	e := harness.Ping("every-minute")
	if err := e.SetData(cloudevents.ApplicationJSON, fmt.Appendf(nil, `{"shard": %d, "of": %d}`, n, of)); err != nil {
		t.Fatal(err)
	}
	return e
}
