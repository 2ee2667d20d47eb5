package integration

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// sharded is the ping of one shard.
func sharded(t *testing.T, n, of int) cloudevents.Event {
	t.Helper()
	e := harness.Ping("every-minute")
	if err := e.SetData(cloudevents.ApplicationJSON, fmt.Appendf(nil, `{"shard": %d, "of": %d}`, n, of)); err != nil {
		t.Fatal(err)
	}
	return e
}

// nameIn is a Job's name that is of a shard: who adds instances relies on it that the parts stay as they are.
func (j *jobs) nameIn(n, of int) string {
	for i := 0; ; i++ {
		h := fnv.New32a()
		name := fmt.Sprint("skewed", i)
		h.Write([]byte(j.ns + "/" + name))
		if int(h.Sum32())%of == n {
			return name
		}
	}
}

// TestATickThatIsEarlyRunsItsMinute at each skew between the clock of who sends it and tick's own, and the late one that comes after it
// runs nothing again. Each is a shard of its own, so that all of them need one minute.
func TestATickThatIsEarlyRunsItsMinute(t *testing.T) {
	j := newJobs(t)
	skews := []time.Duration{5 * time.Second, 700 * time.Millisecond, 50 * time.Millisecond}
	instant := minute(-1)
	if time.Until(instant) < 15*time.Second { // to make the Jobs takes a while
		instant = instant.Add(time.Minute)
	}
	names := make([]string, len(skews))
	for i := range skews {
		names[i] = j.nameIn(i, len(skews))
		j.due(names[i], instant)
	}
	var pings sync.WaitGroup
	for i, skew := range skews {
		pings.Go(func() {
			time.Sleep(time.Until(instant.Add(-skew)))
			if status, _ := j.tick.Send(sharded(t, i, len(skews))); status >= 300 || status == 0 {
				t.Errorf("the tick that was %s early was answered with %d", skew, status)
			}
			if took := time.Since(instant); took < 0 || took > 10*time.Second {
				t.Errorf("the tick that was %s early was answered %s after the minute", skew, took)
			}
		})
	}
	pings.Wait()
	for range 2 {
		for i, name := range names {
			j.wantRan(name, instant)
			if created := j.tasks(name)[0].CreationTimestamp; created.Time.Before(instant) || created.Sub(instant) > 5*time.Second {
				t.Errorf("the tick that was %s early ran %s at %s", skews[i], instant, created)
			}
		}
		j.ping() // late, and of all Jobs
	}
	if status, _ := j.tick.Send(sharded(t, 3, 3)); status != http.StatusUnprocessableEntity {
		t.Errorf("a shard that there is not was answered with %d", status)
	}
}

// TestATickKilledInARoundRunsNothingTwice: half the Tasks of a round are there, none is on record, all have ended, and their App keeps
// one. Were they pruned, the next tick would run them again. JOBS=5000 has a round of so many.
func TestATickKilledInARoundRunsNothingTwice(t *testing.T) {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("JOBS"), "100"))
	if err != nil {
		t.Fatal(err)
	}
	j := newJobs(t)
	prune := j.Cluster.Function(t, "prune", "RETAIN=1", "DELETES_PER_SECOND_BUSY=500", "SWEEP_INTERVAL=0s", "K_SINK="+j.facts.URL)
	instant := minute(3)
	var group errgroup.Group
	group.SetLimit(16)
	for i := range n {
		group.Go(func() error { j.due(fmt.Sprint("job", i), instant); return nil })
	}
	_ = group.Wait() // none returns an error
	var once sync.Once
	j.tick.Proxy.Inject(func(r harness.Request) harness.Fault {
		if r.Write == n/2 {
			return harness.Fault{Then: func() { once.Do(j.tick.Kill) }}
		}
		return harness.Fault{}
	})
	if status, _ := j.tick.Send(harness.Ping("every-minute")); status != 0 {
		t.Fatalf("tick answered %d: it was to die", status)
	}
	first := j.endAll()
	if len(first) < n/2 || len(first) == n {
		t.Fatalf("%d of %d Tasks were made", len(first), n)
	}
	swept := harness.Added("Task", &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Namespace: j.ns, Name: "any"},
		Spec: v1alpha1.TaskSpec{AppRef: j.job("job0").Spec.TaskTemplate.AppRef}})
	if status, said := prune.Ask(swept); status != http.StatusServiceUnavailable {
		t.Errorf("prune answered %d %s: it is to come again", status, said)
	}

	j.tick.Proxy.Inject(nil)
	j.tick.Start()
	j.ping()
	j.ping()
	last := j.endAll()
	if len(last) != n {
		t.Errorf("%d Tasks of %d Jobs", len(last), n)
	}
	for name, uid := range first {
		if last[name] != uid {
			t.Errorf("%s was run twice", name)
		}
	}
	for i := range n {
		if h := j.job(fmt.Sprint("job", i)).Status.History; len(h) != 1 || h[0].Outcome != v1alpha1.OutcomeRan {
			t.Errorf("history %+v", h)
		}
	}
}

// endAll ends the Tasks that there are, and returns their UIDs by name.
func (j *jobs) endAll() map[string]types.UID {
	j.Helper()
	list, err := j.Kf.Tasks(j.ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		j.Fatal(err)
	}
	all := map[string]types.UID{}
	var group errgroup.Group
	group.SetLimit(16)
	for _, task := range list.Items {
		all[task.Name] = task.UID
		group.Go(func() error {
			_, err := client.PatchStatus(ctx, j.Kf.Tasks(j.ns), &task, func(t *v1alpha1.Task) {
				now := metav1.Now()
				t.Status.CompletionTime = &now
				meta.SetStatusCondition(&t.Status.Conditions, metav1.Condition{
					Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded})
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		j.Fatal(err)
	}
	return all
}

// TestWhatATickRanIsOnRecordThoughAnotherLeftItOut: while a tick writes that it ran an instant, another, which has seen a blackout that is
// new, has put on record that it was left out. What ran is what counts.
func TestWhatATickRanIsOnRecordThoughAnotherLeftItOut(t *testing.T) {
	j := newJobs(t)
	instant := minute(3)
	j.due("daily", instant)
	var another sync.Once
	j.tick.Proxy.Inject(func(r harness.Request) harness.Fault {
		if r.Is(http.MethodPut, "/taskschedules/daily/status") {
			another.Do(func() {
				at, next := metav1.Time{Time: instant}, metav1.Time{Time: instant.Add(24 * time.Hour)}
				if _, err := client.PatchStatus(ctx, j.Kf.TaskSchedules(j.ns), j.job("daily"), func(s *v1alpha1.TaskSchedule) {
					s.Status.DecidedUntil, s.Status.NextScheduleTime = &at, &next
					s.Status.History = []v1alpha1.Decision{{Instant: at, Outcome: v1alpha1.OutcomeBlackedOut, Message: "a blackout"}}
				}); err != nil {
					t.Error(err)
				}
			})
		}
		return harness.Fault{}
	})
	j.ping()
	j.wantRan("daily", instant)
}
