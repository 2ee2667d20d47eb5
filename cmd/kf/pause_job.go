package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

// pausing is what pause-job and resume-job have in common: whose schedules they are about.
type pausing struct {
	*target
	app, selector string
	all           bool

	note, until string
}

const pauseTargets = " JOB_NAME | --app APP_NAME | --selector LABEL=VALUE | --all"

func newPauseJob(t *target) *cobra.Command {
	o := &pausing{target: t}
	c := &cobra.Command{
		Use:   "pause-job" + pauseTargets,
		Short: "Pause a Job's schedule, or those of an App or a Space, with a note and until a time",
		Long: `pause-job stops the schedules of a Job, of all Jobs of an App, of those that a selector names, or of the whole Space.
Instants within the pause are in the history as Paused, with the note, and are not run later; those that run go on, and run-job runs
a Job all the same. A pause with --until ends by itself. One of an App or the Space holds for its new Jobs
too; whoever may change the Space pauses it.`,
		Example: `  kf pause-job nightly --note "the database moves" --until +8h
  kf pause-job --app shop --until 2026-12-01T06:00
  kf pause-job --selector team=billing
  kf pause-job --all --note "month end" --until 2026-12-01T06:00:00Z`,
		Args: cobra.MaximumNArgs(1),
		RunE: o.pause,
	}
	o.flags(c)
	c.Flags().StringVar(&o.note, "note", "", "why, for whoever asks; at most 1024 characters")
	c.Flags().StringVar(&o.until, "until", "", "when it ends by itself: 2026-12-01T06:00 in the Job's time zone (else UTC), "+
		"2026-12-01T06:00:00Z, or +8h; left out, it lasts until resume-job")
	return c
}

func newResumeJob(t *target) *cobra.Command {
	o := &pausing{target: t}
	c := &cobra.Command{
		Use:   "resume-job" + pauseTargets,
		Short: "Lift the pause of a Job, or that of an App or a Space",
		Long: `resume-job lifts what pause-job has set, of the same target: a Job whose App or Space is paused stays so. The Jobs owe
nothing for the time of the pause; kf backfill runs what was left out. (What is suspended, kf schedule-job resumes.)`,
		Example: `  kf resume-job nightly
  kf resume-job --app shop
  kf resume-job --all`,
		Args: cobra.MaximumNArgs(1),
		RunE: o.resume,
	}
	o.flags(c)
	return c
}

func (o *pausing) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.app, "app", "", "all Jobs of this App")
	c.Flags().StringVarP(&o.selector, "selector", "l", "", "the Jobs with these labels, e.g. team=billing")
	c.Flags().BoolVar(&o.all, "all", false, "all Jobs of the Space")
}

// check says that there is one target.
func (o *pausing) check(args []string) error {
	n := len(args)
	for _, given := range []bool{o.app != "", o.selector != "", o.all} {
		if given {
			n++
		}
	}
	if n != 1 {
		return coded{exitUsage, errors.New("say what: a Job, --app, --selector, or --all for the whole Space, and one of them")}
	}
	if _, err := labels.Parse(o.selector); err != nil {
		return coded{exitUsage, fmt.Errorf("--selector: %w", err)}
	}
	return nil
}

func (o *pausing) pause(cmd *cobra.Command, args []string) error {
	if err := o.check(args); err != nil {
		return err
	}
	if n := utf8.RuneCountInString(o.note); n > maxPauseNote {
		return coded{exitUsage, fmt.Errorf("--note has %d characters, and can have %d", n, maxPauseNote)}
	}
	now := time.Now()
	if _, err := pauseEnd(o.until, time.UTC, now.Add(-26*time.Hour)); err != nil { // of no zone is it later than that
		return coded{exitUsage, err}
	}
	return o.each(cmd.Context(), args, func(zone *time.Location) (*v1alpha1.Pause, error) {
		until, err := pauseEnd(o.until, zone, now)
		return &v1alpha1.Pause{Note: o.note, Until: until}, err
	})
}

func (o *pausing) resume(cmd *cobra.Command, args []string) error {
	if err := o.check(args); err != nil {
		return err
	}
	return o.each(cmd.Context(), args, func(*time.Location) (*v1alpha1.Pause, error) { return nil, nil })
}

const maxPauseNote = 1024 // as the schema has it

// pauseEnd reads when a pause ends, up to a whole second. nil is never.
func pauseEnd(text string, zone *time.Location, now time.Time) (*metav1.Time, error) {
	if text == "" {
		return nil, nil
	}
	end := time.Time{}
	if d, err := time.ParseDuration(strings.TrimPrefix(text, "+")); err == nil {
		end = now.Add(d)
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			end = t
		}
	}
	switch {
	case end.IsZero():
		return nil, fmt.Errorf("--until %q is neither a time, such as 2026-12-01T06:00 or 2026-12-01T06:00:00Z, nor a duration like +8h",
			text)
	case !end.After(now):
		return nil, fmt.Errorf("--until %s is over, it was at %s: give a time that is to come, or none; resume-job lifts a pause",
			text, end.UTC().Format(time.RFC3339))
	}
	return &metav1.Time{Time: end.Add(time.Second - 1).Truncate(time.Second)}, nil
}

// each gives what is named its pause, or takes it.
func (o *pausing) each(ctx context.Context, args []string, of func(*time.Location) (*v1alpha1.Pause, error)) error {
	switch {
	case o.app != "":
		app, err := o.target.app(ctx, o.app)
		if err != nil {
			return err
		}
		p, err := of(time.UTC)
		if err != nil {
			return err
		}
		return set(ctx, o.target, o.kf.Apps(o.space), app, "App "+app.Name, app.Spec.Pause, p)
	case o.all:
		if err := o.connect(); err != nil {
			return err
		}
		space, err := o.spaceObject(ctx, o.space)
		if err != nil {
			return err
		}
		p, err := of(time.UTC)
		if err != nil {
			return err
		}
		return set(ctx, o.target, o.kf.Spaces(), space, "Space "+space.Name, space.Spec.Pause, p)
	}
	jobs, err := o.jobs(ctx, args)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		zone, err := schedule.LoadZone(j.Spec.TimeZone)
		if err != nil {
			return fmt.Errorf("Job %s: %w", j.Name, err)
		}
		p, err := of(zone)
		if err != nil {
			return err
		}
		if err := set(ctx, o.target, o.kf.TaskSchedules(o.space), j, "Job "+j.Name, j.Spec.Pause, p); err != nil {
			return err
		}
		o.remark(ctx, j, p)
	}
	return nil
}

// jobs are those that are named, or that a selector names.
func (o *pausing) jobs(ctx context.Context, args []string) ([]*v1alpha1.TaskSchedule, error) {
	if len(args) == 1 {
		j, err := o.job(ctx, args[0])
		return []*v1alpha1.TaskSchedule{j}, err
	}
	if err := o.connect(); err != nil {
		return nil, err
	}
	with := metav1.ListOptions{LabelSelector: o.selector}
	jobs, err := client.Collect(client.All[*v1alpha1.TaskSchedule](ctx, o.kf.TaskSchedules(o.space), with))
	if err == nil && len(jobs) == 0 {
		err = notFound("no Job in Space %q has the labels %s; `kf jobs -o yaml` shows them", o.space, o.selector)
	}
	return jobs, err
}

// patcher is what client.Merge writes with.
type patcher[T any] interface {
	Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (T, error)
}

// set writes the pause of one object.
func set[T any](ctx context.Context, t *target, c patcher[*T], o metav1.Object, what string, was, p *v1alpha1.Pause) error {
	if p == nil && was == nil {
		t.printf("%s is not paused.\n", what)
		return nil
	}
	spec := map[string]any{"pause": nil}
	if p != nil {
		pause := map[string]any{"note": nil, "until": p.Until} // null takes away what an earlier pause had
		if p.Note != "" {
			pause["note"] = p.Note
		}
		spec["pause"] = pause
	}
	if _, err := client.Merge(ctx, c, o, client.Change{Spec: spec}); err != nil {
		return fmt.Errorf("pause of %s: %w", what, err)
	}
	switch {
	case p == nil:
		t.printf("%s is no longer paused.\n", what)
	case p.Until == nil:
		t.printf("%s is paused until kf resume-job lifts it.\n", what)
	default:
		t.printf("%s is paused until %s.\n", what, p.Until.UTC().Format(time.RFC3339))
	}
	return nil
}

// remark says what else keeps a Job from running that was resumed.
func (o *pausing) remark(ctx context.Context, j *v1alpha1.TaskSchedule, p *v1alpha1.Pause) {
	if p != nil {
		return
	}
	if j.Spec.Suspend {
		o.progress("Job %s is suspended all the same: kf schedule-job schedules it", j.Name)
	}
	j = j.DeepCopy()
	j.Spec.Pause = nil
	if why := o.holds(ctx, j).But(j, time.Now()); why != "" {
		o.progress("Now, Job %s %s", j.Name, why)
	}
}
