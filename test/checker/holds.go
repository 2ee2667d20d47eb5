package checker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// hold is a time in which a Job was not to start: a pause as somebody set it and lifted it, or a window of a blackout.
type hold struct {
	from, to time.Time // from is when it was set, to when it ended or was lifted; zero while it lasts
	policy   v1alpha1.BlackoutPolicy
}

// on says whether it was on at a time.
func (h hold) on(t time.Time) bool { return !t.Before(h.from) && (h.to.IsZero() || t.Before(h.to)) }

// touches says whether it may have had to do with an instant that was decided some time after it.
func (h hold) touches(instant, decided time.Time) bool {
	return !h.from.After(decided) && (h.to.IsZero() || h.to.After(instant))
}

// slack is how long after it has decided tick may be creating Tasks, by the fast clock: another process lets that pass.
const slack = 6 * time.Minute

// against says what held a Job back when it was started all the same.
func (s *seen) against(at time.Time) string {
	for _, h := range s.allPauses() {
		if h.on(at) && h.on(at.Add(-slack)) {
			return "a pause"
		}
	}
	for _, h := range s.windows {
		if h.on(at) && h.on(at.Add(-slack)) {
			return "a blackout"
		}
	}
	return ""
}

func (s *seen) allPauses() []hold { return slices.Concat(s.pauses, *s.spacePauses) }

// mayBe says whether a history may say of an instant, which a tick has seen, that it did not run for this reason.
func (s *seen) mayBe(outcome v1alpha1.Outcome, instant, decided time.Time) bool {
	touching := func(h hold) bool { return h.touches(instant, decided) }
	switch outcome {
	case v1alpha1.OutcomePaused:
		return slices.ContainsFunc(s.allPauses(), touching)
	case v1alpha1.OutcomeBlackedOut:
		return slices.ContainsFunc(s.windows, func(h hold) bool { return touching(h) && h.policy != v1alpha1.BlackoutShift })
	}
	return false
}

// deferred says whether an instant may have been owed when its schedule was changed, which closes that: it was held back, or was to be
// caught up.
func (s *seen) deferred(e epoch, instant, decided time.Time) bool {
	held := slices.ContainsFunc(s.windows, func(h hold) bool { return h.touches(instant, decided) })
	return !e.to.IsZero() && (held || s.job.Spec.CatchUp == v1alpha1.CatchUpAll)
}

// owes says whether the Job says that it is still to run an instant.
func (s *seen) owes(instant time.Time) bool {
	return slices.ContainsFunc(s.owing, func(o v1alpha1.Owed) bool { return instant.After(o.After.Time) && !instant.After(o.Until.Time) })
}

// catchesUpAll says whether each instant runs, however many have passed since and however long the others of them take.
func (s *seen) catchesUpAll() bool {
	spec := s.job.Spec
	return spec.CatchUp == v1alpha1.CatchUpAll && spec.CatchUpLimit == nil && spec.StartingDeadlineSeconds == nil
}

// expired says whether an instant that is late by so much need not be run.
func (s *seen) expired(late time.Duration) bool {
	limit := s.job.Spec.StartingDeadlineSeconds
	return limit != nil && late > time.Duration(*limit)*time.Second || s.job.Spec.CatchUp == v1alpha1.CatchUpNone && late > 5*time.Minute
}

// darken makes a second App, that has blackouts: some by dates, which may overlap, and one that comes each hour by iCalendar.
func (w *world) darken() {
	r := w.choose.about("blackouts")
	app, err := w.user.Apps(w.ns).Get(w.ctx, "dark", metav1.GetOptions{})
	w.must(err)
	begin := w.clock().Truncate(time.Minute)
	shift, skip, after := v1alpha1.BlackoutShift, v1alpha1.BlackoutSkip, v1alpha1.BlackoutRunAfter
	for i, p := range []v1alpha1.BlackoutPolicy{shift, after, skip, shift} {
		from := begin.Add(time.Duration(i*15+r.IntN(10)) * time.Minute)
		to := from.Add(time.Duration(5+r.IntN(12)) * time.Minute)
		w.windows = append(w.windows, hold{from, to, p})
		b := v1alpha1.Blackout{Name: fmt.Sprint("b", i), Policy: p, From: &metav1.Time{Time: from}, To: &metav1.Time{Time: to}}
		if i == 2 {
			b.From, b.To = nil, nil
			b.ICalendar = fmt.Sprintf("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:%s\nDTEND:%s\nEND:VEVENT\nEND:VCALENDAR\n",
				from.Format("20060102T150405Z"), to.Format("20060102T150405Z"))
		}
		app.Spec.Blackouts = append(app.Spec.Blackouts, b)
	}
	_, err = w.user.Apps(w.ns).Update(w.ctx, app, metav1.UpdateOptions{})
	w.must(err)
	space := &v1alpha1.Space{}
	space.Name = w.ns
	_, err = w.user.Spaces().Create(w.ctx, space, metav1.CreateOptions{})
	w.must(err)
	w.Cleanup(func() { _ = w.user.Spaces().Delete(w.ctx, w.ns, metav1.DeleteOptions{}) })
}

// randomPause is a pause that begins now, as an object has it and as the oracle does: for good, for some minutes, or over already.
func randomPause(r *rand.Rand, now time.Time) (*v1alpha1.Pause, hold) {
	p, h := &v1alpha1.Pause{Note: "the database moves"}, hold{from: now}
	if minutes := pick(r, 0, 2, 4, 9, -3); minutes != 0 {
		h.to = now.Truncate(time.Second).Add(time.Duration(minutes)*time.Minute + time.Duration(r.IntN(60))*time.Second)
		p.Until = &metav1.Time{Time: h.to}
	}
	return p, h
}

// lift ends the last of the pauses, if it lasts.
func lift(pauses []hold, now time.Time) {
	if n := len(pauses); n > 0 && (pauses[n-1].to.IsZero() || pauses[n-1].to.After(now)) {
		pauses[n-1].to = now
	}
}

// pauseSpace now and then pauses all Jobs, or lifts that.
func (w *world) pauseSpace(n int) {
	r := w.choose.about("Space", n)
	if r.IntN(12) > 0 {
		return
	}
	space, err := w.user.Spaces().Get(w.ctx, w.ns, metav1.GetOptions{})
	w.must(err)
	w.mu.Lock()
	lift(w.spacePauses, w.now)
	if space.Spec.Pause != nil {
		space.Spec.Pause = nil
	} else {
		p, h := randomPause(r, w.now)
		space.Spec.Pause, w.spacePauses = p, append(w.spacePauses, h)
	}
	w.mu.Unlock()
	_, err = w.user.Spaces().Update(w.ctx, space, metav1.UpdateOptions{})
	w.must(err)
	w.sum["edits of the Space"]++
}

// pause sets the Job's own pause, or lifts it.
func (s *seen) pause(r *rand.Rand, j *v1alpha1.TaskSchedule, now time.Time) {
	lift(s.pauses, now)
	if j.Spec.Pause != nil {
		j.Spec.Pause = nil
		return
	}
	p, h := randomPause(r, now)
	j.Spec.Pause, s.pauses = p, append(s.pauses, h)
}

// pauseSpaceForGood pauses all Jobs, and lets some time pass.
func (w *world) pauseSpaceForGood() {
	space, err := w.user.Spaces().Get(w.ctx, w.ns, metav1.GetOptions{})
	w.must(err)
	space.Spec.Pause = &v1alpha1.Pause{}
	_, err = w.user.Spaces().Update(w.ctx, space, metav1.UpdateOptions{})
	w.must(err)
	w.spacePauses = append(w.spacePauses, hold{from: w.clock()})
	w.pass(2 * slack)
}
