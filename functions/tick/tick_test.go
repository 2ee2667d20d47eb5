package main

import (
	"encoding/json"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
)

// example is a Job at rest as the API server writes it, with a full history.
func example(t testing.TB, edits ...func(*v1alpha1.TaskSchedule)) []byte {
	j := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "report", Namespace: "shop", UID: "u", Generation: 1}}
	j.CreationTimestamp = metav1.NewTime(noon.Add(-time.Hour))
	j.Spec.Schedule, j.Spec.TimeZone = "0 14 * * *", "Europe/Berlin"
	j.Spec.TaskTemplate.AppRef.Name, j.Spec.TaskTemplate.Command = "billing", `report "}]`
	yes := true
	plan, need := job.Sync(j, job.Facts{App: &yes}, noon.Add(-time.Hour))
	if need != job.NeedNothing {
		t.Fatal(need)
	}
	j.Status, j.Labels = *plan.Status, v1alpha1.TaskScheduleLabels(false)
	for i := range 50 {
		instant := metav1.NewTime(noon.Add(-time.Duration(i) * 24 * time.Hour))
		j.Status.History = append(j.Status.History, v1alpha1.Decision{Instant: instant, Outcome: v1alpha1.OutcomeRan, Task: j.TaskName(instant.Time)})
	}
	fields := metav1.NewFieldsV1(`{"f:spec":{"f:schedule":{},"f:taskTemplate":{".":{},"f:appRef":{},"f:command":{}}},"f:status":{"f:history":{}}}`)
	j.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kf", FieldsV1: fields}, {Manager: "tick", FieldsV1: fields}}
	for _, edit := range edits {
		edit(j)
	}
	b, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// watching makes a Job one that is watched, since a time if it is given, and paused after so many failures.
func watching(since time.Time, failures int32) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) {
		j.Spec.PauseAfterFailures, j.Status.Watch = failures, &v1alpha1.Watch{}
		if !since.IsZero() {
			j.Status.Watch.Since = &metav1.Time{Time: since}
		}
	}
}

// TestAGlanceSaysWhatTheWholeJobSays: what is left out never makes a Job look at rest that is not.
func TestAGlanceSaysWhatTheWholeJobSays(t *testing.T) {
	for name, edit := range map[string]func(*v1alpha1.TaskSchedule){
		"as it was": func(*v1alpha1.TaskSchedule) {},
		"edited":    func(j *v1alpha1.TaskSchedule) { j.Generation++ },
		"suspended": func(j *v1alpha1.TaskSchedule) { j.Spec.Suspend, j.Generation = true, 2 },
		"active":    func(j *v1alpha1.TaskSchedule) { j.Status.Active = append(j.Status.Active, j.Spec.TaskTemplate.AppRef) },
		"restored":  func(j *v1alpha1.TaskSchedule) { j.UID = "other" },
		"new":       func(j *v1alpha1.TaskSchedule) { j.Status = v1alpha1.TaskScheduleStatus{} },
		"no label":  func(j *v1alpha1.TaskSchedule) { j.Labels = nil },
		"jitter":    func(j *v1alpha1.TaskSchedule) { j.Spec.JitterSeconds = 3600 },
		"no App":    func(j *v1alpha1.TaskSchedule) { j.Status.Conditions[0].Reason = v1alpha1.ReasonAppNotFound },
		"bad zone":  func(j *v1alpha1.TaskSchedule) { j.Spec.TimeZone = "Mars/Base" },
		"is going":  func(j *v1alpha1.TaskSchedule) { now := metav1.NewTime(noon); j.DeletionTimestamp = &now },
		"paused": func(j *v1alpha1.TaskSchedule) {
			j.Spec.Pause, j.Status.Conditions[0].Reason = &v1alpha1.Pause{Until: &metav1.Time{Time: noon.Add(55 * time.Minute)}}, v1alpha1.ReasonPaused
		},
		"owes": func(j *v1alpha1.TaskSchedule) {
			day := metav1.NewTime(noon.Add(-24 * time.Hour))
			j.Status.Owed = []v1alpha1.Owed{{After: metav1.NewTime(day.Add(-time.Minute)), Until: day, Reason: v1alpha1.OwedShift}}
		},
		"watch that has not begun": func(j *v1alpha1.TaskSchedule) { j.Spec.PauseAfterFailures = 3 },
		"watch of none":            watching(noon, 0),
		"watched":                  watching(noon, 3),
		"failed too often":         func(j *v1alpha1.TaskSchedule) { watching(noon, 3)(j); j.Status.Watch.FailuresInRow = 3 },
		"watched, and its App has paused it": func(j *v1alpha1.TaskSchedule) {
			watching(noon, 3)(j)
			j.Status.History[0].Outcome = v1alpha1.OutcomePaused
		},
		"watch ended, its App has paused it": func(j *v1alpha1.TaskSchedule) {
			watching(time.Time{}, 3)(j)
			j.Status.History[0].Outcome = v1alpha1.OutcomePaused
		},
		"watch ended, it has been resumed": func(j *v1alpha1.TaskSchedule) {
			watching(time.Time{}, 3)(j)
			j.Status.History[1].Outcome = v1alpha1.OutcomePaused
		},
		"watch ended, and there is no history": func(j *v1alpha1.TaskSchedule) { watching(time.Time{}, 3)(j); j.Status.History = nil },
		"overdue at 12:50": func(j *v1alpha1.TaskSchedule) {
			watching(noon, 0)(j)
			j.Spec.ExpectSuccessWithin = &metav1.Duration{Duration: time.Hour}
			j.Status.Watch.SuccessDueBy = &metav1.Time{Time: noon.Add(50 * time.Minute)}
		},
		"long missed": func(j *v1alpha1.TaskSchedule) { j.Status.DecidedUntil = &metav1.Time{Time: noon.Add(-999 * time.Hour)} },
	} {
		object := example(t, edit)
		for _, now := range []time.Duration{-time.Minute, 50 * time.Minute, 59*time.Minute + 59*time.Second, time.Hour, 61 * time.Minute, 90 * time.Minute} {
			now := noon.Add(now)
			var whole v1alpha1.TaskSchedule
			if err := whole.UnmarshalJSON(object); err != nil {
				t.Fatal(err)
			}
			plan, need := job.Decide(&whole, job.Facts{}, now)
			want := need == job.NeedNothing && plan.Empty() && plan.Start.IsZero()
			if got, _ := atRest(object, nil, now); got != want {
				t.Errorf("%s at %s: at rest %t, want %t", name, now.Format(time.TimeOnly), got, want)
			}
		}
	}
	if rest, _ := atRest([]byte(`{"metadata":`), nil, noon); rest {
		t.Error("what breaks off is at rest")
	}
}

// BenchmarkGlance: what a Job at rest with a full history costs.
func BenchmarkGlance(b *testing.B) {
	object := example(b)
	b.SetBytes(int64(len(object)))
	var buffer []byte
	for b.Loop() {
		var rest bool
		if rest, buffer = atRest(object, buffer, noon); !rest {
			b.Fatal("it is not at rest")
		}
	}
}

// BenchmarkWhole: the same, decoded as a whole.
func BenchmarkWhole(b *testing.B) {
	object := example(b)
	b.SetBytes(int64(len(object)))
	for b.Loop() {
		var j v1alpha1.TaskSchedule
		if err := j.UnmarshalJSON(object); err != nil {
			b.Fatal(err)
		}
		job.Decide(&j, job.Facts{}, noon)
	}
}
