package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

type backfill struct {
	*target
	from, to    string
	dryRun      bool
	parallelism int
}

func newBackfill(t *target) *cobra.Command {
	o := &backfill{target: t}
	c := &cobra.Command{
		Use:   "backfill JOB_NAME --from INSTANT [--to INSTANT]",
		Short: "Run the instants of a Job's schedule that did not run, in a time that is past",
		Long: `backfill runs a Job once for each instant that its schedule, as it is now, names from one time up to and with another: as
Tasks of the instants' own names, so that none is run that has its Task, and the command can be said again when it was interrupted. Instants
that the history has as Ran are left out, as are those that the Job owes and runs by itself. The oldest is run first, and so many
Tasks at once as --parallelism says.

A Task that was pruned, of an instant that is older than the history (50 records), leaves nothing to know it by: such an instant is
run, and how many there are is said. At most 1000 instants are run by one command. --dry-run runs none and shows which they are.`,
		Example: `  kf backfill nightly --from 2026-11-20T00:00 --to 2026-11-27T00:00 --dry-run
  kf backfill nightly --from 2026-11-20T00:00 --parallelism 4`,
		Args: cobra.ExactArgs(1),
		RunE: o.run,
	}
	c.Flags().StringVar(&o.from, "from", "", "the first instant: 2026-11-20T00:00 in the Job's time zone, or 2026-11-20T00:00:00Z")
	c.Flags().StringVar(&o.to, "to", "", "the last instant; now when left out")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "only show which instants would be run")
	c.Flags().IntVar(&o.parallelism, "parallelism", 1, "how many of the Tasks may run at once, up to 100")
	return c
}

func (o *backfill) run(cmd *cobra.Command, args []string) error {
	if o.from == "" {
		return coded{exitUsage, errors.New("say from when: --from 2026-11-20T00:00")}
	}
	if o.parallelism < 1 || o.parallelism > 100 {
		return coded{exitUsage, errors.New("--parallelism is from 1 to 100")}
	}
	ctx := cmd.Context()
	j, err := o.job(ctx, args[0])
	if err != nil {
		return err
	}
	if one := j.Spec.ConcurrencyPolicy; o.parallelism > 1 && one != v1alpha1.ConcurrencyAlways && one != "" {
		return coded{exitUsage, fmt.Errorf("Job %s runs one Task at a time (concurrencyPolicy %s): leave out --parallelism", j.Name, one)}
	}
	from, to, err := o.period(j, time.Now())
	if err != nil {
		return coded{exitUsage, err}
	}
	tasks, err := o.tasksOf(ctx, j)
	if err != nil {
		return err
	}
	b, err := job.BackfillOf(j, job.Made(j, tasks), from, to, time.Now())
	if err != nil {
		return err
	}
	o.count(j, b)
	if o.dryRun {
		for _, t := range b.Run {
			o.printf("  %s as Task %s\n", t.Format(time.RFC3339), j.TaskName(t))
		}
		return nil
	}
	return o.fill(ctx, j, b)
}

// period is the range that was asked for.
func (o *backfill) period(j *v1alpha1.TaskSchedule, now time.Time) (from, to time.Time, err error) {
	zone, err := schedule.LoadZone(j.Spec.TimeZone)
	if err != nil {
		return from, to, err
	}
	read := func(flag, text string) (time.Time, error) {
		t, err := instantIn(text, zone)
		if err != nil {
			return t, fmt.Errorf("%s %q is no instant: write a minute, 2026-11-20T00:00 in the Job's time zone or 2026-11-20T00:00:00Z",
				flag, text)
		}
		return t, nil
	}
	if from, err = read("--from", o.from); err != nil {
		return from, to, err
	}
	if to = now; o.to != "" {
		if to, err = read("--to", o.to); err != nil {
			return from, to, err
		}
	}
	if to.Before(from) {
		return from, to, errors.New("--to is before --from")
	}
	if from.After(now) {
		return from, to, errors.New("--from is to come: the schedule runs it then")
	}
	return from, to, nil
}

// count says what the range comes to.
func (o *backfill) count(j *v1alpha1.TaskSchedule, b job.Backfill) {
	o.printf("Job %s has %d instants there, up to %s: %d to run, %d have their Task, %d are on record as run, "+
		"%d are owed and run by themselves.\n", j.Name, b.Instants, b.Until.UTC().Format(time.RFC3339), len(b.Run), b.Made, b.Ran, b.Owed)
	if b.Unstored > 0 {
		o.progress("Of those to run, %d are older than the Job's history: if they ran and were pruned, nobody can tell, and they run again",
			b.Unstored)
	}
}

// fill runs the instants, the oldest first, so many at once.
func (o *backfill) fill(ctx context.Context, j *v1alpha1.TaskSchedule, b job.Backfill) error {
	ours, done := map[string]bool{}, 0
	for _, t := range b.Run {
		if err := o.room(ctx, j, ours, len(b.Run)); err != nil {
			return err
		}
		task := j.NewTask()
		task.Name = j.TaskName(t)
		there, err := client.CreateOnce(ctx, o.kf.Tasks(j.Namespace), task)
		if err != nil {
			return fmt.Errorf("%d of %d are run; create Task %s: %w", done, len(b.Run), task.Name, err)
		}
		if there != nil && !metav1.IsControlledBy(there, j) {
			return fmt.Errorf("%d of %d are run; a Task %s that is not this Job's is in the way: delete it, and say it again",
				done, len(b.Run), task.Name)
		}
		ours[task.Name] = true
		done++
	}
	o.printf("%d Tasks are made; kf tasks %s lists them.\n", done, j.Spec.TaskTemplate.AppRef.Name)
	return nil
}

// room returns when another Task may run.
func (o *backfill) room(ctx context.Context, j *v1alpha1.TaskSchedule, ours map[string]bool, all int) error {
	running := metav1.ListOptions{LabelSelector: v1alpha1.TaskScheduleLabel + "=" + j.Name, FieldSelector: "status.completionTime="}
	p := patience{
		every:   time.Second,
		say:     func() { o.progress("%d of %d are made; waiting for one that runs", len(ours), all) },
		stopped: fmt.Sprintf("no longer waiting; %d of %d Tasks are made and go on: say it again for the others", len(ours), all),
	}
	if len(ours) < o.parallelism {
		return nil
	}
	return o.await(ctx, p, func(ctx context.Context) (bool, error) {
		n := 0
		for task, err := range client.All[*v1alpha1.Task](ctx, o.kf.Tasks(j.Namespace), running) {
			if err != nil {
				return false, err
			}
			if ours[task.Name] && !task.Final() {
				n++
			}
		}
		return n < o.parallelism, nil
	})
}
