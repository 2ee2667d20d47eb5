package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/inert"
	"github.com/kf-tasks/kf-tasks/shared/schedule"
	"github.com/kf-tasks/kf-tasks/shared/story"
	"github.com/kf-tasks/kf-tasks/shared/story/gather"
)

type why struct {
	*target
	output output
}

func newWhy(t *target) *cobra.Command {
	o := &why{target: t}
	c := &cobra.Command{
		Use:   "why TASK_NAME | JOB_NAME [INSTANT] | APP_NAME TASK_ID",
		Short: "Tell why a Task, or an instant of a Job, ran, waits, failed or did not run",
		Long: `why tells the story of a Task: what asked for it, each step since with its time, how it ended, and what to do. Of a Job it
tells that of one instant of its schedule, also where that did not run: of the first that is due and not decided, else of the latest, or of
INSTANT: as job-history shows it, or as 2026-12-01T02:30 in the Job's time zone.

It reads the Task, its App, Job, PipelineRun, TaskRun and Pod and Kubernetes' Events about them, with your rights. What is gone, or
you may not read, it says and makes up nothing for. -o wide names the object that says each line.`,
		Example: `  kf why shop-x7k2p
  kf why shop 7
  kf why nightly
  kf why nightly 2026-12-01T02:30
  kf why nightly 2026-12-01T01:30:00Z -o json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: o.run,
	}
	o.output.flag(c)
	return c
}

func (o *why) run(cmd *cobra.Command, args []string) error {
	if err := o.output.check(); err != nil {
		return err
	}
	told, err := o.tell(cmd.Context(), args)
	if err != nil {
		return err
	}
	if o.output.whole() {
		return o.data(told)
	}
	o.print(told)
	return nil
}

func (o *why) tell(ctx context.Context, args []string) (story.Story, error) {
	if len(args) == 2 {
		if _, err := strconv.Atoi(args[1]); err != nil {
			return o.ofInstant(ctx, args[0], args[1])
		}
		task, err := o.task(ctx, args)
		if err != nil {
			return story.Story{}, err
		}
		return story.OfTask(o.gather(ctx, task)), nil
	}
	if err := o.connect(); err != nil {
		return story.Story{}, err
	}
	task, err := client.Find(ctx, o.kf.Tasks(o.space), o.space, args[0])
	if err != nil {
		return story.Story{}, err
	}
	job, err := client.Find(ctx, o.kf.TaskSchedules(o.space), o.space, args[0])
	switch {
	case task != nil:
		if job != nil {
			o.progress("There is a Job %s as well: name an instant to be told of that", job.Name)
		}
		return story.OfTask(o.gather(ctx, task)), nil
	case err != nil:
		return story.Story{}, err
	case job == nil:
		if job, instant := o.jobOfPruned(ctx, args[0]); job != nil {
			return o.ofJob(ctx, job, instant), nil
		}
		return story.Story{}, notFound("there is no Task and no Job %q in Space %q; `kf tasks APP` and `kf jobs` list them",
			args[0], o.space)
	}
	return o.ofJob(ctx, job, story.Subject(job, time.Now())), nil
}

// lastSecond is of the year 9999: later ones have no RFC 3339.
const lastSecond = 253402300799

// jobOfPruned is the Job that a Task which is gone was of, by its name, and its instant: the Job's history may know what became of it.
func (o *why) jobOfPruned(ctx context.Context, task string) (*v1alpha1.TaskSchedule, time.Time) {
	at := max(strings.LastIndex(task, "-"), 0)
	seconds, err := strconv.ParseInt(strings.TrimPrefix(task[at:], "-"), 10, 64)
	if err != nil || seconds > lastSecond {
		return nil, time.Time{}
	}
	job, err := client.Find(ctx, o.kf.TaskSchedules(o.space), o.space, task[:at])
	if err != nil {
		return nil, time.Time{}
	}
	return job, time.Unix(seconds, 0).UTC()
}

func (o *why) ofInstant(ctx context.Context, name, at string) (story.Story, error) {
	if _, err := instantIn(at, time.UTC); err != nil {
		return story.Story{}, coded{exitUsage, err} // before anything is asked
	}
	job, err := o.job(ctx, name)
	if err != nil {
		return story.Story{}, err
	}
	zone, err := schedule.LoadZone(job.Spec.TimeZone)
	if err != nil {
		return story.Story{}, err
	}
	instant, err := instantIn(at, zone)
	if err != nil {
		return story.Story{}, err
	}
	return o.ofJob(ctx, job, instant), nil
}

// instantIn reads an instant, in a zone where it names none.
func instantIn(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04"} {
		at, err := time.ParseInLocation(layout, text, zone)
		if err != nil {
			continue
		}
		if at.Unix() < 0 {
			return time.Time{}, fmt.Errorf("%s is no instant: it is before 1970", text)
		}
		if !at.Equal(at.Truncate(time.Minute)) {
			return time.Time{}, fmt.Errorf("%s is no instant: schedules name whole minutes", text)
		}
		return at.UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%q is neither a Task's ID nor an instant: write 2026-12-01T02:30:00Z, as job-history shows it, "+
		"or 2026-12-01T02:30 in the Job's time zone", text)
}

// gather reads what there is of a Task, with the user's rights.
func (o *why) gather(ctx context.Context, task *v1alpha1.Task) story.Facts {
	r, err := gather.New(o.cfg)
	if err != nil {
		return story.Facts{Task: task, Unread: story.Unread{story.PartRun: err.Error()}, Now: time.Now()}
	}
	return r.Task(ctx, task, time.Now())
}

// ofJob reads what there is of an instant.
func (o *why) ofJob(ctx context.Context, job *v1alpha1.TaskSchedule, instant time.Time) story.Story {
	f := story.JobFacts{Job: job, Instant: instant, Unread: story.Unread{}, Now: time.Now()}
	tasks := o.kf.Tasks(job.Namespace)
	if !instant.IsZero() {
		task := gather.Look(f.Unread, story.PartTask, func() (*v1alpha1.Task, error) {
			return client.Find(ctx, tasks, job.Namespace, job.TaskName(instant))
		})
		if task != nil && metav1.IsControlledBy(task, job) {
			facts := o.gather(ctx, task)
			f.Task = &facts
		}
	}
	if instant.After(f.Now) || len(job.Status.Owed) > 0 {
		f.Holds = o.holds(ctx, job)
	}
	if name := story.InTheWay(job, instant); name != "" {
		f.Other = gather.Look(f.Unread, story.PartOther, func() (*v1alpha1.Task, error) {
			return client.Find(ctx, tasks, job.Namespace, name)
		})
	}
	return story.OfInstant(f)
}

// longest is how many columns of a line of a story are shown: an image's error may have thousands. -o json has them all.
const longest = 600

// print shows a story in one screen.
func (o *why) print(s story.Story) {
	o.printf("%s: %s\n\n", s.About, s.Outcome)
	for _, l := range s.Lines {
		at := "now"
		if !l.At.IsZero() {
			at = l.At.UTC().Format(time.RFC3339)
		}
		what := inert.Fit(l.What, longest)
		if o.output == "wide" {
			what += " [" + l.By + "]"
		}
		o.printf("%-20s   %s\n", at, what) // as wide as a time
	}
	if len(s.Unknown) > 0 || s.Do != "" {
		o.printf("\n")
	}
	for _, u := range s.Unknown {
		o.printf("Not known: %s\n", inert.Fit(u, longest))
	}
	if s.Do != "" {
		o.printf("What to do: %s\n", s.Do)
	}
}

// data shows a story to programs, whole.
func (o *why) data(s story.Story) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	item := map[string]any{"apiVersion": "cli.kf.dev/v1", "kind": "Story", "metadata": map[string]any{"name": s.About}}
	if err := json.Unmarshal(b, &item); err != nil {
		return err
	}
	return o.show(o.output, []any{item})
}
