package main

import (
	"context"
	"fmt"
	"iter"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/shared/skim"
)

// idle are the parts of a Job that say nothing about whether it is at rest: most of its bytes (but see newest), and times, which are
// dear to read.
var idle = [][]string{
	{"metadata", "managedFields"}, {"metadata", "creationTimestamp"}, {"spec", "taskTemplate"}, {"status", "history"},
	{"status", "specChangedAt"}, {"status", "lastScheduleTime"}, {"status", "nextScheduleTime"},
}

// dueFirst ranges over the Jobs of a shard that have something to do now or before the next tick: first over those whose next run was to be
// at this very minute, for which the API server has a short list, so that their Tasks do not wait until all Jobs have been looked at.
func (r *round) dueFirst(ctx context.Context) iter.Seq2[decided, error] {
	return func(yield func(decided, error) bool) {
		seen := map[types.UID]bool{}
		for d, err := range r.due(ctx) {
			if err != nil { // who looks at all Jobs finds them too
				logging.FromContext(ctx).Warnw("no list of the Jobs that are due", "error", err)
				break
			}
			if seen[d.UID] = true; !yield(d, nil) {
				return
			}
		}
		for d, err := range r.glance(ctx, seen) {
			if !yield(d, err) {
				return
			}
		}
	}
}

// due ranges over the Jobs whose status says that this minute is next.
func (r *round) due(ctx context.Context) iter.Seq2[decided, error] {
	minute := r.began.UTC().Truncate(time.Minute).Format(time.RFC3339)
	opts := metav1.ListOptions{FieldSelector: "status.nextScheduleTime=" + minute, Limit: r.PageSize}
	read := r.Now()
	return func(yield func(decided, error) bool) {
		for j, err := range client.All[*v1alpha1.TaskSchedule](ctx, r.Kf.TaskSchedules(""), opts) {
			if err != nil {
				yield(decided{}, err)
				return
			}
			if r.shard.Has(j.Namespace, j.Name) && !yield(decided{TaskSchedule: j, read: read}, nil) {
				return
			}
		}
	}
}

// glance looks at all Jobs of a shard and ranges over those that have something to do now or before the next tick, but for those that were
// seen. Nearly all are at rest: of those only what says so is decoded.
func (r *round) glance(ctx context.Context, seen map[types.UID]bool) iter.Seq2[decided, error] {
	return func(yield func(decided, error) bool) {
		var buffer []byte
		read := r.Now()
		// Not from a cache that may be behind: a Job that looks undecided though it was decided would run again if its Task was deleted.
		for object, err := range r.Kf.Raw(ctx, "taskschedules", metav1.ListOptions{Limit: r.PageSize}) {
			if err != nil {
				yield(decided{}, err)
				return
			}
			if r.shard.Of > 1 && !r.shard.Has(names(object)) {
				continue
			}
			r.jobs++
			var rest bool
			if rest, buffer = atRest(object, buffer, r.began); rest {
				continue
			}
			j := &v1alpha1.TaskSchedule{}
			if err := j.UnmarshalJSON(object); err != nil {
				namespace, name := names(object)
				yield(decided{}, fmt.Errorf("read Job %s/%s: %w", namespace, name, err))
				return
			}
			if meta.IsStatusConditionTrue(j.Status.Conditions, v1alpha1.ConditionOverdue) { // no such Job is at rest
				r.overdue++
			}
			if !seen[j.UID] && !yield(decided{TaskSchedule: j, read: read}, nil) {
				return
			}
		}
	}
}

// names finds the namespace and the name of an object; what breaks off has none: who decodes it says what is wrong.
func names(object []byte) (namespace, name string) {
	_, _ = skim.Walk(object, func(key, rest []byte) (int, error) {
		if string(key) != "metadata" {
			return 0, nil
		}
		return skim.Walk(rest, func(key, rest []byte) (int, error) {
			switch string(key) {
			case "namespace":
				namespace = skim.Text(skim.Value(rest))
			case "name":
				name = skim.Text(skim.Value(rest))
			}
			return 0, nil
		})
	})
	return namespace, name
}

// newest is what the newest record of a Job's history says became of its instant, if it has any.
func newest(object []byte) []v1alpha1.Decision {
	record := skim.First(skim.Member(skim.Member(object, "status"), "history"))
	if record == nil {
		return nil
	}
	return []v1alpha1.Decision{{Outcome: v1alpha1.Outcome(skim.Text(skim.Member(record, "outcome")))}}
}

// atRest says whether there is nothing to do for a Job before the next tick. What can't be read is looked at in full. It takes a buffer,
// and gives it back.
func atRest(object, buffer []byte, now time.Time) (bool, []byte) {
	buffer, err := skim.Without(buffer[:0], object, idle...)
	if err != nil {
		return false, buffer
	}
	var j v1alpha1.TaskSchedule
	if err := j.UnmarshalJSON(buffer); err != nil {
		return false, buffer
	}
	if j.Status.Watch != nil { // whether its App or Space holds it back, its newest record says
		j.Status.History = newest(object)
	}
	plan, need := job.Decide(&j, job.Facts{}, now)
	return need == job.NeedNothing && plan.Empty() && plan.Start.IsZero(), buffer
}
