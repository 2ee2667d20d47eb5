// Package checker runs tick against a real API server with a fast clock: each step is a minute. Meanwhile it kills tick
// between its writes, makes requests fail, doubles, delays and drops ticks and events, delivers events of long ago,
// edits, suspends and resumes Jobs, ends Tasks and deletes them; no two processes of tick have the same clock, and ticks come
// before their minute too. In a run of its own, clocks are an hour ahead or behind for some minutes. Then it compares what was created, and what the Jobs'
// histories say, with what the schedules name, computed apart from the code under test. With -kill-api the API
// server itself dies in the middle of ticks.
//
//	KUBECONFIG=... go test -tags=checker -v -timeout=2h ./functions/tick -args -jobs 100 -minutes 2000 -seed new
//
// functions/tick starts it, for a program's handler can be had from its own folder only.
package checker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"slices"
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
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// Process is what one process of tick has of the world.
type Process struct {
	Kf      *client.Client
	Now     func() time.Time
	After   func(time.Duration) <-chan time.Time
	Emit    func(context.Context, cloudevents.Event) error
	Workers int
	Stale   time.Duration
}

// Handle is a function's handler.
type Handle = func(context.Context, cloudevents.Event) (*cloudevents.Event, error)

// Tick starts a process of tick.
type Tick func(Process) Handle

// world is a world of Jobs.
type world struct {
	testing.TB
	ctx    context.Context
	choose choices
	tick   Tick
	zones  []string
	broken sabotage      // what is wrong with tick, if anything
	steps  bool          // clocks are wrong by an hour now and then
	step   time.Duration // by which they are now
	api    *api
	user   *client.Client // sees the API server without faults
	ns     string

	host      string
	transport http.RoundTripper

	mu      sync.Mutex
	now     time.Time
	jobs    map[string]*seen     // by name
	running map[string]time.Time // Tasks that have not ended
	at      int                  // which delivery of a tick it is
	by      map[string]int       // the delivery that made a Task
	ticks   []ran
	found   []string // promises that were seen to be broken
	old     []cloudevents.Event
	sum     map[string]int

	windows, spacePauses []hold
}

// beginnings are a while before clocks change: in Berlin forward at 01:00 UTC, in New York back at 06:00.
var beginnings = []time.Time{time.Date(2027, 3, 28, 0, 35, 10, 0, time.UTC), time.Date(2026, 11, 1, 5, 20, 10, 0, time.UTC)}

func newWorld(t testing.TB, seed uint64, tick Tick) *world {
	c := harness.New(t)
	w := &world{
		TB: t, ctx: logging.WithLogger(context.Background(), zap.NewNop().Sugar()), choose: choices(seed), tick: tick, host: c.Config.Host,
		zones: zones(t), jobs: map[string]*seen{}, running: map[string]time.Time{}, by: map[string]int{}, sum: map[string]int{}, now: beginnings[seed%2],
	}
	w.api = &api{
		made: map[types.UID]time.Time{}, changed: map[types.UID]time.Time{}, terminated: map[string]bool{},
		onTask: w.created, onStatus: w.learn,
	}
	var err error
	w.transport, err = rest.TransportFor(c.Config)
	w.must(err)
	w.user = w.client(&line{api: w.api, next: w.transport, now: w.clock})
	w.ns = c.Namespace(t, "checker")
	c.App(t, w.ns, "app")
	c.App(t, w.ns, "dark")
	w.darken()
	return w
}

func (w *world) must(err error) {
	if err != nil {
		w.Helper()
		w.Fatal(err)
	}
}

func (w *world) clock() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(max(d, 0))
}

// another delivery begins.
func (w *world) another() { w.mu.Lock(); defer w.mu.Unlock(); w.at++ }

// until lets the time pass up to a moment after the next minute.
func (w *world) until(after time.Duration) {
	w.another()
	w.pass(w.clock().Truncate(time.Minute).Add(time.Minute + after).Sub(w.clock()))
}

func (w *world) client(way http.RoundTripper) *client.Client {
	c, err := client.New(&rest.Config{Host: w.host, Transport: way, QPS: -1})
	w.must(err)
	return c
}

// process is one of tick, with a clock of its own.
type process struct {
	handle Handle
	now    func() time.Time
}

// skews are by how much the clock of a process is ahead.
var skews = []time.Duration{0, 0, 50 * time.Millisecond, -50 * time.Millisecond, 700 * time.Millisecond, -700 * time.Millisecond, 5 * time.Second, -5 * time.Second}

// start starts a process of tick whose clock is ahead by skew, and whose requests may fail.
func (w *world) start(r *rand.Rand, skew time.Duration, faults func(*http.Request, int) fault) process {
	now := func() time.Time { return w.clock().Add(skew) }
	l := &line{api: w.api, next: w.transport, now: now, fault: faults} // one transport for all: connections are not what is tested
	p := Process{
		Kf: w.client(w.broken.way(l)), Now: now, Workers: pick(r, 1, 8), Stale: pick(r, 0, time.Hour),
		After: func(d time.Duration) <-chan time.Time {
			w.pass(d)
			passed := make(chan time.Time, 1)
			passed <- now()
			return passed
		},
		Emit: func(_ context.Context, e cloudevents.Event) error {
			if l.dead() {
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
	if w.broken.process != nil {
		w.broken.process(&p)
	}
	if w.broken.handle != nil {
		return process{w.broken.handle, now}
	}
	return process{w.tick(p), now}
}

// stopped asks the API server: an answer that says so may have been lost with an API server that died.
func (w *world) stopped(task string) bool {
	t, err := w.user.Tasks(w.ns).Get(w.ctx, task, metav1.GetOptions{})
	return err == nil && t.Spec.Terminated
}

// parts are the Job and the instant of a Task.
func parts(task string) (job string, instant int64) {
	job, suffix, _ := strings.Cut(task, "-")
	instant, _ = strconv.ParseInt(suffix, 10, 64)
	return job, instant
}

// created is told of each Task when the API server has created it.
func (w *world) created(owner types.UID, task string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name, instant := parts(task)
	s := w.jobs[name]
	if s == nil || s.job.UID != owner {
		return
	}
	s.created[instant]++
	s.early[instant] = time.Unix(instant, 0).Add(s.jitter).Sub(now)
	if s.early[instant] < -3*time.Minute {
		w.sum["run long after their time"]++
	}
	if what := s.against(now); what != "" {
		w.found = append(w.found, fmt.Sprintf("%s was created in %s", task, what))
	}
	w.sum["created"]++
	w.by[task] = w.at
	for other := range w.running {
		if w.by[other] == w.at { // of two processes at once whose clocks show different minutes, each may look before the other acts
			continue
		}
		if !strings.HasPrefix(other, name+"-") || other == task || w.api.isTerminated(other) || w.stopped(other) {
			continue
		}
		if p := s.job.Spec.ConcurrencyPolicy; p != v1alpha1.ConcurrencyAlways {
			w.found = append(w.found, fmt.Sprintf("%s was created while %s ran, and the policy is %s", task, other, p))
		}
	}
	w.running[task] = w.now
}

func expressions(r *rand.Rand) (all []expr) {
	for range pick(r, 1, 1, 1, 2, 3) {
		all = append(all, randomExpr(r))
	}
	return all
}

func set(j *v1alpha1.TaskSchedule, exprs []expr) {
	j.Spec.Schedule, j.Spec.Schedules = exprs[0].text, nil
	for _, e := range exprs[1:] {
		j.Spec.Schedules = append(j.Spec.Schedules, e.text)
	}
}

// addRandom adds a Job of any kind.
func (w *world) addRandom(name string) {
	r := w.choose.about("Job", name)
	e := epoch{exprs: expressions(r), suspend: r.IntN(5) == 0}
	j := &v1alpha1.TaskSchedule{}
	j.Spec.Suspend = e.suspend
	j.Spec.TimeZone = pick(r, "", "Europe/Berlin", "America/New_York", pick(r, w.zones...), pick(r, w.zones...), pick(r, w.zones...))
	j.Spec.ConcurrencyPolicy = pick(r,
		v1alpha1.ConcurrencyAlways, v1alpha1.ConcurrencyAlways, v1alpha1.ConcurrencyForbid, v1alpha1.ConcurrencyReplace)
	if r.IntN(4) == 0 {
		j.Spec.JitterSeconds = pick[int32](r, 30, 59, 300)
	}
	if r.IntN(6) == 0 {
		limit := pick[int64](r, 60, 600)
		j.Spec.StartingDeadlineSeconds = &limit
	}
	j.Spec.CatchUp = pick(r, "", v1alpha1.CatchUpLatest, v1alpha1.CatchUpNone, v1alpha1.CatchUpAll, v1alpha1.CatchUpAll)
	if limit := int32(3); j.Spec.CatchUp == v1alpha1.CatchUpAll && r.IntN(3) == 0 {
		j.Spec.CatchUpLimit = &limit
	}
	if r.IntN(2) == 0 {
		j.Spec.TaskTemplate.AppRef.Name = "dark"
	}
	if r.IntN(3) == 0 { // it is written about, and nothing else changes
		j.Spec.ExpectSuccessWithin = &metav1.Duration{Duration: pick(r, 5*time.Minute, 20*time.Minute)}
	}
	w.add(name, j, e)
}

// addFixed adds a Job that nobody edits.
func (w *world) addFixed(name, zone string, policy v1alpha1.ConcurrencyPolicy, exprs ...expr) {
	j := &v1alpha1.TaskSchedule{}
	j.Spec.TimeZone, j.Spec.ConcurrencyPolicy = zone, policy
	w.add(name, j, epoch{exprs: exprs})
}

func (w *world) add(name string, j *v1alpha1.TaskSchedule, e epoch) {
	e.from = w.clock()
	j.Name, j.Namespace = name, w.ns
	if j.Spec.TaskTemplate.AppRef.Name == "" {
		j.Spec.TaskTemplate.AppRef.Name = "app"
	}
	set(j, e.exprs)
	j, err := w.user.TaskSchedules(w.ns).Create(w.ctx, j, metav1.CreateOptions{})
	w.must(err)
	w.api.mu.Lock()
	w.api.made[j.UID], w.api.changed[j.UID] = e.from, e.from
	w.api.mu.Unlock()
	zone, err := time.LoadLocation(j.Spec.TimeZone)
	w.must(err)
	w.mu.Lock()
	w.jobs[name] = &seen{job: j, zone: zone, jitter: job.Jitter(j), epochs: []epoch{e}, // which second of jitter is nobody's promise
		created: map[int64]int{}, early: map[int64]time.Duration{}, ledger: map[int64]v1alpha1.Outcome{}, fired: map[int64]bool{},
		why: map[int64]string{}, beyond: map[int64]bool{},
		spacePauses: &w.spacePauses}
	if j.Spec.TaskTemplate.AppRef.Name == "dark" {
		w.jobs[name].windows = w.windows
	}
	w.mu.Unlock()
	w.hear(events.ResourceAdded, name)
}

// edit changes a Job as its user does, at a whole second.
func (w *world) edit(r *rand.Rand, name string) {
	s := w.jobs[name]
	j, err := w.user.TaskSchedules(w.ns).Get(w.ctx, name, metav1.GetOptions{})
	w.must(err)
	was := s.epochs[len(s.epochs)-1]
	e := epoch{exprs: was.exprs, suspend: was.suspend}
	pause := false
	switch r.IntN(6) {
	case 0:
		e.exprs = expressions(r)
	case 2, 3: // kf pause-job or resume-job
		pause = true
	case 1: // kf schedule-job
		e.exprs, e.suspend = expressions(r), false
	default:
		e.suspend = !e.suspend
	}
	set(j, e.exprs)
	j.Spec.Suspend = e.suspend
	w.mu.Lock()
	w.now = w.now.Truncate(time.Second).Add(time.Second)
	e.from = w.now
	if pause {
		s.pause(r, j, w.now)
	}
	s.epochs[len(s.epochs)-1].to = e.from
	s.epochs = append(s.epochs, e)
	w.mu.Unlock()
	_, err = w.user.TaskSchedules(w.ns).Update(w.ctx, j, metav1.UpdateOptions{})
	w.must(err)
	w.api.mu.Lock()
	w.api.changed[j.UID] = e.from
	w.api.mu.Unlock()
	w.sum["edits"]++
	w.hear(events.ResourceUpdated, name)
}

// hear delivers the event of a Job, or loses it, and maybe one of long ago with it.
func (w *world) hear(kind, name string) {
	r := w.choose.about("event", len(w.old))
	j, err := w.user.TaskSchedules(w.ns).Get(w.ctx, name, metav1.GetOptions{})
	w.must(err)
	e := harness.Updated("TaskSchedule", j)
	e.SetType(kind)
	w.old = append(w.old, e)
	if r.IntN(3) > 0 {
		_, err = w.start(r, pick(r, skews...)+w.step, nil).handle(w.ctx, e)
		w.must(err)
	}
	if r.IntN(3) == 0 {
		_, err = w.start(r, pick(r, skews...)+w.step, nil).handle(w.ctx, pick(r, w.old...))
		w.must(err)
	}
}

// faults makes a process fail, in one of several ways. Which requests fail is drawn from what each is about.
func (w *world) faults(r *rand.Rand, process ...any) func(*http.Request, int) fault {
	switch n := r.IntN(10); {
	case n < 4:
		return nil
	case n < 7: // dies after one of its first writes
		last := 1 + r.IntN(12)
		return func(_ *http.Request, write int) fault { return fault{kill: write == last} }
	default:
		share, times := pick(r, 0.02, 0.1, 0.5), map[string]int{}
		return func(req *http.Request, _ int) fault {
			what := about(req)
			times[what]++
			r := w.choose.about(append([]any{"request", what, times[what]}, process...)...)
			if r.Float64() >= share {
				return fault{}
			}
			return fault{status: pick(r, 409, 429, 500, 503, 504), after: r.IntN(2) == 0}
		}
	}
}

// ping delivers a tick once and says whether it was taken.
func (w *world) ping(p process) bool {
	begin := p.now()
	_, err := p.handle(w.ctx, harness.Ping("every-minute"))
	end := p.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sum["ticks"]++
	if err == nil {
		w.ticks = append(w.ticks, ran{begin, end})
	}
	return err == nil
}

// minute is a step: perhaps some edits, then perhaps a tick, perhaps two, perhaps again and again.
func (w *world) minute(n int, outage bool) {
	r := w.choose.about("minute", n)
	end := w.clock().Truncate(time.Minute).Add(time.Minute)
	edits := pick(r, 0, 0, 0, 1, 1, 3)
	if w.steps {
		edits = 0 // what ran an hour early may be off the schedule that it gets within the hour
		w.stepClocks(n)
	}
	for i := range edits {
		r := w.choose.about("edit", n, i)
		w.pass(time.Duration(r.IntN(15)) * time.Second)
		w.edit(r, fmt.Sprintf("job%d", r.IntN(*jobCount)))
	}
	if !w.steps { // nor is a pause told by a clock that is an hour off
		w.pauseSpace(n)
	}
	w.pass(end.Add(pick(r, -5*time.Second, -700*time.Millisecond, -50*time.Millisecond, 300*time.Millisecond, time.Second, 40*time.Second)).Sub(w.clock()))
	tries := pick(r, 1, 3, 8)
	for try := 0; !outage && try < tries; try++ {
		if w.deliver(n, try) {
			break
		}
		w.pass(time.Duration(try) * time.Second)
	}
	w.pass(end.Sub(w.clock()))
	w.end()
}

// stepClocks puts the clocks of tick an hour ahead or back for some minutes.
func (w *world) stepClocks(n int) {
	r := w.choose.about("step", n)
	switch {
	case w.step != 0 && r.IntN(4) == 0:
		w.step = 0
	case w.step == 0 && r.IntN(8) == 0:
		w.step = pick(r, time.Hour, -time.Hour)
		w.sum["steps"]++
	}
}

// deliver delivers a tick, to one process or to two at once, and says whether one took it.
func (w *world) deliver(n, try int) bool {
	r := w.choose.about("delivery", n, try)
	w.another()
	var group errgroup.Group
	taken := make([]bool, pick(r, 1, 1, 1, 2))
	for i := range taken {
		p := w.start(r, pick(r, skews...)+w.step, w.faults(r, n, try, i))
		group.Go(func() error { taken[i] = w.ping(p); return nil })
	}
	if *killAPI != "" && r.IntN(6) == 0 {
		w.killAPI(time.Duration(r.IntN(150)) * time.Millisecond)
	}
	_ = group.Wait() // no goroutine returns an error
	w.up()
	return slices.Contains(taken, true)
}

// killAPI kills the API server a moment after a tick has begun.
func (w *world) killAPI(after time.Duration) {
	time.Sleep(after)
	command := strings.Fields(*killAPI)
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		w.Fatalf("%s: %v: %s", *killAPI, err, out)
	}
	w.sum["kills of the API server"]++
	time.Sleep(300 * time.Millisecond) // until it is gone for sure
}

// up waits for the API server, and for its caches: each kind's is filled by itself, and until then its lists are refused.
func (w *world) up() {
	if *killAPI == "" {
		return
	}
	harness.Eventually(w, time.Minute, func() error {
		none := metav1.ListOptions{LabelSelector: "none=none"}
		_, ofApps := w.user.Apps(w.ns).List(w.ctx, none)
		_, ofJobs := w.user.TaskSchedules(w.ns).List(w.ctx, none)
		_, ofTasks := w.user.Tasks(w.ns).List(w.ctx, none)
		_, ofSpaces := w.user.Spaces().List(w.ctx, none)
		return errors.Join(ofApps, ofJobs, ofTasks, ofSpaces)
	})
}

// learn takes note of what a history says, each time that it is written.
func (w *world) learn(j *v1alpha1.TaskSchedule) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.jobs[j.Name]; s != nil && s.job.UID == j.UID {
		w.found = append(w.found, s.learn(j)...)
	}
}

// end ends the Tasks that have run for long enough, and deletes some of those: what was recorded may go.
func (w *world) end() {
	var group errgroup.Group
	group.SetLimit(8)
	for _, task := range slices.Sorted(maps.Keys(w.running)) {
		name, instant := parts(task)
		r := w.choose.about("Task", task)
		if w.now.Sub(w.running[task]) < time.Duration(r.IntN(8))*time.Minute || w.jobs[name].ledger[instant] == "" {
			continue
		}
		delete(w.running, task)
		prune := r.IntN(3) == 0
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
				meta.SetStatusCondition(&t.Status.Conditions, metav1.Condition{
					Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded})
			})
			return err
		})
	}
	w.must(group.Wait())
}

// rest gives tick the time to come to rest, and returns the promises that were broken.
func (w *world) rest() []string {
	for i := range 2 { // the second one knows no jitter that is under way
		w.until(time.Second)
		if !w.ping(w.start(w.choose.about("rest", i), 0, nil)) {
			w.found = append(w.found, "the last tick failed though nothing was in its way")
		}
	}
	// The answer to a creation is lost with the API server that dies; such a Task is never ended here, so it is there.
	list, err := w.user.Tasks(w.ns).List(w.ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskScheduleLabel})
	w.must(err)
	for _, t := range list.Items {
		name, instant := parts(t.Name)
		if s := w.jobs[name]; s != nil && metav1.IsControlledBy(&t, s.job) {
			s.created[instant] = max(s.created[instant], 1)
		}
	}
	return append(w.found, violations(w.jobs, w.ticks, w.clock())...)
}

// Run checks tick with each seed.
func Run(t *testing.T, tick Tick) {
	for _, seed := range seedsOf(t) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { run(t, seed, tick, false) })
	}
}

// RunWithClockSteps checks it while its clocks are an hour ahead or behind now and then.
func RunWithClockSteps(t *testing.T, tick Tick) { run(t, seedsOf(t)[0], tick, true) }

func run(t *testing.T, seed uint64, tick Tick, steps bool) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d; run it again:\n  %s", seed, command(seed))
		}
	})
	began := time.Now()
	w := newWorld(t, seed, tick)
	jobs := *jobCount
	if w.steps = steps; steps {
		jobs = (jobs + 2) / 3 // that is enough to meet it
	}
	for i := range jobs {
		w.addRandom(fmt.Sprintf("job%d", i))
	}
	// These two are there to meet the changes of the clock.
	w.addFixed("spring", "Europe/Berlin", v1alpha1.ConcurrencyAlways, daily(2, 15), daily(2, 45), daily(3, 20))
	w.addFixed("autumn", "America/New_York", v1alpha1.ConcurrencyAlways, daily(1, 5), daily(1, 25), daily(1, 55))
	outage := 0
	for n := range *minutes {
		r := w.choose.about("outage", n)
		if outage == 0 && r.IntN(15) == 0 {
			outage = 1 + r.IntN(12)
		}
		w.minute(n, outage > 0)
		outage = max(outage-1, 0)
	}
	if w.step = 0; steps {
		w.pass(time.Hour) // until what ran ahead of its time is past
	}
	broken := w.rest()
	for _, b := range broken[:min(len(broken), 20)] {
		t.Error(b)
	}
	w.report(t, seed, broken, time.Since(began))
}

// report says in one line what was checked and found, and then what was done to tick meanwhile.
func (w *world) report(t *testing.T, seed uint64, broken []string, took time.Duration) {
	owed, beyond, madeUp, leftOut, outcomes, zones := 0, 0, 0, 0, map[v1alpha1.Outcome]int{}, map[string]bool{}
	for _, s := range w.jobs {
		owed, beyond = owed+len(s.owed(w.clock())), beyond+len(s.beyond)
		up, out := s.clockChanges(w.clock())
		madeUp, leftOut = madeUp+up, leftOut+out
		zones[s.zone.String()] = true
		for _, o := range s.ledger {
			outcomes[o]++
		}
	}
	t.Logf("checked %d instants: %s", owed, verdict(broken))
	t.Logf("seed %d: %d Jobs in %d zones, %d minutes, %d edits; "+
		"%d instants made up for a skipped hour, %d were left out of a repeated one; %d ticks, %d of them answered with success; "+
		"%d Tasks, %d of them long after their time; %d instants given up, for more were owed than a Job holds; %d steps of the clocks, %d kills of the API server; history %v; %s",
		seed, len(w.jobs), len(zones), *minutes, w.sum["edits"], madeUp, leftOut, w.sum["ticks"], len(w.ticks),
		w.sum["created"], w.sum["run long after their time"], beyond, w.sum["steps"], w.sum["kills of the API server"], outcomes, took.Round(time.Second))
	kinds := []v1alpha1.Outcome{v1alpha1.OutcomeRan, v1alpha1.OutcomeMissed, v1alpha1.OutcomeBlackedOut}
	if !w.steps {
		kinds = append(kinds, v1alpha1.OutcomePaused)
	}
	quiet := slices.ContainsFunc(kinds, func(o v1alpha1.Outcome) bool { return outcomes[o] == 0 })
	if owed == 0 || quiet || w.sum["run long after their time"] == 0 || len(w.ticks) == w.sum["ticks"] || w.steps && w.sum["steps"] == 0 {
		t.Error("the run was too quiet to show anything")
	}
	if !w.steps && (seed%2 == 0 && madeUp == 0 || seed%2 == 1 && leftOut == 0) {
		t.Error("no clock changed: more -minutes are needed")
	}
}
