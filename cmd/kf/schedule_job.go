package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

type scheduleJob struct {
	*target
	zone   string
	dryRun bool
}

func newScheduleJob(t *target) *cobra.Command {
	o := &scheduleJob{target: t}
	c := &cobra.Command{
		Use:   "schedule-job JOB_NAME SCHEDULE [SCHEDULE...]",
		Short: "Run a Job on a schedule",
		Long: `schedule-job sets a Job's schedule, in place of the one it had, and shows its next five instants. It owes nothing for
the time before. Several schedules that name the same minute run it once. H in a field is a number of the Job's own, always the same, and
@at names one minute, by the clock of the time zone. What a pause or a blackout will do to the instants is shown beside them.`,
		Example: `  kf schedule-job nightly "30 2 * * *"
  kf schedule-job nightly "0 9 * * 1-5" "0 12 * * 6" --time-zone Europe/Berlin
  kf schedule-job nightly "H H(1-5) * * *"
  kf schedule-job report "@at 2026-12-24T18:00" --time-zone Europe/Berlin
  kf schedule-job nightly "30 2 * * 7" --dry-run`,
		Args: cobra.MinimumNArgs(2),
		RunE: o.run,
	}
	c.Flags().StringVar(&o.zone, "time-zone", "", "IANA name of the zone of the schedule, e.g. Europe/Berlin; left as it is when left out")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "only show the next five instants")
	return c
}

func (o *scheduleJob) run(cmd *cobra.Command, args []string) error {
	ctx, name, schedules := cmd.Context(), args[0], args[1:]
	if err := checkSchedules(o.zone, schedules, time.Now()); err != nil {
		if len(schedules) == 5 && !strings.Contains(schedules[0], " ") {
			err = fmt.Errorf("%w: put quotes around the five fields", err)
		}
		return fmt.Errorf("%w. The Job's schedule stays as it is; `kf delete-job-schedule %s` stops it", err, name)
	}
	job, err := o.job(ctx, name)
	if err != nil {
		return err
	}
	overwrites := !job.Spec.Suspend
	job.Spec.Schedule, job.Spec.Schedules, job.Spec.Suspend = schedules[0], schedules[1:], false
	if cmd.Flags().Changed("time-zone") {
		job.Spec.TimeZone = o.zone
	}
	if err := o.printNext(job, o.holds(ctx, job), time.Now()); err != nil || o.dryRun {
		return err
	}
	if overwrites {
		o.progress("Scheduling an already scheduled Job. This overwrites its schedule.")
	}
	job, err = client.Merge(ctx, o.kf.TaskSchedules(o.space), job, client.Change{
		Labels: map[string]string{v1alpha1.SuspendLabel: "false"}, // the others may be Helm's: tick adds what lacks
		Spec: map[string]any{
			"schedule": schedules[0], "schedules": schedules[1:], "timeZone": job.Spec.TimeZone, "suspend": false,
		},
	})
	if err != nil {
		return fmt.Errorf("schedule Job %s: %w", name, err)
	}
	if err := o.jobReady(ctx, job); err != nil {
		return err
	}
	o.printf("Job %s scheduled.\n", job.Name)
	return nil
}
