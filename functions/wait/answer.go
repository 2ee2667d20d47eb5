package main

import (
	"bytes"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/inert"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

// Answer is how a Task stands, or ended.
type Answer struct {
	Namespace   string `json:"namespace"`
	Task        string `json:"task"`
	UID         string `json:"uid,omitempty"`
	App         string `json:"app,omitempty"`
	Job         string `json:"job,omitempty"`
	ID          int    `json:"id,omitempty"`
	RequestedBy string `json:"requestedBy,omitempty"`
	// Ended says that Outcome is there, and that nothing of this changes any more.
	Ended   bool                 `json:"ended"`
	Outcome v1alpha1.TaskOutcome `json:"outcome,omitempty"`
	Reason  string               `json:"reason,omitempty"`
	Message string               `json:"message,omitempty"`
	// ExitCode is there once the process has ended.
	ExitCode       *int32           `json:"exitCode,omitempty"`
	StartTime      *metav1.Time     `json:"startTime,omitempty"`
	CompletionTime *metav1.Time     `json:"completionTime,omitempty"`
	Duration       *metav1.Duration `json:"duration,omitempty"`
	// Log is the end of what it wrote.
	Log *Log `json:"log,omitempty"`
}

// Log is the end of a log.
type Log struct {
	Text string `json:"text"`
	// Truncated says that there is more before.
	Truncated bool `json:"truncated,omitempty"`
	// Notes say what may be missing, and why.
	Notes []string `json:"notes,omitempty"`
}

// logLines and logBytes are how much of a log is answered with; the function logs has the rest.
const logLines, logBytes = 1000, 64 << 10

// AnswerOf says how a Task stands.
func AnswerOf(t *v1alpha1.Task) Answer {
	a := Answer{
		Namespace: t.Namespace, Task: t.Name, UID: string(t.UID), ID: t.ID(),
		App: t.Spec.AppRef.Name, Job: t.Labels[v1alpha1.TaskScheduleLabel],
		RequestedBy: t.Spec.RequestedBy, Ended: t.Final(), Outcome: t.Outcome(), ExitCode: t.Status.ExitCode,
		StartTime: t.Status.StartTime, CompletionTime: t.Status.CompletionTime, Duration: t.Status.Duration,
	}
	if c := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
		a.Reason, a.Message = c.Reason, c.Message
	}
	return a
}

// logEnd reads the end of a Task's log. A log that can't be had says why, and is no reason not to answer.
func logEnd(ctx context.Context, r *tasklog.Reader, task string) *Log {
	var lines [][]byte
	var l Log
	whole, tail := true, int64(logLines)+1
	size := 0
	err := r.Task(ctx, task, follow.Options{Tail: &tail}, tasklog.Output{Entry: func(e text.Entry) error {
		switch {
		case e.Note != "":
			l.Notes = append(l.Notes, inert.Fit(e.Note, 256))
		case e.Status == nil:
			if whole {
				lines = append(lines, nil)
			}
			last := &lines[len(lines)-1]
			if *last = append(*last, e.Text...); !e.More {
				*last = append(*last, '\n')
			}
			size, whole = size+len(e.Text)+1, !e.More
		}
		for (size > logBytes || len(lines) > logLines) && len(lines) > 1 {
			size, lines, l.Truncated = size-len(lines[0]), lines[1:], true
		}
		if len(lines) == 1 && len(lines[0]) > logBytes {
			lines[0], l.Truncated = bytes.Clone(lines[0][len(lines[0])-logBytes:]), true
			size = len(lines[0])
		}
		return nil
	}})
	switch {
	case apierrors.IsUnauthorized(err):
		l.Notes = append(l.Notes, "the API server shows logs, and the token is not for it: ask for one with its audience (docs/wait.md)")
	case apierrors.IsForbidden(err):
		l.Notes = append(l.Notes, "the token may not read the Pod logs of this namespace")
	case err != nil:
		l.Notes = append(l.Notes, inert.Fit(fmt.Sprintf("the log could not be read to its end: %v", err), 256))
	}
	l.Text = string(bytes.Join(lines, nil))
	return &l
}
