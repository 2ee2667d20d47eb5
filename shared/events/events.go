// Package events is the catalogue of CloudEvents that pass between the functions: their types, and how they are read
// and made. Every type that a Trigger filters on stands here.
package events

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Types that Knative's sources send (knative.dev/eventing pkg/adapter/apiserver/events and pkg/apis/sources/v1).
const (
	ResourceAdded   = "dev.knative.apiserver.resource.add"
	ResourceUpdated = "dev.knative.apiserver.resource.update"
	ResourceDeleted = "dev.knative.apiserver.resource.delete"
	// Ping is a tick of a PingSource. It names no time and no cause: whoever gets one looks for what it missed.
	Ping = "dev.knative.sources.ping"
)

// Command events ask for something. They are carried out for who has the right to do the same by kubectl; source and id
// make one, however often it is delivered.
const (
	TaskRun       = "dev.kf.task.run.v1"
	TaskTerminate = "dev.kf.task.terminate.v1"
	JobRun        = "dev.kf.job.run.v1"
	JobSuspend    = "dev.kf.job.suspend.v1"
	JobResume     = "dev.kf.job.resume.v1"
)

// CommandAudience is what a token is for that a command is sent with.
const CommandAudience = "kf-tasks-command"

// Fact events say what happened. Functions post them to the Broker before they write what the facts tell of.
const (
	TaskCreated    = "dev.kf.task.created.v1"
	TaskStarted    = "dev.kf.task.started.v1"
	TaskSucceeded  = "dev.kf.task.succeeded.v1"
	TaskFailed     = "dev.kf.task.failed.v1"
	TaskTerminated = "dev.kf.task.terminated.v1"
	TaskPruned     = "dev.kf.task.pruned.v1"

	JobFired   = "dev.kf.job.fired.v1"
	JobSkipped = "dev.kf.job.skipped.v1"
	JobMissed  = "dev.kf.job.missed.v1"

	JobOverdue   = "dev.kf.job.overdue.v1"
	JobRecovered = "dev.kf.job.recovered.v1"
	JobPaused    = "dev.kf.job.paused.v1"

	CommandAccepted = "dev.kf.command.accepted.v1"
	CommandRefused  = "dev.kf.command.refused.v1"
)

// TaskFact is the data of every dev.kf.task.* fact event.
type TaskFact struct {
	Namespace string `json:"namespace"`
	App       string `json:"app"`
	Task      string `json:"task"`
	UID       string `json:"uid"`
	ID        int    `json:"id,omitempty"`
	// Job and Instant are the Job that the Task is of, and the instant of its schedule that it was made for.
	Job     string       `json:"job,omitempty"`
	Instant *metav1.Time `json:"instant,omitempty"`
	// Command is the event that asked for the Task, and RequestedBy who did, where that had to be said.
	Command     *EventRef           `json:"command,omitempty"`
	RequestedBy string              `json:"requestedBy,omitempty"`
	Status      v1alpha1.TaskStatus `json:"status"`
}

// EventRef identifies an event (CloudEvents 1.0.2, 3.1).
type EventRef struct {
	Source string `json:"source"`
	ID     string `json:"id"`
}

// NewTaskFact makes the fact event of a Task: its id says what happened to which Task, so that two deliveries of one
// cause are one fact. fn is the function that speaks.
func NewTaskFact(eventType, fn string, t *v1alpha1.Task) *cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetType(eventType)
	e.SetSource(fmt.Sprintf("/apis/%s/namespaces/%s/tasks/%s", v1alpha1.GroupVersion, t.Namespace, t.Name))
	e.SetSubject(t.Namespace + "/" + t.Name)
	e.SetID(string(t.UID) + "." + eventType)
	e.SetExtension("kffunction", fn)
	e.SetExtension("kfapp", t.Spec.AppRef.Name)
	if t.Labels[v1alpha1.AwaitedLabel] != "" {
		e.SetExtension("kfawaited", "true")
	}
	if t.Labels[v1alpha1.IndexLabel] != "" {
		e.SetExtension("kfarray", t.Labels[v1alpha1.ArrayLabel])
	}
	if t.ToArchive() { // the function archive is woken for these, and no others
		e.SetExtension("kfarchive", v1alpha1.ArchiveWanted)
	}
	causeOf(t).tell(&e)
	f := TaskFact{
		Namespace: t.Namespace, App: t.Spec.AppRef.Name, Task: t.Name, UID: string(t.UID), ID: t.ID(), Command: madeFrom(t),
		Job: t.Labels[v1alpha1.TaskScheduleLabel], RequestedBy: t.Spec.RequestedBy, Status: t.Status,
	}
	if instant := t.Instant(); !instant.IsZero() {
		f.Instant = &metav1.Time{Time: instant}
	}
	if err := e.SetData(cloudevents.ApplicationJSON, f); err != nil {
		panic(err) // plain data: can't fail
	}
	return &e
}

// JobFact is the data of every dev.kf.job.* fact event: what was decided for an instant of a Job's schedule.
type JobFact struct {
	Namespace string `json:"namespace"`
	App       string `json:"app"`
	Job       string `json:"job"`
	UID       string `json:"uid"`
	v1alpha1.Decision
}

// jobFacts are what is reported of the decisions about Jobs. That a Job was suspended or paused is no news to who did so.
var jobFacts = map[v1alpha1.Outcome]string{
	v1alpha1.OutcomeRan:        JobFired,
	v1alpha1.OutcomeSkipped:    JobSkipped,
	v1alpha1.OutcomeRefused:    JobSkipped,
	v1alpha1.OutcomeMissed:     JobMissed,
	v1alpha1.OutcomeBlackedOut: JobSkipped,
}

// NewJobFact makes the fact event of one decision about a Job, nil if there is none; its id is the Job, the instant and
// the type.
func NewJobFact(fn string, j *v1alpha1.TaskSchedule, d v1alpha1.Decision) *cloudevents.Event {
	eventType, reported := jobFacts[d.Outcome]
	if !reported {
		return nil
	}
	return jobEvent(eventType, fn, j, d.Instant.Time, JobFact{
		Namespace: j.Namespace, App: j.Spec.TaskTemplate.AppRef.Name, Job: j.Name, UID: string(j.UID), Decision: d,
	})
}

// JobNotice is the data of the fact events about a Job's Tasks taken together: dev.kf.job.overdue|recovered|paused.v1.
type JobNotice struct {
	Namespace string `json:"namespace"`
	App       string `json:"app"`
	Job       string `json:"job"`
	UID       string `json:"uid"`
	v1alpha1.Notice
	// ExpectSuccessWithin is the Job's, and LastSuccessTime when a Task of it had last succeeded before.
	ExpectSuccessWithin *metav1.Duration `json:"expectSuccessWithin,omitempty"`
	LastSuccessTime     *metav1.Time     `json:"lastSuccessTime,omitempty"`
}

var jobNotices = map[v1alpha1.NoticeKind]string{
	v1alpha1.NoticeOverdue: JobOverdue, v1alpha1.NoticeRecovered: JobRecovered, v1alpha1.NoticePaused: JobPaused,
}

// NewJobNotice makes the fact event of a notice. Its id is the Job, when it became overdue or was to be paused, and the type: that
// it recovered is said once, whichever success is seen first.
func NewJobNotice(fn string, j *v1alpha1.TaskSchedule, n v1alpha1.Notice) *cloudevents.Event {
	at := n.At
	if n.OverdueSince != nil {
		at = *n.OverdueSince
	}
	return jobEvent(jobNotices[n.What], fn, j, at.Time, JobNotice{
		Namespace: j.Namespace, App: j.Spec.TaskTemplate.AppRef.Name, Job: j.Name, UID: string(j.UID), Notice: n,
		ExpectSuccessWithin: j.Spec.ExpectSuccessWithin, LastSuccessTime: j.Status.LastSuccessTime,
	})
}

func jobEvent(eventType, fn string, j *v1alpha1.TaskSchedule, at time.Time, data any) *cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetType(eventType)
	e.SetSource(fmt.Sprintf("/apis/%s/namespaces/%s/taskschedules/%s", v1alpha1.GroupVersion, j.Namespace, j.Name))
	e.SetSubject(j.Namespace + "/" + j.Name)
	e.SetID(jobFactID(j.UID, at, eventType))
	cause{chain: link(j.Namespace, "jobs", j.Name)}.tell(&e)
	e.SetExtension("kffunction", fn)
	e.SetExtension("kfapp", j.Spec.TaskTemplate.AppRef.Name)
	if err := e.SetData(cloudevents.ApplicationJSON, data); err != nil {
		panic(err) // plain data: can't fail
	}
	return &e
}

func jobFactID(job types.UID, instant time.Time, eventType string) string {
	return fmt.Sprintf("%s.%d.%s", job, instant.Unix(), eventType)
}

// CommandFact is the data of every dev.kf.command.* fact event: what became of a command.
type CommandFact struct {
	// Namespace is where it was to do something; "" where it named none that there can be.
	Namespace string     `json:"namespace"`
	Command   CommandRef `json:"command"`
	// Task is the Task that it made or marked; "" where there was nothing to do, and in refusals.
	Task string `json:"task,omitempty"`
	// Job is the Job that it suspended or resumed.
	Job string `json:"job,omitempty"`
	// RequestedBy is who sent it, where that is known.
	RequestedBy string `json:"requestedBy,omitempty"`
	// Status and Reason are the answer of a refusal: an HTTP status, and words. What was accepted has a Reason where nothing came of it.
	Status int    `json:"status,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Reaction is what an event of any type was to run: there are as many facts of one event as there are such. "" of commands.
	Reaction string `json:"-"`
}

// CommandRef says which command a fact is about, as its sender wrote it.
type CommandRef struct {
	Type    string `json:"type"`
	Source  string `json:"source"`
	ID      string `json:"id"`
	Subject string `json:"subject,omitempty"`
}

// NewCommandFact makes the fact event of a command. Its id follows from the command's source and id, so that two deliveries of one
// command are one fact.
func NewCommandFact(eventType, fn string, command cloudevents.Event, f CommandFact) *cloudevents.Event {
	f.Command = CommandRef{Type: command.Type(), Source: command.Source(), ID: command.ID(), Subject: command.Subject()}
	e := cloudevents.NewEvent()
	e.SetType(eventType)
	e.SetSource(fmt.Sprintf("/apis/%s/namespaces/%s", v1alpha1.GroupVersion, f.Namespace))
	e.SetSubject(strings.TrimSuffix(f.Namespace+"/"+cmp.Or(f.Task, f.Job), "/"))
	e.SetID(TaskName("command", command.Source(), strings.TrimSuffix(command.ID()+"\x00"+f.Reaction, "\x00")) + "." + eventType)
	causeIn(command).tell(&e)
	e.SetExtension("kffunction", fn)
	if err := e.SetData(cloudevents.ApplicationJSON, f); err != nil {
		panic(err) // plain data: can't fail
	}
	return &e
}
