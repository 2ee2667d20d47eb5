package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

// follow shows a Task's log while it waits for the Task to end. A log that can't be shown does not keep it from waiting.
func (t *target) follow(ctx context.Context, task *v1alpha1.Task) error {
	if task.Spec.Count > 0 { // its Tasks write side by side: kf logs shows them one after another
		return t.ended(ctx, task)
	}
	reader, err := t.logReader()
	if err != nil {
		return err
	}
	out, done := t.entries(text.Options{})
	show := out.Entry
	out.Entry = func(e text.Entry) error {
		if e.Status != nil {
			return nil // said by ended
		}
		return show(e)
	}
	shown := make(chan error, 1)
	go func() { shown <- reader.Task(ctx, task.Name, follow.Options{Follow: true}, out) }()
	result := t.ended(ctx, task)
	if err := unlessStopped(ctx, <-shown); err != nil {
		t.progress("the Task's log: %v", err)
	}
	done()
	return result
}

// ended returns when the Task has ended: nil for success, else an error that carries its exit code.
func (t *target) ended(ctx context.Context, task *v1alpha1.Task) error {
	p := patience{
		every: 500 * time.Millisecond, // it may take hours
		stopped: fmt.Sprintf("no longer waiting; the Task goes on. Stop it with: kf terminate-task %s --space %s",
			task.Name, task.Namespace),
	}
	said := ""
	return t.await(ctx, p, func(ctx context.Context) (bool, error) {
		now, err := client.Find(ctx, t.kf.Tasks(task.Namespace), task.Namespace, task.Name)
		switch {
		case err != nil:
			return false, err
		case now == nil:
			return false, fmt.Errorf("Task %s was deleted before it ended", task.Name)
		}
		if c := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
			if line := strings.TrimSpace(c.Reason + " " + c.Message); line != said {
				t.progress("Task %s: %s", task.Name, line)
				said = line
			}
		}
		return now.Final(), result(now)
	})
}

// result is nil for a Task that has succeeded, or has not ended.
func result(task *v1alpha1.Task) error {
	switch exit := task.Status.ExitCode; {
	case task.Outcome() == v1alpha1.TaskUnended || task.Outcome() == v1alpha1.TaskSucceeded:
		return nil
	case exit != nil && *exit != 0:
		return exitCode(*exit)
	}
	reason := v1alpha1.Reason(task.Status.Conditions, v1alpha1.ConditionSucceeded)
	return unsuccessful{fmt.Errorf("Task %s did not succeed: %s", task.Name, reason)}
}

// unsuccessful is the end of a Task that has no exit code to pass on.
type unsuccessful struct{ error }

func (t *target) logReader() (*tasklog.Reader, error) {
	pods, err := corev1client.NewForConfig(t.cfg)
	if err != nil {
		return nil, err
	}
	streams, err := corev1client.NewForConfig(tasklog.Streams(t.cfg))
	if err != nil {
		return nil, err
	}
	return &tasklog.Reader{Tasks: t.kf.Tasks(t.space), Pods: pods.Pods(t.space), Streams: streams.Pods(t.space)}, nil
}

// entries shows lines as what was asked for, and what is said about them apart from it.
func (t *target) entries(o text.Options) (out tasklog.Output, done func()) {
	lines, remarks := text.NewPlain(t.out, o), text.NewPlain(t.err, text.Options{})
	flush := func() { _ = lines.Flush() }
	return tasklog.Output{
		Idle: func(string) { flush() },
		Entry: func(e text.Entry) error {
			if e.Note == "" && e.Status == nil {
				return lines.Entry(e)
			}
			flush()
			return errors.Join(remarks.Entry(e), remarks.Flush())
		},
	}, flush
}

// unlessStopped: whoever interrupts a log that is followed has seen enough.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("you may not read the logs of Pods in this Space: %w", err)
	}
	return err
}
