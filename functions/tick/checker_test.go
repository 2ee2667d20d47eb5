//go:build checker

package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	jobs "github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// The checker runs tick against a real API server with a fast clock: each step is a minute. Meanwhile it kills tick
// between its writes, makes requests fail, doubles, delays and drops ticks and events, delivers events of long ago,
// edits, suspends and resumes Jobs, ends Tasks and deletes them. Then it compares what was created, and what the Jobs'
// histories say, with what the schedules name, computed apart from the code under test.
//
// With -kill-api the API server itself dies in the middle of ticks.
//
//	KUBECONFIG=... go test -tags=checker -run Checker ./functions/tick -timeout=2h -args -jobs 100 -minutes 2000 -seed 7
var (
	jobCount = flag.Int("jobs", 60, "Jobs")
	minutes  = flag.Int("minutes", 80, "minutes, by the fast clock")
	seed     = flag.Int64("seed", 0, "of the random choices; 0 takes a new one")
	killAPI  = flag.String("kill-api", "", "a command that kills the API server, which is then started again")
)

// checker is a world of Jobs.
type checker struct {
	testing.TB
	ctx  context.Context
	rand *rand.Rand
	api  *api
	user *client.Client // sees the API server without faults
	ns   string

	host      string
	transport http.RoundTripper

	mu      sync.Mutex
	now     time.Time
	jobs    map[string]*seen     // by name
	running map[string]time.Time // Tasks that have not ended
	ticks   []ran
	broken  []string
	old     []cloudevents.Event
	sum     map[string]int
}

func newChecker(t testing.TB, seed int64, jobs int) *checker {
	c := harness.New(t)
	w := &checker{
		TB: t, ctx: logging.WithLogger(context.Background(), zap.NewNop().Sugar()), rand: rand.New(rand.NewSource(seed)), host: c.Config.Host,
		jobs: map[string]*seen{}, running: map[string]time.Time{}, sum: map[string]int{},
		// Clocks change within the next hours: in Berlin forward, or in New York back.
		now: []time.Time{time.Date(2027, 3, 27, 23, 0, 10, 0, time.UTC), time.Date(2026, 11, 1, 3, 30, 10, 0, time.UTC)}[seed&1],
	}
	w.api = &api{made: map[types.UID]time.Time{}, changed: map[types.UID]time.Time{}, terminated: map[string]bool{}, onTask: w.created, onStatus: w.learn}
	var err error
	w.transport, err = rest.TransportFor(c.Config)
	w.must(err)
	w.user = w.client(&process{api: w.api})
	w.ns = c.Namespace(t, "checker")
	c.App(t, w.ns, "app")
	for i := range jobs {
		w.random(fmt.Sprintf("job%d", i))
	}
	return w
}

func (w *checker) must(err error) {
	if err != nil {
		w.Helper()
		w.Fatal(err)
	}
}

func (w *checker) clock() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }

func (w *checker) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(max(d, 0))
}

func (w *checker) client(p *process) *client.Client {
	p.next = w.transport // one for all: connections are not what is tested
	c, err := client.New(&rest.Config{Host: w.host, Transport: p, QPS: -1})
	w.must(err)
	return c
}

// tick is a process of the function.
func (w *checker) tick(fault func(*http.Request, int) (int, bool, bool)) *Handler {
	p := &process{api: w.api, fault: fault}
	w.mu.Lock()
	stale := pick(w.rand, 0, time.Hour)
	w.mu.Unlock()
	return &Handler{
		Kf: w.client(p), Workers: 8, PageSize: 10, Stale: stale, Now: w.clock,
		After: func(d time.Duration) <-chan time.Time {
			w.pass(d)
			now := make(chan time.Time, 1)
			now <- w.clock()
			return now
		},
		Emit: func(_ context.Context, e cloudevents.Event) error {
			p.mu.Lock()
			killed := p.killed
			p.mu.Unlock()
			if killed {
				return errKilled
			}
			var fact events.JobFact
			if err := e.DataAs(&fact); err == nil && e.Type() == events.JobFired {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.jobs[fact.Job].fired[fact.Instant.Unix()] = true
			}
			return nil
		},
	}
}

// stopped asks the API server: an answer that says so may have been lost with an API server that died.
func (w *checker) stopped(task string) bool {
	t, err := w.user.Tasks(w.ns).Get(w.ctx, task, metav1.GetOptions{})
	return err == nil && t.Spec.Terminated
}

// created is told of each Task when the API server has created it.
func (w *checker) created(job types.UID, task string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name, suffix, _ := strings.Cut(task, "-")
	instant, _ := strconv.ParseInt(suffix, 10, 64)
	s := w.jobs[name]
	if s == nil || s.job.UID != job {
		return
	}
	s.created[instant]++
	w.sum["created"]++
	for other := range w.running {
		if !strings.HasPrefix(other, name+"-") || w.api.isTerminated(other) || w.stopped(other) {
			continue
		}
		if p := s.job.Spec.ConcurrencyPolicy; p != v1alpha1.ConcurrencyAlways {
			w.broken = append(w.broken, fmt.Sprintf("%s was created while %s ran, and the policy is %s", task, other, p))
		}
	}
	w.running[task] = w.now
}

func (a *api) isTerminated(task string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.terminated[task]
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.Intn(len(from))] }

func (w *checker) exprs() (all []expr) {
	for range pick(w.rand, 1, 1, 1, 2, 3) {
		all = append(all, randomExpr(w.rand))
	}
	return all
}

func set(job *v1alpha1.TaskSchedule, exprs []expr) {
	job.Spec.Schedule, job.Spec.Schedules = exprs[0].text, nil
	for _, e := range exprs[1:] {
		job.Spec.Schedules = append(job.Spec.Schedules, e.text)
	}
}

// random makes a Job of any kind.
func (w *checker) random(name string) {
	e := epoch{exprs: w.exprs(), suspend: w.rand.Intn(5) == 0}
	job := &v1alpha1.TaskSchedule{}
	set(job, e.exprs)
	job.Spec.Suspend = e.suspend
	job.Spec.TimeZone = pick(w.rand, "", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")
	job.Spec.ConcurrencyPolicy = pick(w.rand, v1alpha1.ConcurrencyAlways, v1alpha1.ConcurrencyAlways, v1alpha1.ConcurrencyForbid, v1alpha1.ConcurrencyReplace)
	if w.rand.Intn(4) == 0 {
		job.Spec.JitterSeconds = pick[int32](w.rand, 30, 59, 300)
	}
	if w.rand.Intn(6) == 0 {
		limit := pick[int64](w.rand, 60, 600)
		job.Spec.StartingDeadlineSeconds = &limit
	}
	w.add(name, job, e)
}

// plain makes a Job that runs at every minute.
func (w *checker) plain(name string) {
	all := func(low, high int) map[int]bool {
		set := map[int]bool{}
		for v := low; v <= high; v++ {
			set[v] = true
		}
		return set
	}
	e := epoch{exprs: []expr{{text: "* * * * *", minute: all(0, 59), hour: all(0, 23), dom: all(1, 31), dow: all(0, 6), wildcard: true}}}
	job := &v1alpha1.TaskSchedule{}
	set(job, e.exprs)
	w.add(name, job, e)
}

func (w *checker) add(name string, job *v1alpha1.TaskSchedule, e epoch) {
	e.from = w.clock()
	job.Name, job.Namespace = name, w.ns
	job.Spec.TaskTemplate.AppRef.Name = "app"
	job, err := w.user.TaskSchedules(w.ns).Create(w.ctx, job, metav1.CreateOptions{})
	w.must(err)
	w.api.mu.Lock()
	w.api.made[job.UID], w.api.changed[job.UID] = e.from, e.from
	w.api.mu.Unlock()
	zone, err := time.LoadLocation(job.Spec.TimeZone)
	w.must(err)
	w.mu.Lock()
	w.jobs[name] = &seen{job: job, zone: zone, jitter: jobs.Jitter(job), epochs: []epoch{e},
		created: map[int64]int{}, ledger: map[int64]v1alpha1.Outcome{}, fired: map[int64]bool{}}
	w.mu.Unlock()
	w.tell(events.ResourceAdded, name)
}

// edit changes a Job as its user does, at a whole second.
func (w *checker) edit(name string) {
	s := w.jobs[name]
	job, err := w.user.TaskSchedules(w.ns).Get(w.ctx, name, metav1.GetOptions{})
	w.must(err)
	was := s.epochs[len(s.epochs)-1]
	e := epoch{exprs: was.exprs, suspend: was.suspend}
	switch w.rand.Intn(4) {
	case 0:
		e.exprs = w.exprs()
		set(job, e.exprs)
	case 1: // kf schedule-job
		e.exprs, e.suspend = w.exprs(), false
		set(job, e.exprs)
	default:
		e.suspend = !e.suspend
	}
	job.Spec.Suspend = e.suspend
	w.mu.Lock()
	w.now = w.now.Truncate(time.Second).Add(time.Second)
	e.from = w.now
	s.epochs[len(s.epochs)-1].to = e.from
	s.epochs = append(s.epochs, e)
	w.mu.Unlock()
	_, err = w.user.TaskSchedules(w.ns).Update(w.ctx, job, metav1.UpdateOptions{})
	w.must(err)
	w.api.mu.Lock()
	w.api.changed[job.UID] = e.from
	w.api.mu.Unlock()
	w.sum["edits"]++
	w.tell(events.ResourceUpdated, name)
}

// tell delivers the event of a Job, or loses it, and maybe one of long ago with it.
func (w *checker) tell(kind, name string) {
	job, err := w.user.TaskSchedules(w.ns).Get(w.ctx, name, metav1.GetOptions{})
	w.must(err)
	e := harness.Updated("TaskSchedule", job)
	e.SetType(kind)
	w.old = append(w.old, e)
	if w.rand.Intn(3) > 0 {
		_, err = w.tick(nil).Handle(w.ctx, e)
		w.must(err)
	}
	if w.rand.Intn(3) == 0 {
		_, err = w.tick(nil).Handle(w.ctx, pick(w.rand, w.old...))
		w.must(err)
	}
}

// faults makes a process fail, in one of several ways.
func (w *checker) faults() func(*http.Request, int) (int, bool, bool) {
	w.mu.Lock()
	r := rand.New(rand.NewSource(w.rand.Int63()))
	w.mu.Unlock()
	switch n := r.Intn(10); {
	case n < 4:
		return nil
	case n < 7: // dies after one of its first writes
		last := 1 + r.Intn(12)
		return func(_ *http.Request, write int) (int, bool, bool) { return 0, false, write == last }
	default:
		share := pick(r, 0.02, 0.1, 0.5)
		return func(*http.Request, int) (int, bool, bool) {
			if r.Float64() < share {
				return pick(r, 409, 429, 500, 503, 504), r.Intn(2) == 0, false
			}
			return 0, false, false
		}
	}
}

// ping delivers a tick once and says whether it was taken.
func (w *checker) ping(h *Handler) bool {
	begin := w.clock()
	_, err := h.Handle(w.ctx, harness.Ping("every-minute"))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sum["ticks"]++
	if err == nil {
		w.ticks = append(w.ticks, ran{begin, w.now})
	}
	return err == nil
}

// minute is a step: perhaps an edit, then perhaps a tick, perhaps two, perhaps again and again.
func (w *checker) minute(outage bool) {
	end := w.clock().Truncate(time.Minute).Add(time.Minute)
	for range pick(w.rand, 0, 0, 0, 1, 1, 3) {
		w.pass(time.Duration(w.rand.Intn(15)) * time.Second)
		w.edit(fmt.Sprintf("job%d", w.rand.Intn(len(w.jobs))))
	}
	w.pass(end.Add(pick(w.rand, 300*time.Millisecond, time.Second, time.Second, 40*time.Second)).Sub(w.clock()))
	if !outage {
		taken := false
		for try := 0; !taken && try < pick(w.rand, 1, 3, 8); try++ {
			var group errgroup.Group
			for range pick(w.rand, 1, 1, 1, 2) {
				fault := w.faults()
				group.Go(func() error {
					if w.ping(w.tick(fault)) {
						w.mu.Lock()
						taken = true
						w.mu.Unlock()
					}
					return nil
				})
			}
			if *killAPI != "" && w.rand.Intn(6) == 0 {
				w.pull()
			}
			group.Wait()
			w.up()
			w.pass(time.Duration(try) * time.Second)
		}
	}
	w.end()
}

// pull kills the API server a moment after a tick has begun.
func (w *checker) pull() {
	time.Sleep(time.Duration(w.rand.Intn(150)) * time.Millisecond)
	command := strings.Fields(*killAPI)
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		w.Fatalf("%s: %v: %s", *killAPI, err, out)
	}
	w.sum["kills of the API server"]++
	time.Sleep(300 * time.Millisecond) // until it is gone for sure
}

// up waits for the API server.
func (w *checker) up() {
	if *killAPI == "" {
		return
	}
	harness.Eventually(w, time.Minute, func() error {
		_, err := w.user.Apps(w.ns).Get(w.ctx, "app", metav1.GetOptions{})
		return err
	})
}

// learn takes note of what a history says, each time that it is written.
func (w *checker) learn(job *v1alpha1.TaskSchedule) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.jobs[job.Name]; s != nil && s.job.UID == job.UID {
		w.broken = append(w.broken, s.learn(job)...)
	}
}

// end ends some of the Tasks that run, and deletes some of those: what was recorded may go.
func (w *checker) end() {
	var group errgroup.Group
	group.SetLimit(8)
	for task, since := range w.running {
		name, suffix, _ := strings.Cut(task, "-")
		instant, _ := strconv.ParseInt(suffix, 10, 64)
		if w.now.Sub(since) < time.Duration(w.rand.Intn(8))*time.Minute || w.jobs[name].ledger[instant] == "" {
			continue
		}
		delete(w.running, task)
		prune := w.rand.Intn(3) == 0
		group.Go(func() error {
			if prune {
				return w.user.Tasks(w.ns).Delete(w.ctx, task, metav1.DeleteOptions{})
			}
			t, err := w.user.Tasks(w.ns).Get(w.ctx, task, metav1.GetOptions{})
			if err != nil {
				return err
			}
			_, err = client.PatchStatus(w.ctx, w.user.Tasks(w.ns), t, func(t *v1alpha1.Task) {
				t.Status.CompletionTime = &metav1.Time{Time: w.now}
				meta.SetStatusCondition(&t.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue, Reason: "Succeeded"})
			})
			return err
		})
	}
	w.must(group.Wait())
}

// run lets the minutes pass, then gives tick the time to come to rest, and returns the broken promises.
func (w *checker) run(minutes int) []string {
	for outage := 0; minutes > 0; minutes-- {
		if outage == 0 && w.rand.Intn(15) == 0 {
			outage = 1 + w.rand.Intn(12)
		}
		w.minute(outage > 0)
		outage = max(outage-1, 0)
	}
	for range 2 { // the second one knows no jitter that is under way
		w.pass(w.clock().Truncate(time.Minute).Add(time.Minute + time.Second).Sub(w.clock()))
		if !w.ping(w.tick(nil)) {
			w.broken = append(w.broken, "the last tick failed though nothing was in its way")
		}
	}
	// The answer to a creation is lost with the API server that dies; such a Task is never ended here, so it is there.
	list, err := w.user.Tasks(w.ns).List(w.ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskScheduleLabel})
	w.must(err)
	for _, t := range list.Items {
		s := w.jobs[t.Labels[v1alpha1.TaskScheduleLabel]]
		for instant := range jobs.Made(s.job, []v1alpha1.Task{t}) {
			s.created[instant] = max(s.created[instant], 1)
		}
	}
	return append(w.broken, violations(w.jobs, w.ticks, w.clock())...)
}

func TestChecker(t *testing.T) {
	if *seed == 0 {
		*seed = time.Now().UnixNano() % 1e6
	}
	w := newChecker(t, *seed, *jobCount)
	began := time.Now()
	broken := w.run(*minutes)
	for i, b := range broken {
		if i == 20 {
			t.Errorf("... and %d more", len(broken)-i)
			break
		}
		t.Error(b)
	}
	owed, outcomes := 0, map[v1alpha1.Outcome]int{}
	for _, s := range w.jobs {
		owed += len(s.owed(w.clock()))
		for _, o := range s.ledger {
			outcomes[o]++
		}
	}
	t.Logf("seed %d: %d Jobs with %d instants in %d minutes, %d edits; %d ticks, %d of them answered with success; %d Tasks; %d kills of the API server; history %v; %s",
		*seed, len(w.jobs), owed, *minutes, w.sum["edits"], w.sum["ticks"], len(w.ticks), w.sum["created"], w.sum["kills of the API server"], outcomes, time.Since(began).Round(time.Second))
	if owed == 0 || outcomes[v1alpha1.OutcomeRan] == 0 || outcomes[v1alpha1.OutcomeMissed] == 0 || len(w.ticks) == w.sum["ticks"] {
		t.Error("the run was too quiet to show anything")
	}
}

// A checker that finds nothing whatever happens shows nothing.
func TestCheckerFindsWhatIsBroken(t *testing.T) {
	for _, tt := range []struct {
		name, found string
		sabotage    func(w *checker, s *seen, instant int64)
	}{
		{"a Task that comes back", "Tasks were created", func(w *checker, s *seen, instant int64) {
			w.must(w.user.Tasks(w.ns).Delete(w.ctx, fmt.Sprintf("%s-%d", s.job.Name, instant), metav1.DeleteOptions{}))
			job, err := w.user.TaskSchedules(w.ns).Get(w.ctx, s.job.Name, metav1.GetOptions{})
			w.must(err)
			_, err = client.PatchStatus(w.ctx, w.user.TaskSchedules(w.ns), job, func(j *v1alpha1.TaskSchedule) {
				j.Status.DecidedUntil = &metav1.Time{Time: time.Unix(instant-1, 0)}
			})
			w.must(err)
			w.ping(w.tick(nil))
		}},
		{"a Task between two instants", "not on the schedule", func(w *checker, s *seen, instant int64) {
			task := s.job.NewTask()
			task.Name = fmt.Sprintf("%s-%d", s.job.Name, instant+30)
			_, err := w.user.Tasks(w.ns).Create(w.ctx, task, metav1.CreateOptions{})
			w.must(err)
		}},
		{"a Task that was not created", "there was no Task", func(w *checker, s *seen, instant int64) {
			w.must(w.user.Tasks(w.ns).Delete(w.ctx, fmt.Sprintf("%s-%d", s.job.Name, instant), metav1.DeleteOptions{}))
			s.created[instant] = 0
		}},
		{"a tick that does nothing and says that it is done", "it was lost", func(w *checker, _ *seen, _ int64) {
			w.pass(w.now.Truncate(time.Minute).Add(61 * time.Second).Sub(w.now))
			w.ticks = append(w.ticks, ran{w.now, w.now})
			w.pass(2 * time.Minute)
		}},
		{"a run that the history leaves out", "the history says \"\"", func(w *checker, s *seen, instant int64) {
			job, err := w.user.TaskSchedules(w.ns).Get(w.ctx, s.job.Name, metav1.GetOptions{})
			w.must(err)
			_, err = client.PatchStatus(w.ctx, w.user.TaskSchedules(w.ns), job, func(j *v1alpha1.TaskSchedule) { j.Status.History = nil })
			w.must(err)
			delete(s.ledger, instant)
		}},
		{"a run that nobody is told of", "nobody was told", func(w *checker, s *seen, instant int64) {
			delete(s.fired, instant)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newChecker(t, 1, 0)
			w.plain("steady")
			for range 3 {
				w.pass(w.now.Truncate(time.Minute).Add(61 * time.Second).Sub(w.now))
				w.ping(w.tick(nil))
			}
			if before := violations(w.jobs, w.ticks, w.now); len(before) > 0 {
				t.Fatalf("before the sabotage: %v", before)
			}
			tt.sabotage(w, w.jobs["steady"], w.now.Truncate(time.Minute).Unix())
			if broken := strings.Join(w.run(0), "\n"); !strings.Contains(broken, tt.found) {
				t.Errorf("not found: %q in %q", tt.found, broken)
			}
		})
	}
}
