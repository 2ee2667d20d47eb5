package events

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"sigs.k8s.io/json"

	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// Entry is what the catalogue says of one type of event.
type Entry struct {
	// Description is one sentence for somebody who looks for an event to react to.
	Description string
	// Data is a value of the type that the event's data has. Its JSON schema is in schemas/.
	Data any
}

// Catalogue lists every type of this project's own. The schemas and the EventType objects are generated from it.
var Catalogue = map[string]Entry{
	TaskRun:         {"asks to run an App's image once, as a Task", RunTask{}},
	TaskTerminate:   {"asks to stop a Task", TerminateTask{}},
	JobRun:          {"asks to run a Job now, apart from its schedule", RunJob{}},
	JobSuspend:      {"asks to suspend a Job: its schedule then starts nothing", SuspendJob{}},
	JobResume:       {"asks to resume a Job that is suspended", ResumeJob{}},
	TaskCreated:     {"a Task has got its ID and its PipelineRun", TaskFact{}},
	TaskStarted:     {"a Task's run has started", TaskFact{}},
	TaskSucceeded:   {"a Task's process has ended with exit code 0", TaskFact{}},
	TaskFailed:      {"a Task has ended in another way than by success or on request", TaskFact{}},
	TaskTerminated:  {"a Task has ended because somebody asked for it", TaskFact{}},
	TaskPruned:      {"retention has deleted a Task; this is its last status", TaskFact{}},
	CommandAccepted: {"a command has been carried out, or was before: this is the Task", CommandFact{}},
	CommandRefused:  {"a command has been refused for good, and why", CommandFact{}},
	JobFired:        {"a Job has run for an instant of its schedule", JobFact{}},
	JobSkipped:      {"a Job has not run for an instant: its Task before still ran, a blackout left it out, or it can't run", JobFact{}},
	JobMissed:       {"instants of a Job have passed unrun: later ones, or their deadline, had come when the system recovered", JobFact{}},
	JobOverdue:      {"a Job has not succeeded within the time that it is expected to; told once until it recovers", JobNotice{}},
	JobRecovered:    {"a Job that was overdue has succeeded again", JobNotice{}},
	JobPaused:       {"a Job was paused because its Tasks failed in a row", JobNotice{}},
}

// Command decodes the data of a command event. A field that the command does not have is an error: what is misspelled
// would else run with the App's defaults. So is one that is there twice, or in other letters than the schema's: another
// reader of the event, who filters or checks it, may take it for another command than this one.
func Command(e cloudevents.Event, into any) error {
	unfit, err := json.UnmarshalStrict(e.Data(), into)
	if !utf8.Valid(e.Data()) {
		err = errors.Join(err, errors.New("it is not valid UTF-8, and would not arrive as it is"))
	}
	if asks, ok := into.(interface{ fits() error }); ok && err == nil && len(unfit) == 0 {
		err = asks.fits()
	}
	if err = errors.Join(append(unfit, err)...); err != nil {
		return fmt.Errorf("the data of %s is not what its schema says (shared/events/schemas/%s.json): %s", e.Type(), e.Type(),
			inert.Fit(strings.ReplaceAll(err.Error(), "\n", ", "), 500))
	}
	return nil
}
