package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// NeverSchedule is what Kf's CLI writes for a Job that has no schedule yet: 30 February.
const NeverSchedule = "0 0 30 2 *"

// ConcurrencyPolicy says what happens to an instant while a Task of the same Job still runs.
type ConcurrencyPolicy string

// Concurrency policies, as Kf spells them.
const (
	// ConcurrencyAlways runs the Task all the same. It is the default.
	ConcurrencyAlways ConcurrencyPolicy = "Always"
	// ConcurrencyForbid skips the instant.
	ConcurrencyForbid ConcurrencyPolicy = "Forbid"
	// ConcurrencyReplace terminates what still runs.
	ConcurrencyReplace ConcurrencyPolicy = "Replace"
)

// TaskSchedule is a Job: a Task template, with or without schedules.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={all,kf},shortName=kfjob
// +kubebuilder:printcolumn:name="Schedule",type=string,JSONPath=`.spec.schedule`
// +kubebuilder:printcolumn:name="Suspend",type=boolean,JSONPath=`.spec.suspend`
// +kubebuilder:printcolumn:name="LastSchedule",type=date,JSONPath=`.status.lastScheduleTime`
// +kubebuilder:printcolumn:name="ConcurrencyPolicy",type=string,JSONPath=`.spec.concurrencyPolicy`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="App",type=string,JSONPath=`.spec.taskTemplate.appRef.name`,priority=1
// +kubebuilder:printcolumn:name="TimeZone",type=string,JSONPath=`.spec.timeZone`,priority=1
// +kubebuilder:printcolumn:name="Overdue",type=string,JSONPath=`.status.conditions[?(@.type=="Overdue")].status`
// +kubebuilder:printcolumn:name="NextSchedule",type=string,JSONPath=`.status.nextScheduleTime`,priority=1
// +kubebuilder:printcolumn:name="LastSuccess",type=date,JSONPath=`.status.lastSuccessTime`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.status.nextScheduleTime`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 52",message="a Job's name must be at most 52 characters: its Tasks add the time to it and must stay within 63"
type TaskSchedule struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec TaskScheduleSpec `json:"spec"`
	// +optional
	Status TaskScheduleStatus `json:"status,omitempty"`

	// Unreadable says what of the stored spec could not be decoded, and why; "" if all could.
	Unreadable string `json:"-"`
}

// TaskScheduleList is a list of TaskSchedules.
//
// +kubebuilder:object:root=true
type TaskScheduleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []TaskSchedule `json:"items"`
}

// TaskScheduleSpec says what a Job runs, and when.
//
// +kubebuilder:validation:XValidation:rule="has(self.taskTemplate)",message="taskTemplate is required: it says what the Job runs"
// +kubebuilder:validation:XValidation:rule="!has(self.catchUpLimit) || has(self.catchUp) && self.catchUp == 'All'",message="catchUpLimit is of catchUp All: set that as well"
// +kubebuilder:validation:XValidation:rule="!has(self.startDate) || !has(self.endDate) || self.startDate < self.endDate",message="startDate must be before endDate: between them the Job runs"
type TaskScheduleSpec struct {
	// ConcurrencyPolicy says what happens while a Task of this Job still runs: Always (the default) runs another one,
	// Forbid skips the instant, Replace terminates the one that runs.
	// +optional
	// +kubebuilder:validation:Enum=Always;Forbid;Replace
	// +kubebuilder:default=Always
	ConcurrencyPolicy ConcurrencyPolicy `json:"concurrencyPolicy,omitempty"`

	// Schedule is a crontab(5) expression of five fields, such as "30 2 * * *", or @hourly, @daily, @weekly, @monthly, @yearly, or @at and
	// a time of the Job's zone, such as @at 2026-12-24T18:00. H in a field is a number of the Job's own, always the same: H H * * * is once
	// a day. When it and schedules are left out, the Job runs by hand only.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Schedule string `json:"schedule,omitempty"`

	// Suspend stops further runs. Those that have started go on. False when left out.
	// +optional
	Suspend bool `json:"suspend"`

	// TaskTemplate is the Task that the Job runs.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.notBefore) && !has(self.expires)",message="a Job's Tasks start when its schedule says: notBefore and expires are a single Task's"
	TaskTemplate TaskSpec `json:"taskTemplate,omitempty"`

	// Schedules are more expressions, such as ["0 12 * * mon-fri"]; an instant that several of them name is run once. None when left out.
	// Not in Kf.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=1024
	Schedules []string `json:"schedules,omitempty"`

	// TimeZone is the IANA name of the zone that the schedules are read in, such as Europe/Berlin; UTC when left out. Not in Kf.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$')",message="timeZone must be the IANA name of a zone, such as Europe/Berlin"
	TimeZone string `json:"timeZone,omitempty"`

	// StartingDeadlineSeconds is how late, in seconds, an instant may still be run after an outage, such as 3600; later it is recorded as
	// missed. No limit when left out. Not in Kf.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=315360000
	StartingDeadlineSeconds *int64 `json:"startingDeadlineSeconds,omitempty"`

	// JitterSeconds spreads the Jobs of one minute: each waits a time of its own, always the same for one Job, below this number of
	// seconds, such as 60. 0, at once, when left out. Not in Kf.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	JitterSeconds int32 `json:"jitterSeconds,omitempty"`

	// Pause stops further runs, says why, and ends by itself at its until. Not in Kf.
	// +optional
	Pause *Pause `json:"pause,omitempty"`

	// CatchUp says which of the instants that were missed in an outage are run after it: Latest (the default) runs the latest, None
	// runs none that is more than five minutes late, All runs all, of at most 1000 the latest, or of catchUpLimit. Not in Kf.
	// +optional
	// +kubebuilder:validation:Enum=Latest;None;All
	CatchUp CatchUpPolicy `json:"catchUp,omitempty"`

	// CatchUpLimit is how many instants of an outage catchUp All runs at the most, such as 24: the latest of them. 1000 when left out. Not
	// in Kf.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	CatchUpLimit *int32 `json:"catchUpLimit,omitempty"`

	// StartDate is when the schedules begin, such as 2026-12-01T00:00:00Z: they name no instant before it. At once when left out. Not in
	// Kf.
	// +optional
	StartDate *metav1.Time `json:"startDate,omitempty"`

	// EndDate is when the schedules end, such as 2027-01-01T00:00:00Z: they name no instant at it or after it. Never when left out. Not in
	// Kf.
	// +optional
	EndDate *metav1.Time `json:"endDate,omitempty"`

	// ExpectSuccessWithin is how long the Job may go without a Task that succeeds, e.g. "26h" of one that runs each night. After
	// that it is overdue: its condition Overdue is True, and dev.kf.job.overdue.v1 is told once. Where its schedule names no
	// instant in that time, it counts from the next one that it names. No limit when left out. Not in Kf.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="size(self) > 0 && self.matches('^([0-9]{1,6}([.][0-9]{1,9})?h)?([0-9]{1,8}([.][0-9]{1,9})?m)?([0-9]{1,9}([.][0-9]{1,9})?s)?$') && duration(self) >= duration('1m') && duration(self) <= duration('87600h')",message="expectSuccessWithin must be a duration from 1m to 87600h, in hours, minutes and seconds, such as 26h or 1h30m; leave it out for no limit"
	ExpectSuccessWithin *metav1.Duration `json:"expectSuccessWithin,omitempty"`

	// PauseAfterFailures sets pause, with a note that says why, when so many Tasks of the Job's schedule have failed one after the
	// other, e.g. 3. Tasks that were run by hand or by an event, or were terminated, do not count; one by hand that succeeds ends the
	// row. Never when 0 or left out. Not in Kf.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	PauseAfterFailures int32 `json:"pauseAfterFailures,omitempty"`
}

// TaskScheduleStatus is what a Job did, and will do.
type TaskScheduleStatus struct {
	// ObservedGeneration is the generation of the Job that this status was made from.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions: Ready is False with a reason when the Job can't run as it stands; Overdue is there with expectSuccessWithin.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// Active names the Tasks of this Job that have not ended, as of the last tick; of more than 100 the newest.
	// +optional
	// +listType=atomic
	Active []corev1.LocalObjectReference `json:"active,omitempty"`

	// LastScheduleTime is the latest instant for which a Task was created.
	// +optional
	LastScheduleTime *metav1.Time `json:"lastScheduleTime,omitempty"`

	// LastSuccessTime is when the latest Task of the Job that is known to have succeeded had ended. Not in Kf.
	// +optional
	LastSuccessTime *metav1.Time `json:"lastSuccessTime,omitempty"`
	// LastSuccessTask is that Task's name. Not in Kf.
	// +optional
	LastSuccessTask string `json:"lastSuccessTask,omitempty"`

	// Watch is kept with expectSuccessWithin and pauseAfterFailures. Not in Kf.
	// +optional
	Watch *Watch `json:"watch,omitempty"`

	// NextScheduleTime is the next instant that is due. Not in Kf.
	// +optional
	NextScheduleTime *metav1.Time `json:"nextScheduleTime,omitempty"`

	// DecidedUntil is the watermark: every instant up to it has been decided, and is not looked at again. A new,
	// resumed or rescheduled Job starts with it at that moment, and so owes nothing for the time before. Not in Kf.
	// +optional
	DecidedUntil *metav1.Time `json:"decidedUntil,omitempty"`

	// ScheduleHash tells one set of schedules, zone and suspension from another, so that an edit is noticed. Not in Kf.
	// +optional
	ScheduleHash string `json:"scheduleHash,omitempty"`

	// JobUID is the UID of the Job that this status was written for. On one that was restored from a backup, or copied with
	// its status, it is another's. Not in Kf.
	// +optional
	JobUID types.UID `json:"jobUID,omitempty"`

	// SpecChangedAt is the latest time that the API server had on record for a change of the spec when this status was
	// written. A change that only removes fields leaves it as it was, and so is told from one with a time of its own. Not
	// in Kf.
	// +optional
	SpecChangedAt *metav1.Time `json:"specChangedAt,omitempty"`

	// History holds the latest decisions, newest first: why each instant did or did not run. Not in Kf.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	History []Decision `json:"history,omitempty"`

	// Owed are instants up to decidedUntil that are not decided: they are run when a blackout is over, or one after another after an
	// outage. Not in Kf.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Owed []Owed `json:"owed,omitempty"`
}

// Decision is the record of one instant of a Job.
type Decision struct {
	// Instant is the minute that the schedule names. Several missed ones may be folded into one record: then it is the
	// latest, and Count says how many.
	Instant metav1.Time `json:"instant"`

	// Outcome is Ran, Skipped, Missed, Suspended, Refused, Paused or BlackedOut.
	// +kubebuilder:validation:Enum=Ran;Skipped;Missed;Suspended;Refused;Paused;BlackedOut
	Outcome Outcome `json:"outcome"`

	// Task is the Task that ran, or that was in the way.
	// +optional
	Task string `json:"task,omitempty"`

	// Message says why, for every outcome but Ran; and of what ran after its time, what had held it back.
	// +optional
	Message string `json:"message,omitempty"`

	// Count is how many instants this record stands for, when more than one.
	// +optional
	Count int64 `json:"count,omitempty"`

	// Result is what became of the Task, once it has ended: the reason of its condition Succeeded. It stays when the
	// Task itself has been pruned.
	// +optional
	Result string `json:"result,omitempty"`

	// Duration is how long the Task took, once it has ended, such as "1m30s". It stays as Result does.
	// +optional
	Duration *metav1.Duration `json:"duration,omitempty"`
}

// Outcome is what was decided for an instant.
type Outcome string

// Outcomes.
const (
	// OutcomeRan: a Task was created.
	OutcomeRan Outcome = "Ran"
	// OutcomeSkipped: the concurrency policy is Forbid and a Task still ran.
	OutcomeSkipped Outcome = "Skipped"
	// OutcomeMissed: a later instant had passed when the system recovered, or the deadline had.
	OutcomeMissed Outcome = "Missed"
	// OutcomeSuspended: the Job was suspended.
	OutcomeSuspended Outcome = "Suspended"
	// OutcomeRefused: the Task could not be created, and no retry would help.
	OutcomeRefused Outcome = "Refused"
	// OutcomePaused: the Job, its App or its Space was paused.
	OutcomePaused Outcome = "Paused"
	// OutcomeBlackedOut: it was in a blackout of the App or the Space that leaves it out.
	OutcomeBlackedOut Outcome = "BlackedOut"
)
