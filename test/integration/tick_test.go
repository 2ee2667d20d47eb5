package integration

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// jobs is a Space with an App, and tick.
type jobs struct {
	*testing.T
	*harness.Cluster
	ns    string
	tick  *harness.Function
	facts *harness.Facts
}

func newJobs(t *testing.T) *jobs {
	t.Helper()
	j := &jobs{T: t, Cluster: harness.New(t), facts: harness.NewFacts(t)}
	j.ns = j.Cluster.Namespace(t, "tick")
	j.Cluster.App(t, j.ns, "shop")
	j.tick = j.Cluster.Function(t, "tick", "K_SINK="+j.facts.URL)
	return j
}

// told is how often a fact of a Job was told.
func (j *jobs) told(eventType, job string) int { return j.facts.Told(eventType, j.ns+"/"+job) }

// minute is n minutes ago.
func minute(n int) time.Time {
	return time.Now().UTC().Truncate(time.Minute).Add(-time.Duration(n) * time.Minute)
}

// daily is an expression that names just this minute of a day.
func daily(t time.Time) string { return fmt.Sprintf("%d %d * * *", t.Minute(), t.Hour()) }

func (j *jobs) create(name, schedule string, edits ...func(*v1alpha1.TaskSchedule)) *v1alpha1.TaskSchedule {
	j.Helper()
	job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: j.ns}}
	job.Spec.Schedule = schedule
	job.Spec.TaskTemplate.AppRef.Name = "shop"
	job.Spec.TaskTemplate.Command = "true"
	for _, edit := range edits {
		edit(job)
	}
	job, err := j.Kf.TaskSchedules(j.ns).Create(ctx, job, metav1.CreateOptions{})
	if err != nil {
		j.Fatal(err)
	}
	return job
}

// due makes a Job that owes one instant, and no other for a day: as if it had been created long ago.
func (j *jobs) due(name string, instant time.Time, edits ...func(*v1alpha1.TaskSchedule)) *v1alpha1.TaskSchedule {
	j.Helper()
	job := j.create(name, daily(instant), edits...)
	j.tick.Deliver(harness.Added("TaskSchedule", job))
	job, err := client.PatchStatus(ctx, j.Kf.TaskSchedules(j.ns), j.job(name), func(s *v1alpha1.TaskSchedule) {
		s.Status.DecidedUntil = &metav1.Time{Time: instant.Add(-time.Minute)}
	})
	if err != nil {
		j.Fatal(err)
	}
	return job
}

func (j *jobs) job(name string) *v1alpha1.TaskSchedule {
	j.Helper()
	job, err := j.Kf.TaskSchedules(j.ns).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		j.Fatal(err)
	}
	return job
}

func (j *jobs) ready(name string) string {
	j.Helper()
	if c := meta.FindStatusCondition(j.job(name).Status.Conditions, v1alpha1.ConditionReady); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

func (j *jobs) tasks(job string) []v1alpha1.Task {
	j.Helper()
	list, err := j.Kf.Tasks(j.ns).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskScheduleLabel + "=" + job})
	if err != nil {
		j.Fatal(err)
	}
	return list.Items
}

// ping delivers a tick as the Broker does, until it is taken. It is clear of the next minute: a tick up to ten seconds before that is
// taken for that minute's (TestATickThatIsEarlyRunsItsMinute), and runs what is due there as well.
func (j *jobs) ping() {
	j.Helper()
	for now := time.Now(); now.Truncate(time.Minute).Add(time.Minute).Sub(now) < 13*time.Second; now = time.Now() {
		time.Sleep(time.Until(now.Truncate(time.Minute).Add(time.Minute)) + 50*time.Millisecond)
	}
	j.tick.Deliver(harness.Ping("every-minute"))
}

// costs fails unless a tick comes to cost so many reads and no write. Jobs that other tests have left may have their first tick now, and
// be put on record: it is asked again until they are at rest.
func (j *jobs) costs(reads int, when string) {
	j.Helper()
	harness.Eventually(j.T, time.Minute, func() error {
		j.tick.Proxy.Inject(nil)
		j.ping()
		if r, w := j.tick.Proxy.Counts(); r != reads || w != 0 {
			return fmt.Errorf("%s, a tick cost %d reads and %d writes, want %d reads", when, r, w, reads)
		}
		return nil
	})
}

// wantRan fails unless the instant was run just once, and the Job says so.
func (j *jobs) wantRan(name string, instant time.Time) {
	j.Helper()
	job := j.job(name)
	tasks := j.tasks(name)
	if len(tasks) != 1 || tasks[0].Name != fmt.Sprintf("%s-%d", name, instant.Unix()) || !metav1.IsControlledBy(&tasks[0], job) {
		j.Fatalf("Job %s has %d Tasks, want one for %s: %+v", name, len(tasks), instant, tasks)
	}
	s := job.Status
	if len(s.History) != 1 || s.History[0].Outcome != v1alpha1.OutcomeRan || s.History[0].Task != tasks[0].Name {
		j.Errorf("Job %s has the history %+v, want one run of %s", name, s.History, tasks[0].Name)
	}
	if s.DecidedUntil == nil || !s.DecidedUntil.Time.Equal(instant) || s.LastScheduleTime == nil || !s.LastScheduleTime.Time.Equal(instant) ||
		s.NextScheduleTime == nil || !s.NextScheduleTime.Time.Equal(instant.Add(24*time.Hour)) {
		j.Errorf("Job %s: decided until %v, last %v, next %v; the instant was %v", name, s.DecidedUntil, s.LastScheduleTime, s.NextScheduleTime, instant)
	}
	if len(s.Active) != 1 || s.Active[0].Name != tasks[0].Name {
		j.Errorf("Job %s has active Tasks %v", name, s.Active)
	}
	if j.told(events.JobFired, name) == 0 {
		j.Errorf("nobody was told that Job %s fired", name)
	}
}

func TestJobIsReadyAtOnceAndCostsNothingAtRest(t *testing.T) {
	j := newJobs(t)
	job := j.create("kfs", v1alpha1.NeverSchedule, func(s *v1alpha1.TaskSchedule) { s.Spec.Suspend = true })
	j.tick.Deliver(harness.Added("TaskSchedule", job))
	job = j.job("kfs")
	if got := j.ready("kfs"); got != "True Suspended" {
		t.Errorf("Ready is %q", got)
	}
	for k, v := range v1alpha1.TaskScheduleLabels(true) {
		if job.Labels[k] != v {
			t.Errorf("label %s is %q, want %q", k, job.Labels[k], v)
		}
	}
	j.tick.Proxy.Inject(nil)
	j.tick.Deliver(harness.Updated("TaskSchedule", job)) // of our own writes
	if reads, writes := j.tick.Proxy.Counts(); reads+writes != 0 {
		t.Errorf("an event of our own write cost %d reads and %d writes", reads, writes)
	}
	j.costs(2, "with nothing due, which is of the Jobs that are due and of all")

	// kf schedule-job
	patch := []byte(`{"spec":{"schedule":"0 0 1 1 *","suspend":false}}`)
	job, err := j.Kf.TaskSchedules(j.ns).Patch(ctx, "kfs", types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	j.tick.Deliver(harness.Updated("TaskSchedule", job))
	job = j.job("kfs")
	if got := j.ready("kfs"); got != "True Scheduled" || job.Labels[v1alpha1.SuspendLabel] != "false" || job.Status.NextScheduleTime == nil {
		t.Errorf("Ready is %q, labels %v, next %v", got, job.Labels, job.Status.NextScheduleTime)
	}
	if until := job.Status.DecidedUntil; until == nil || time.Since(until.Time) > 10*time.Second || until.Time.Before(job.CreationTimestamp.Time) {
		t.Errorf("decided until %v: want the moment of the change", until)
	}
}

func TestJobWhoseEventWasLostIsSettledByThePing(t *testing.T) {
	j := newJobs(t)
	j.create("lost", "0 0 1 1 *")
	j.tick.Deliver(harness.Ping("resync"))
	if got := j.ready("lost"); got != "True Scheduled" {
		t.Errorf("Ready is %q", got)
	}
	harness.Eventually(t, time.Minute, func() error { // as costs has it
		j.tick.Proxy.Inject(nil)
		j.tick.Deliver(harness.Ping("resync"))
		if r, w := j.tick.Proxy.Counts(); r != 1 || w != 0 {
			return fmt.Errorf("the ping with nothing to do cost %d reads and %d writes, want one list", r, w)
		}
		return nil
	})
}

func TestDueJobRunsOnceHoweverOftenTheTickComes(t *testing.T) {
	j := newJobs(t)
	instant := minute(3)
	j.due("daily", instant)
	other := j.Cluster.Function(t, "tick") // Knative may run several
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() { []*harness.Function{j.tick, other}[i%2].Deliver(harness.Ping("every-minute")) })
	}
	wg.Wait()
	if tasks := j.tasks("daily"); len(tasks) != 1 {
		t.Fatalf("%d Tasks", len(tasks))
	}
	task := j.tasks("daily")[0]
	want := v1alpha1.TaskLabels("shop")
	want[v1alpha1.TaskScheduleLabel] = "daily"
	for k, v := range want {
		if task.Labels[k] != v {
			t.Errorf("the Task's label %s is %q, want %q", k, task.Labels[k], v)
		}
	}
	if history := j.job("daily").Status.History; len(history) != 1 || history[0].Outcome != v1alpha1.OutcomeRan {
		t.Errorf("history %+v", history)
	}

	// pruned, it does not come back
	if err := j.Kf.Tasks(j.ns).Delete(ctx, task.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	old := harness.Ping("every-minute")
	old.SetTime(instant) // however old the ping is
	j.tick.Deliver(old)
	other.Deliver(harness.Ping("every-minute"))
	if tasks := j.tasks("daily"); len(tasks) != 0 {
		t.Errorf("a pruned Task came back: %s", tasks[0].Name)
	}
}

func TestJobRunsOnceWhateverWriteTickDiesAfter(t *testing.T) {
	for _, policy := range []v1alpha1.ConcurrencyPolicy{v1alpha1.ConcurrencyAlways, v1alpha1.ConcurrencyForbid, v1alpha1.ConcurrencyReplace} {
		writes := 2 // the Task, the status
		if policy == v1alpha1.ConcurrencyReplace {
			writes = 3 // what ran is terminated first
		}
		for after := 1; after <= writes; after++ {
			t.Run(fmt.Sprintf("%s, write %d", policy, after), func(t *testing.T) {
				j := newJobs(t)
				instant := minute(3)
				job := j.due("daily", instant, func(s *v1alpha1.TaskSchedule) { s.Spec.ConcurrencyPolicy = policy })
				if policy == v1alpha1.ConcurrencyReplace {
					j.byHand(job, "runs")
				}
				killed := false
				j.tick.Proxy.Inject(func(r harness.Request) harness.Fault {
					if r.Write == after && !killed {
						killed = true
						return harness.Fault{Then: j.tick.Kill}
					}
					return harness.Fault{}
				})
				if status, _ := j.tick.Send(harness.Ping("every-minute")); status != 0 {
					t.Fatalf("tick answered %d: it was to die", status)
				}
				j.tick.Proxy.Inject(nil)
				j.tick.Start()
				j.ping()
				if policy == v1alpha1.ConcurrencyReplace {
					old, err := j.Kf.Tasks(j.ns).Get(ctx, "runs", metav1.GetOptions{})
					if err != nil || !old.Spec.Terminated {
						t.Errorf("what ran was not terminated: %v", err)
					}
					if err := j.Kf.Tasks(j.ns).Delete(ctx, "runs", metav1.DeleteOptions{}); err != nil {
						t.Fatal(err)
					}
					j.ping()
				}
				j.wantRan("daily", instant)
			})
		}
	}
}

// byHand is a Task of a Job that runs, as of kf run-job.
func (j *jobs) byHand(job *v1alpha1.TaskSchedule, name string) *v1alpha1.Task {
	j.Helper()
	task := job.NewTask()
	task.Name = name
	task, err := j.Kf.Tasks(j.ns).Create(ctx, task, metav1.CreateOptions{})
	if err != nil {
		j.Fatal(err)
	}
	return task
}

func TestJobOutlivesErrorsOfTheAPIServer(t *testing.T) {
	for _, status := range []int{409, 429, 500, 503, 504} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, taking effect %t", status, after), func(t *testing.T) {
				j := newJobs(t)
				instant := minute(3)
				j.due("daily", instant)
				var mu sync.Mutex
				failed := map[string]bool{}
				j.tick.Proxy.Inject(func(r harness.Request) harness.Fault { // each kind of request fails the first time
					mu.Lock()
					defer mu.Unlock()
					key := r.Method + r.Path
					if failed[key] {
						return harness.Fault{}
					}
					failed[key] = true
					return harness.Fault{Status: status, After: after}
				})
				j.ping()
				j.wantRan("daily", instant)
			})
		}
	}
}

func TestOneBadJobCostsOnlyItself(t *testing.T) {
	j := newJobs(t)
	instant := minute(3)
	const good = 20
	for i := range good {
		j.due(fmt.Sprint("good", i), instant)
	}
	j.due("no-app", instant, func(s *v1alpha1.TaskSchedule) { s.Spec.TaskTemplate.AppRef.Name = "nobody" })
	j.due("taken", instant)
	j.due("forbidden", instant)
	j.due("broken", instant)
	j.create("nonsense", "61 * * * *")
	j.create("nowhere", "0 0 * * *", func(s *v1alpha1.TaskSchedule) { s.Spec.TimeZone = "Mars/Base" })
	j.Task(t, j.ns, "shop", fmt.Sprintf("taken-%d", instant.Unix()))
	j.tick.Proxy.Inject(func(r harness.Request) harness.Fault {
		// the Task's name is in the body: these fail by the Job's status and the Task that is read after AlreadyExists
		if r.Is("PUT", "/taskschedules/broken/") {
			return harness.Fault{Status: 500}
		}
		return harness.Fault{}
	})
	if status, _ := j.tick.Send(harness.Ping("every-minute")); status != http.StatusServiceUnavailable {
		t.Errorf("tick answered %d: one Job failed, so it was to be 503", status)
	}
	for i := range good {
		j.wantRan(fmt.Sprint("good", i), instant)
	}
	for name, want := range map[string]string{
		"no-app": "False AppNotFound", "taken": "False TaskRefused", "nonsense": "False InvalidSchedule", "nowhere": "False InvalidTimeZone",
	} {
		if got := j.ready(name); got != want {
			t.Errorf("Job %s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"no-app", "taken"} {
		if h := j.job(name).Status.History; len(h) != 1 || h[0].Outcome != v1alpha1.OutcomeRefused || h[0].Message == "" {
			t.Errorf("Job %s has the history %+v, want one refusal with its reason", name, h)
		}
	}
	j.tick.Proxy.Inject(nil)
	j.ping()
	j.wantRan("broken", instant)

	// The App comes: the Job is ready within a minute, and owes nothing.
	j.Cluster.App(t, j.ns, "nobody")
	j.ping()
	if got := j.ready("no-app"); got != "True Scheduled" || len(j.tasks("no-app")) != 0 {
		t.Errorf("Job no-app is %q with %d Tasks", got, len(j.tasks("no-app")))
	}
}

func TestTaskThatIsForbiddenIsTriedByTheNextTick(t *testing.T) {
	j := newJobs(t)
	instant := minute(3)
	j.due("daily", instant)
	j.tick.Proxy.Inject(func(r harness.Request) harness.Fault {
		if r.Is("POST", "/tasks") {
			return harness.Fault{Status: 403} // a quota, say
		}
		return harness.Fault{}
	})
	j.ping() // is done with it: a sender that tried again at once would gain nothing
	if got := j.ready("daily"); got != "False TaskNotCreated" {
		t.Errorf("Ready is %q", got)
	}
	version := j.job("daily").ResourceVersion
	j.ping()
	if got := j.job("daily").ResourceVersion; got != version {
		t.Error("the same again was written again")
	}
	j.tick.Proxy.Inject(nil)
	j.ping()
	j.wantRan("daily", instant)
	if got := j.ready("daily"); got != "True Scheduled" {
		t.Errorf("Ready is %q", got)
	}
}

func TestForbidAndReplace(t *testing.T) {
	j := newJobs(t)
	instant := minute(3)
	for _, policy := range []v1alpha1.ConcurrencyPolicy{v1alpha1.ConcurrencyForbid, v1alpha1.ConcurrencyReplace} {
		name := strings.ToLower(string(policy))
		job := j.due(name, instant, func(s *v1alpha1.TaskSchedule) { s.Spec.ConcurrencyPolicy = policy })
		j.byHand(job, name+"-runs")
	}
	j.ping()
	if h := j.job("forbid").Status.History; len(h) != 1 || h[0].Outcome != v1alpha1.OutcomeSkipped || h[0].Task != "forbid-runs" || len(j.tasks("forbid")) != 1 {
		t.Errorf("Forbid: history %+v, %d Tasks", h, len(j.tasks("forbid")))
	}
	if j.told(events.JobSkipped, "forbid") != 1 {
		t.Error("nobody was told that the Job was skipped")
	}
	for _, task := range j.tasks("replace") {
		if task.Spec.Terminated != (task.Name == "replace-runs") {
			t.Errorf("Replace: Task %s terminated %t", task.Name, task.Spec.Terminated)
		}
	}
	if n := len(j.tasks("replace")); n != 2 {
		t.Errorf("Replace: %d Tasks, want the old and the new", n)
	}
}

// TestATaskOfAnotherNamespaceStandsInNoJobsWay: whoever may create Tasks anywhere may write that a Job owns one.
func TestATaskOfAnotherNamespaceStandsInNoJobsWay(t *testing.T) {
	j := newJobs(t)
	instant := minute(3)
	job := j.due("forbid", instant, func(s *v1alpha1.TaskSchedule) { s.Spec.ConcurrencyPolicy = v1alpha1.ConcurrencyForbid })
	foreign := job.NewTask()
	foreign.Name, foreign.Namespace = "stands-in-the-way", j.Cluster.Namespace(t, "tick-foreign")
	if _, err := j.Kf.Tasks(foreign.Namespace).Create(ctx, foreign, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	j.ping()
	j.wantRan("forbid", instant)
}

// While another has the name of what ran, made meanwhile and by somebody else, it is not terminated in its place.
func TestReplaceTerminatesWhatRanAndNoOther(t *testing.T) {
	j := newJobs(t)
	instant := minute(3)
	j.byHand(j.due("daily", instant, func(s *v1alpha1.TaskSchedule) { s.Spec.ConcurrencyPolicy = v1alpha1.ConcurrencyReplace }), "runs")
	var once sync.Once
	j.tick.Proxy.Inject(func(r harness.Request) harness.Fault {
		if r.Is("PATCH", "/tasks/runs") {
			once.Do(func() {
				if err := j.Kf.Tasks(j.ns).Delete(ctx, "runs", metav1.DeleteOptions{}); err != nil {
					t.Error(err)
				}
				j.Task(t, j.ns, "shop", "runs")
			})
		}
		return harness.Fault{}
	})
	j.ping()
	other, err := j.Kf.Tasks(j.ns).Get(ctx, "runs", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if other.Spec.Terminated {
		t.Error("a Task that is not the Job's was terminated")
	}
	j.wantRan("daily", instant)
}

func TestOutageOnlyTheLatestRuns(t *testing.T) {
	j := newJobs(t)
	last := minute(2)
	const missed = 9
	_, err := client.PatchStatus(ctx, j.Kf.TaskSchedules(j.ns), j.due("often", last, func(s *v1alpha1.TaskSchedule) {
		for n := range missed {
			s.Spec.Schedules = append(s.Spec.Schedules, daily(last.Add(-time.Duration(n+1)*time.Minute)))
		}
	}), func(s *v1alpha1.TaskSchedule) {
		s.Status.DecidedUntil = &metav1.Time{Time: last.Add(-(missed + 1) * time.Minute)}
	})
	if err != nil {
		t.Fatal(err)
	}
	j.ping()
	tasks := j.tasks("often")
	if len(tasks) != 1 || tasks[0].Name != fmt.Sprintf("often-%d", last.Unix()) {
		t.Errorf("Tasks %v, want that of %s", tasks, last)
	}
	h := j.job("often").Status.History
	if len(h) != 2 || h[0].Outcome != v1alpha1.OutcomeRan || h[1].Outcome != v1alpha1.OutcomeMissed || h[1].Count != missed || h[1].Message == "" {
		t.Errorf("history %+v, want a run and %d missed", h, missed)
	}
	if j.told(events.JobMissed, "often") != 1 {
		t.Error("nobody was told what was missed")
	}
}

func TestJobForgetsTasksThatEndedAndKeepsTheirResult(t *testing.T) {
	j := newJobs(t)
	instant := minute(3)
	j.due("daily", instant)
	j.ping()
	task := j.tasks("daily")[0]
	_, err := client.PatchStatus(ctx, j.Kf.Tasks(j.ns), &task, func(t *v1alpha1.Task) {
		now := metav1.Now()
		t.Status.CompletionTime = &now
		meta.SetStatusCondition(&t.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionFalse, Reason: "OutOfMemory"})
	})
	if err != nil {
		t.Fatal(err)
	}
	j.ping()
	s := j.job("daily").Status
	if len(s.Active) != 0 || s.History[0].Result != "OutOfMemory" {
		t.Errorf("active %v, history %+v", s.Active, s.History)
	}
}

// A ping that comes before the start of a run, in the same minute, is answered when it has started.
func TestJitterWaitsWithinTheTick(t *testing.T) {
	j := newJobs(t)
	for try := 0; ; try++ {
		name, instant := fmt.Sprint("spread", try), minute(1)
		spread := j.due(name, instant, func(s *v1alpha1.TaskSchedule) { s.Spec.JitterSeconds = 120 })
		start := instant.Add(job.Jitter(spread)) // by its UID: any second of the last minute or of this one
		if time.Until(start) < 2*time.Second {
			if err := j.Kf.TaskSchedules(j.ns).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		sent := time.Now()
		if status, _ := j.tick.Send(harness.Ping("every-minute")); status != http.StatusAccepted && status != http.StatusOK {
			t.Fatalf("tick answered %d", status)
		}
		if !sent.Before(start) || !sent.Truncate(time.Minute).Equal(start.Truncate(time.Minute)) {
			continue // a slow machine: it came too late to wait for anything
		}
		j.wantRan(name, instant)
		if created := j.tasks(name)[0].CreationTimestamp; created.Time.Before(start) {
			t.Errorf("the run of %s was to start at %s, and did at %s", instant, start, created)
		}
		return
	}
}

// aged is a suspended Job whose last edit, and what tick has seen of it, were hours ago.
func (j *jobs) aged(name string, hours int) *v1alpha1.TaskSchedule {
	j.Helper()
	j.create(name, "* * * * *", func(s *v1alpha1.TaskSchedule) { s.Spec.TimeZone = "UTC" })
	patch := []byte(`{"spec": {"suspend": true}}`)
	job, err := j.Kf.TaskSchedules(j.ns).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		j.Fatal(err)
	}
	then := &metav1.Time{Time: minute(60 * hours)}
	for i := range job.ManagedFields {
		job.ManagedFields[i].Time = then
	}
	job.Labels = map[string]string{"aged": "yes"} // an update of nothing but such times is none to the API server
	if job, err = j.Kf.TaskSchedules(j.ns).Update(ctx, job, metav1.UpdateOptions{FieldManager: "somebody"}); err != nil {
		j.Fatal(err)
	}
	j.tick.Deliver(harness.Updated("TaskSchedule", job))
	if at := j.job(name).Status.SpecChangedAt; !at.Equal(then) {
		j.Fatalf("the spec was changed at %v, want %v", at, then)
	}
	return j.job(name)
}

// TestResumedByRemovingAFieldOwesNothing: the API server keeps no time of an edit that only removes fields.
func TestResumedByRemovingAFieldOwesNothing(t *testing.T) {
	j := newJobs(t)
	before := j.aged("removed", 3)
	after, err := j.Kf.TaskSchedules(j.ns).Patch(ctx, "removed", types.JSONPatchType,
		[]byte(`[{"op": "remove", "path": "/spec/suspend"}]`), metav1.PatchOptions{})
	if err != nil || after.Spec.Suspend || after.Generation != before.Generation+1 {
		t.Fatalf("%+v: %v", after, err)
	}
	for _, m := range after.ManagedFields {
		if strings.Contains(m.FieldsV1.GetRawString(), `"f:spec":`) && time.Since(m.Time.Time) < time.Hour {
			t.Fatalf("the API server has a time of it, %s: then this test shows nothing", m.Time)
		}
	}
	edited := time.Now()
	j.ping()
	job := j.job("removed")
	for _, task := range j.tasks("removed") {
		if !strings.HasSuffix(task.Name, fmt.Sprint(minute(0).Unix())) || minute(0).Before(edited) {
			t.Errorf("%s ran for the time before the Job was resumed", task.Name)
		}
	}
	if until := job.Status.DecidedUntil; until == nil || until.Time.Before(edited.Truncate(time.Second)) {
		t.Errorf("decided until %v, and it was resumed at %v", until, edited)
	}
	if h := job.Status.History; len(h) != 1 || h[0].Outcome != v1alpha1.OutcomeSuspended {
		t.Errorf("history %+v", h)
	}
}

// TestJobOfKfOwesNothing: it has run before, by Kf's own status, and was made long before tick saw it.
func TestJobOfKfOwesNothing(t *testing.T) {
	j := newJobs(t)
	job := j.create("kfs", daily(minute(0)))
	job, err := client.PatchStatus(ctx, j.Kf.TaskSchedules(j.ns), job, func(s *v1alpha1.TaskSchedule) {
		s.Status.LastScheduleTime = &metav1.Time{Time: minute(24 * 60)}
	})
	if err != nil {
		t.Fatal(err)
	}
	j.ping()
	if got := j.ready("kfs"); got != "True Scheduled" || len(j.tasks("kfs")) != 0 || j.job("kfs").Status.DecidedUntil.Before(&job.CreationTimestamp) {
		t.Errorf("Ready is %q, %d Tasks, %+v", got, len(j.tasks("kfs")), j.job("kfs").Status)
	}
}

// TestWatermarkInTheFutureIsSaid, and how to begin anew.
func TestWatermarkInTheFutureIsSaid(t *testing.T) {
	j := newJobs(t)
	j.due("ahead", minute(3))
	if _, err := client.PatchStatus(ctx, j.Kf.TaskSchedules(j.ns), j.job("ahead"), func(s *v1alpha1.TaskSchedule) {
		s.Status.DecidedUntil = &metav1.Time{Time: minute(-600)}
	}); err != nil {
		t.Fatal(err)
	}
	j.ping()
	if got := j.ready("ahead"); got != "False "+v1alpha1.ReasonWatermarkInFuture {
		t.Errorf("Ready is %q", got)
	}
	version := j.job("ahead").ResourceVersion
	j.ping()
	if j.job("ahead").ResourceVersion != version {
		t.Error("it is said again at every tick")
	}
	for _, suspend := range []bool{true, false} {
		job, err := j.Kf.TaskSchedules(j.ns).Patch(ctx, "ahead", types.MergePatchType,
			fmt.Appendf(nil, `{"spec": {"suspend": %t}}`, suspend), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		j.tick.Deliver(harness.Updated("TaskSchedule", job))
	}
	if got, until := j.ready("ahead"), j.job("ahead").Status.DecidedUntil; got != "True Scheduled" || until.After(time.Now()) {
		t.Errorf("Ready is %q, decided until %v", got, until)
	}
}
