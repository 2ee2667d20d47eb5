package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/archive"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

// readPatience is how long the node may take to give a log.
const readPatience = 2 * time.Minute

// read gathers the log of an ended Task in a spool, and says what may be missing. The error is one that may pass.
func (h *Handler) read(ctx context.Context, task *v1alpha1.Task, spool *archive.Spool) (missing string, err error) {
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	streams, notes := map[string]sink.Stream{}, []string{}
	of := func(e text.Entry) sink.Stream {
		if streams[e.Pod] == nil {
			streams[e.Pod] = spool.Open(sink.Origin{
				Space: task.Namespace, App: task.Spec.AppRef.Name, Task: task.Name, ID: task.ID(), Pod: e.Pod, Container: e.Container,
			})
		}
		return streams[e.Pod]
	}
	defer func() {
		for _, s := range streams {
			s.Close()
		}
	}()
	reader := tasklog.Reader{
		Tasks: h.Kf.Tasks(task.Namespace), Pods: h.Pods.Pods(task.Namespace), Streams: h.Streams.Pods(task.Namespace), UID: task.UID,
	}
	err = reader.Task(ctx, task.Name, follow.Options{Follow: true}, tasklog.Output{Entry: func(e text.Entry) error {
		switch {
		case e.Status != nil:
		case e.Note != "" && e.Pod == "" && len(task.Status.Starts) == 0: // it has no Pod, and no command of it began
		case e.Note != "":
			notes = append(notes, e.Note)
		default:
			return of(e).Write(ctx, sink.Record{Time: e.Time, Text: e.Text, More: e.More})
		}
		return nil
	}})
	for _, start := range task.Status.Starts { // Tekton may have made another Pod, in which nothing begins, and whose log is whole
		if start.Lost != "" && streams[start.Pod] == nil && len(notes) == 0 {
			notes = append(notes, fmt.Sprintf("the Pod %s was lost (%s), and with it what it had written", start.Pod, start.Lost))
		}
	}
	if err != nil && LastChance(task, h.Now()) {
		notes, err = append(notes, fmt.Sprintf("the log could not be read to its end: %v", err)), nil
	}
	return strings.Join(notes, "; "), err
}
