package tick

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// settled makes Jobs as a tick has left them, that are due at an instant. Those whose instant has come by then owe it, and know it.
func (b *tick) settled(prefix string, n int, instant time.Time) {
	b.Helper()
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
		j.Status = *plan.Status
		j.Status.NextScheduleTime = &metav1.Time{Time: instant}
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
	jobs, due := harness.Number(t, "JOBS", 2000), harness.Number(t, "DUE", 200)
	b := startTick(t)
	began := time.Now()
	b.settled("rest", jobs, began.UTC().Truncate(time.Minute).Add(12*time.Hour))
	t.Logf("%d Jobs made in %s", jobs, time.Since(began).Round(time.Second))
	t.Run(fmt.Sprintf("none of %d due", jobs), func(t *testing.B) {
		b := b.in(t)
		for time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)) < 13*time.Second { // a tick so early waits for its minute
			time.Sleep(time.Second)
		}
		took, cpu := b.ping()
		t.ReportMetric(took.Seconds(), "tick-s")
		t.ReportMetric(cpu.Seconds(), "cpu-s")
		t.ReportMetric(float64(b.PeakMemory())/(1<<20), "MiB")
	})
	instances := []*harness.Function{b.Function}
	for len(instances) < 4 {
		instances = append(instances, b.c.Shipped(t, "tick", b.settings...))
	}
	run := 0
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d of %d due, instances: %d", due, jobs, n), func(t *testing.B) {
			b := b.in(t)
			run++
			before := b.raw(fmt.Sprint("before", run), due)
			last, cpu, memory := b.share(instances[:n], due, fmt.Sprint("due", run, "-"))
			after := b.raw(fmt.Sprint("after", run), due)
			b.clear(due, fmt.Sprint("due", run, "-"))
			t.Logf("the last Task after %s; bare creates %s before and %s after", last.Round(time.Millisecond), before.Round(time.Millisecond), after.Round(time.Millisecond))
			t.ReportMetric((before+after).Seconds()/2/last.Seconds(), "ratio")
			t.ReportMetric(float64(due)/last.Seconds(), "Tasks/s")
			t.ReportMetric(last.Seconds(), "last-s")
			t.ReportMetric(cpu.Seconds(), "cpu-s")
			t.ReportMetric(float64(memory)/(1<<20), "MiB")
		})
	}
}

// clear deletes the Tasks of a run, and its Jobs: what runs for ever here would be in the list of running Tasks that the next run's ticks read.
func (b *tick) clear(jobs int, prefix string) {
	b.Helper()
	tasks, err := client.Collect(client.All[*v1alpha1.Task](context.Background(), b.c.Kf.Tasks(b.ns), metav1.ListOptions{Limit: 500}))
	b.must(err)
	b.parallel(len(tasks), func(i int) error {
		return b.c.Kf.Tasks(b.ns).Delete(context.Background(), tasks[i].Name, metav1.DeleteOptions{})
	})
	b.parallel(jobs, func(i int) error {
		return b.c.Kf.TaskSchedules(b.ns).Delete(context.Background(), fmt.Sprint(prefix, i), metav1.DeleteOptions{})
	})
}

// share has instances do the tick of a minute, a shard each, and says when the last of so many Tasks was there. The Jobs are made before, in
// time for the minute at which they are due, for that is when ticks come.
func (b *tick) share(instances []*harness.Function, tasks int, prefix string) (last, cpu time.Duration, memory int64) {
	b.Helper()
	instant := time.Now().UTC().Add(time.Duration(tasks/100+5) * time.Second).Truncate(time.Minute).Add(time.Minute)
	b.settled(prefix, tasks, instant)
	if time.Now().After(instant.Add(30 * time.Second)) {
		b.Fatalf("to make %d Jobs took until %s after their minute: a tick that is due now is not what is to be measured", tasks, time.Since(instant))
	}
	time.Sleep(time.Until(instant.Add(100 * time.Millisecond)))
	w := harness.Watch(b, b.c.Kf.Tasks(b.ns))
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
	b.Logf("the first Task after %s, the middle one after %s", seen[0].Sub(began).Round(time.Millisecond), seen[len(seen)/2].Sub(began).Round(time.Millisecond))
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
