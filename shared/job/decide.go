package job

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Need is what must be read before a Job can be decided.
type Need string

// What can be needed.
const (
	NeedNothing Need = ""
	NeedApp     Need = "app"     // whether the Job's App is there
	NeedHolds   Need = "holds"   // that, and what it and its Space say of when Jobs run
	NeedRunning Need = "running" // the Job's Tasks that have not ended
	NeedMade    Need = "made"    // which instants have their Task already
)

// Facts are what was read of a Job's surroundings. What is nil was not.
type Facts struct {
	App     *bool
	Holds   *Holds
	Running []v1alpha1.Task
	Made    Instants

	Refused string // the API server's word that this Task can never be created
	Blocked string // its word that it can't be created now
}

// Answered adds what the API server said to the creation of the Task, if that says how the Job stands: it can't be
// created as it is, or a quota, a right or a policy is against it as yet. Other errors say nothing of the Job.
func (f Facts) Answered(err error) (Facts, bool) {
	switch client.RefusalOf(err) {
	case client.Never:
		f.Refused = err.Error()
	case client.MayYet:
		f.Blocked = err.Error()
	default:
		return f, false
	}
	return f, true
}

// Plan is what to do with a Job: terminate, create, then Settle it, and tell and write what is to stand in the Job.
type Plan struct {
	Terminate []v1alpha1.Task
	Create    *v1alpha1.Task
	Status    *v1alpha1.TaskScheduleStatus // nil: it stays as it is
	Records   []v1alpha1.Decision          // those of this plan alone, newest first
	Labels    map[string]string            // that the Job lacks
	Adopt     bool                         // the Job goes with its App, as one that kf has made does
	Ended     []string                     // Tasks that were active, and are no more: Settle says what follows of it
	Watch     bool                         // Settle it, though nothing else is to do
	Notices   []v1alpha1.Notice            // what is to be told of the Job, oldest first
	Pause     *v1alpha1.Pause              // that the Job gets
	Start     time.Time                    // when, before the next tick, the Job's next run starts; zero if not
	More      bool                         // the Job owes more that may start now: decide it again, PerTick times a minute
}

// Empty says that there is nothing to do now, and nothing to write.
func (p Plan) Empty() bool {
	return p.Create == nil && p.Status == nil && p.Labels == nil && !p.Watch && p.Pause == nil
}

// Decide says what to do with a Job now, or what it needs to know before it can say that. Needing something, the plan
// is empty.
func Decide(j *v1alpha1.TaskSchedule, facts Facts, now time.Time) (Plan, Need) {
	when := timetableOf(j)
	due := time.Time{}
	if decidedUntil := j.Status.DecidedUntil; decidedUntil != nil && !j.Spec.Suspend {
		due = when.MostRecent(decidedUntil.Time, now.Add(-when.jitter))
	}
	lookedUp := len(j.Status.Active)+len(j.Status.Owed) > 0 || judgedAnew(j, now) // at every tick
	if j.DeletionTimestamp != nil || observed(j, when) && missingLabels(j) == nil && due.IsZero() && !lookedUp {
		return atRest(j, when, now).watching(j, now), NeedNothing
	}
	plan, need := decide(situation{job: j, when: when, facts: facts, now: now}, true)
	if need == NeedNothing {
		plan = plan.watching(j, now)
	}
	return plan, need
}

// Sync says what to do so that the Job's status is up to date with its spec. It runs nothing, for the event that asks
// for it may show the Job as it was long ago.
func Sync(j *v1alpha1.TaskSchedule, facts Facts, now time.Time) (Plan, Need) {
	when := timetableOf(j)
	if j.DeletionTimestamp != nil || observed(j, when) && missingLabels(j) == nil {
		return atRest(j, when, now), NeedNothing
	}
	return decide(situation{job: j, when: when, facts: facts, now: now}, false)
}

// observed says whether the status is about the spec as it is.
func observed(j *v1alpha1.TaskSchedule, when timetable) bool {
	return !newEpoch(j, when) && j.Status.ObservedGeneration == j.Generation && readyReason(j) != ""
}

// judgedAnew says whether a tick looks at the Job though nothing is due: what its condition says may be over, or its
// watermark may be where none should be.
func judgedAnew(j *v1alpha1.TaskSchedule, now time.Time) bool {
	switch readyReason(j) {
	case v1alpha1.ReasonAppNotFound:
		return true
	case v1alpha1.ReasonScheduled:
		return ahead(j.Status.DecidedUntil, now)
	case v1alpha1.ReasonWatermarkInFuture:
		return !ahead(j.Status.DecidedUntil, now)
	case v1alpha1.ReasonPaused:
		return j.Spec.Pause == nil || !pause{Pause: *j.Spec.Pause}.holding(now)
	}
	return false
}

// atRest is the plan for most Jobs, most of the time.
func atRest(j *v1alpha1.TaskSchedule, when timetable, now time.Time) Plan {
	onTheMinute := when.jitter == 0 && NextTick(now).Sub(now) <= time.Minute // there is none between now and the next tick
	if onTheMinute || j.DeletionTimestamp != nil || j.Status.DecidedUntil == nil {
		return Plan{}
	}
	return Plan{Start: startWithin(when, nextInstant(j, when, j.Status.DecidedUntil.Time), now)}
}

// decide decides a Job that is not at rest; only a tick runs what is due, and looks anew at what the Job has said.
func decide(s situation, tick bool) (Plan, Need) {
	// What does the Job say, and what does it owe no more?
	j := s.job
	if newEpoch(j, s.when) && j.Status.DecidedUntil != nil && s.facts.Made == nil {
		return Plan{}, NeedMade
	}
	status, closed := s.enterEpoch()
	s.decidedUntil = status.DecidedUntil

	// What is due, and what must be known to decide it?
	if tick && !j.Spec.Suspend {
		s.due = s.when.MostRecent(status.DecidedUntil.Time, s.now.Add(-s.when.jitter))
	}
	refresh := tick && len(j.Status.Active) > 0
	asked := !s.due.IsZero() || tick && len(status.Owed) > 0 && !j.Spec.Suspend
	judge := !observed(j, s.when) || asked || tick && judgedAnew(j, s.now)
	if need := s.unread(refresh, asked, judge); need != NeedNothing {
		return Plan{}, need
	}
	is := settlement{owed: status.Owed, until: status.DecidedUntil.Time}
	if asked {
		is = s.settle(status)
	}
	unlike := func(d v1alpha1.Decision) bool { return d.Outcome != v1alpha1.OutcomeRan }
	passed := !s.due.IsZero() && !equality.Semantic.DeepEqual(is.owed, status.Owed) // instants that are to run later
	moved := is.until.After(status.DecidedUntil.Time) && !is.created
	if s.facts.Made == nil && (passed || moved || slices.ContainsFunc(is.decided, unlike)) {
		return Plan{}, NeedMade // a predecessor may have run them, and died before it could say so
	}

	// What is to be done, and how does the Job then stand?
	plan := Plan{Labels: missingLabels(j)}
	plan.Adopt = s.facts.App != nil && *s.facts.App && metav1.GetControllerOf(j) == nil
	if s.facts.Running != nil {
		status.Active, plan.Ended = follow(j.Status.Active, s.facts.Running)
	}
	if is.created {
		s.due, s.owed = is.ran(), is.of
		plan.Terminate, plan.Create = s.run()
	}
	if plan.Create != nil {
		status.Active = newest(append(status.Active, corev1.LocalObjectReference{Name: plan.Create.Name}))
	}
	status = record(status, s.when, is.decided)
	status.Owed, plan.More = is.owed, tick && s.more(is.owed)
	if is.until.After(status.DecidedUntil.Time) {
		status.DecidedUntil = &metav1.Time{Time: is.until}
	}
	s.decidedUntil = status.DecidedUntil
	for _, d := range slices.Concat(closed, is.decided) {
		plan.Records = fold(plan.Records, d, s.when.follows(plan.Records, d))
	}
	if judge {
		v1alpha1.SetCondition(j, &status.Conditions, s.ready(), s.now)
	}
	next := nextInstant(j, s.when, status.DecidedUntil.Time)
	plan.Start = startWithin(s.when, next, s.now)
	status.NextScheduleTime = nil
	if !next.IsZero() {
		status.NextScheduleTime = &metav1.Time{Time: next}
	}
	if !equality.Semantic.DeepEqual(status, j.Status) {
		plan.Status = &status
	}
	return plan, NeedNothing
}

// unread is what must be read next: to follow the Tasks that run, to run an instant that is asked for, to judge how the Job stands.
func (s situation) unread(refresh, asked, judge bool) Need {
	switch {
	case s.facts.Running == nil && (refresh || asked && overlapMatters(s.job)):
		return NeedRunning
	case s.facts.App == nil && asked && s.when.err() == nil:
		return NeedHolds
	case s.facts.App == nil && judge && s.when.err() == nil:
		return NeedApp
	}
	return NeedNothing
}

// run is what running the instant that is due takes: the Tasks to terminate first, and the one to create, if it is not
// known to be there.
func (s situation) run() (terminate []v1alpha1.Task, create *v1alpha1.Task) {
	if s.job.Spec.ConcurrencyPolicy == v1alpha1.ConcurrencyReplace && s.owed == nil { // what is owed stops none
		terminate = slices.DeleteFunc(s.others(), func(t v1alpha1.Task) bool { return t.Spec.Terminated })
	}
	if !s.there() {
		create = s.job.NewTask()
		create.Name = s.job.TaskName(s.due)
	}
	return terminate, create
}

// overlapMatters says whether it matters to the Job that another Task of it runs.
func overlapMatters(j *v1alpha1.TaskSchedule) bool {
	return j.Spec.ConcurrencyPolicy == v1alpha1.ConcurrencyForbid || j.Spec.ConcurrencyPolicy == v1alpha1.ConcurrencyReplace
}

// follow brings the list of active Tasks up to date, oldest first, and names those that are no more.
func follow(was []corev1.LocalObjectReference, running []v1alpha1.Task) (active []corev1.LocalObjectReference, ended []string) {
	running = slices.Clone(running)
	slices.SortFunc(running, func(a, b v1alpha1.Task) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	for _, t := range running {
		active = append(active, corev1.LocalObjectReference{Name: t.Name})
	}
	for _, t := range was {
		if !slices.Contains(active, t) {
			ended = append(ended, t.Name)
		}
	}
	return newest(active), ended
}

const maxActive = 100 // names in the status

// newest are the last of the active Tasks, each once.
func newest(active []corev1.LocalObjectReference) []corev1.LocalObjectReference {
	if n := len(active); n > 0 && slices.Contains(active[:n-1], active[n-1]) {
		active = active[:n-1] // created by a predecessor, and running
	}
	return active[max(0, len(active)-maxActive):]
}

func readyReason(j *v1alpha1.TaskSchedule) string {
	return v1alpha1.Reason(j.Status.Conditions, v1alpha1.ConditionReady)
}

// missingLabels are those of Kf's that the Job has not. One that another has given it stays theirs, but for that which says
// whether it is suspended: it is Kf's own.
func missingLabels(j *v1alpha1.TaskSchedule) map[string]string {
	missing := v1alpha1.TaskScheduleLabels(j.Spec.Suspend)
	for k, v := range missing {
		if was, there := j.Labels[k]; was == v || there && k != v1alpha1.SuspendLabel {
			delete(missing, k)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return missing
}
