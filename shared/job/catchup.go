package job

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// PerTick is how many of the instants that a Job owes are run in one minute.
const PerTick = 10

const maxOwedRanges = 16 // as the CRD has it

// deferred leaves an instant to be run later: the watermark goes past it, and it is among those that are owed.
const deferred v1alpha1.Outcome = "deferred"

// settlement is what becomes of instants: those that are decided, oldest first, and those that are owed then.
type settlement struct {
	decided []v1alpha1.Decision
	owed    []v1alpha1.Owed
	until   time.Time // the watermark then
	created bool      // the last of those that are decided is to run

	of *v1alpha1.Owed // what that is of, if it was owed
}

// settle decides the instant that is due, if any, and those before it; else the oldest of those that are owed.
func (s situation) settle(status v1alpha1.TaskScheduleStatus) settlement {
	is := settlement{owed: status.Owed, until: status.DecidedUntil.Time}
	if s.due.IsZero() {
		return s.settleOwed(is)
	}
	outcome, message := s.verdict()
	if outcome == undecided {
		return is
	}
	passed, more := s.when.Between(is.until, s.due, maxMissed)
	superseded := "a later instant was due when the system recovered"
	if more {
		superseded += fmt.Sprintf("; more than %d had passed", maxMissed)
	}
	for i, instant := range slices.Backward(passed) {
		s.pass(&is, instant, i, superseded)
	}
	if is.until = s.due; outcome == deferred {
		s.hold(&is, s.due)
		return is
	}
	last := decision(s.job, s.due, outcome, message)
	if outcome == v1alpha1.OutcomeSkipped {
		last.Task = s.others()[0].Name
	}
	is.decided, is.created = append(is.decided, last), outcome == v1alpha1.OutcomeRan
	return is
}

// pass decides an instant before the one that is due; newer is how many were passed by since.
func (s situation) pass(is *settlement, instant time.Time, newer int, superseded string) {
	add := func(outcome v1alpha1.Outcome, message string) {
		is.decided = append(is.decided, decision(s.job, instant, outcome, message))
	}
	at := s
	at.due = instant
	paused, isPaused := at.underPause()
	left, isLeft := at.leftOut()
	_, isHeld := at.heldBack()
	switch {
	case s.facts.Made[instant.Unix()]:
		add(v1alpha1.OutcomeRan, "")
	case isPaused:
		add(v1alpha1.OutcomePaused, paused)
	case isLeft:
		add(v1alpha1.OutcomeBlackedOut, left)
	case isHeld:
		s.hold(is, instant)
	case s.job.Spec.CatchUp == v1alpha1.CatchUpAll && newer+1 < catchUpLimit(s.job):
		s.owe(is, instant, v1alpha1.OwedCatchUp, "it was missed in an outage, and is caught up")
	default:
		add(v1alpha1.OutcomeMissed, superseded)
	}
}

// catchUpLimit is how many instants of an outage are run, that which is due among them.
func catchUpLimit(j *v1alpha1.TaskSchedule) int {
	if j.Spec.CatchUpLimit == nil {
		return v1alpha1.MaxOwed
	}
	return int(*j.Spec.CatchUpLimit)
}

// hold keeps an instant until the blackout that holds it is over. Of those that are to run after it the latest stays.
func (s situation) hold(is *settlement, instant time.Time) {
	b, _ := s.facts.Holds.blackout(instant, s.now)
	if b.Policy == v1alpha1.BlackoutShift {
		s.owe(is, instant, v1alpha1.OwedShift, "shifted by "+named(b))
		return
	}
	is.owed = slices.DeleteFunc(slices.Clone(is.owed), func(o v1alpha1.Owed) bool {
		if o.Reason == v1alpha1.OwedRunAfter {
			why := named(b) + ": a later instant in it runs when it is over"
			is.decided = append(is.decided, s.give(o, v1alpha1.OutcomeBlackedOut, why)...)
		}
		return o.Reason == v1alpha1.OwedRunAfter
	})
	s.owe(is, instant, v1alpha1.OwedRunAfter, "run after "+named(b))
}

// owe adds an instant to those that are owed, which stay bounded: the oldest are missed.
func (s situation) owe(is *settlement, instant time.Time, why v1alpha1.OwedReason, message string) {
	is.owed = slices.Clone(is.owed)
	if n := len(is.owed); n > 0 && is.owed[n-1].Reason == why && is.owed[n-1].Message == message &&
		s.when.Next(is.owed[n-1].Until.Time).Equal(instant) {
		is.owed[n-1].Until = metav1.Time{Time: instant}
	} else {
		is.owed = append(is.owed, v1alpha1.Owed{
			After: metav1.Time{Time: instant.Add(-time.Second)}, Until: metav1.Time{Time: instant}, Reason: why, Message: message})
	}
	const bounded = "; more were held back than can be run after it"
	if len(is.owed) > maxOwedRanges {
		is.decided = append(is.decided, s.give(is.owed[0], v1alpha1.OutcomeMissed, is.owed[0].Message+bounded)...)
		is.owed = is.owed[1:]
	}
	last := &is.owed[len(is.owed)-1]
	kept, more := s.when.Between(last.After.Time, last.Until.Add(time.Second), v1alpha1.MaxOwed)
	if !more {
		return
	}
	given := *last
	given.Until = metav1.Time{Time: kept[len(kept)-1].Add(-time.Second)}
	is.decided = append(is.decided, s.give(given, v1alpha1.OutcomeMissed, message+bounded)...)
	last.After = given.Until
}

// give decides all that is owed of one entry without running it, oldest first. What its schedule named is only known while that is the
// Job's: of one that was replaced the runs are, and how far it went.
func (s situation) give(o v1alpha1.Owed, outcome v1alpha1.Outcome, message string) []v1alpha1.Decision {
	if sameSchedule(s.job, s.when) {
		left, _ := s.when.Between(o.After.Time, o.Until.Add(time.Second), maxMissed)
		return passedBy(s.job, s.facts.Made, left, outcome, message)
	}
	ran := madeWithin(s.job, s.facts.Made, o.After.Time, o.Until.Time)
	if s.facts.Made[o.Until.Unix()] {
		return ran
	}
	return append(ran, decision(s.job, o.Until.UTC(), outcome, message))
}

// settleOwed runs the oldest instant that is owed, if it may start now.
func (s situation) settleOwed(is settlement) settlement {
	if len(is.owed) == 0 || s.facts.App == nil {
		return is
	}
	is.owed = slices.Clone(is.owed)
	o := &is.owed[0]
	if s.due, s.owed = s.when.Next(o.After.Time), o; s.due.IsZero() || s.due.After(o.Until.Time) {
		is.owed = is.owed[1:] // its schedule is no more
		return is
	}
	if s.yetToCome(s.due) {
		return is
	}
	outcome, message := s.verdict()
	if outcome == undecided {
		return is
	}
	if outcome == v1alpha1.OutcomeRan {
		message = o.Message
	}
	is.decided, is.created = []v1alpha1.Decision{decision(s.job, s.due, outcome, message)}, outcome == v1alpha1.OutcomeRan
	is.of = o
	if o.After = (metav1.Time{Time: s.due}); !s.due.Before(o.Until.Time) {
		is.owed = is.owed[1:]
	}
	return is
}

// ran is the instant that is to run now.
func (is settlement) ran() time.Time { return is.decided[len(is.decided)-1].Instant.UTC() }

// more says whether something is owed that may start now.
func (s situation) more(owed []v1alpha1.Owed) bool {
	return len(owed) > 0 && !s.job.Spec.Suspend && !s.yetToCome(s.when.Next(owed[0].After.Time)) && !s.facts.Holds.held(s.job, s.now)
}

// yetToCome says that an instant is owed though it is in the future: a clock that was ahead has passed it by. It waits for its time.
func (s situation) yetToCome(instant time.Time) bool { return instant.Add(s.when.jitter).After(s.now) }

// mustWait: what is owed runs when nothing holds it back, and beside no other Task of a Job that wants them one at a time.
func (s situation) mustWait() (string, bool) {
	return "", s.owed != nil && (s.facts.Holds.held(s.job, s.now) || overlapMatters(s.job) && len(s.others()) > 0)
}

func (s situation) underPause() (string, bool) {
	if s.owed != nil {
		return "", false
	}
	return s.facts.Holds.paused(s.job, s.due)
}

// leftOut: a blackout holds the instant, and no later one is to make up for it.
func (s situation) leftOut() (string, bool) {
	b, in := s.facts.Holds.blackout(s.due, s.now)
	return named(b), s.owed == nil && in && b.Policy == v1alpha1.BlackoutSkip
}

// heldBack: a blackout holds the instant, and it may run when that is over.
func (s situation) heldBack() (string, bool) {
	_, in := s.facts.Holds.blackout(s.due, s.now)
	return "", s.owed == nil && in
}

// blackoutUnreadable: nobody knows when it is, so nothing runs until somebody has mended it.
func (s situation) blackoutUnreadable() (string, bool) {
	if s.facts.Holds == nil || s.facts.Holds.unreadable == "" {
		return "", false
	}
	return s.facts.Holds.unreadable + ". Nothing runs until it is mended or removed", true
}

// onTime is how late an instant may be that is run though nothing is caught up: a tick may be delivered again, or be slow.
const onTime = 5 * time.Minute

// tooLate: nothing that was missed in an outage is to be run.
func (s situation) tooLate() (string, bool) {
	late := s.now.Add(-s.when.jitter).Sub(s.due)
	return fmt.Sprintf("it was more than %s late, and catchUp is None", onTime),
		s.owed == nil && s.job.Spec.CatchUp == v1alpha1.CatchUpNone && late > onTime
}
