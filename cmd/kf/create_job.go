package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

type createJob struct {
	*target
	resources
	arrayFlags
	schedules        []string
	policy, zone     string
	timeout          time.Duration
	retries, jitter  int32
	startingDeadline time.Duration
	successWithin    time.Duration
	maxFailures      int32
	async            bool
	created          func(context.Context, *v1alpha1.TaskSchedule) error // what else is to be made, once the Job is there

	catchUp, startDate, endDate string
	start, end                  *metav1.Time
}

func newCreateJob(t *target) *cobra.Command {
	o := &createJob{target: t}
	c := &cobra.Command{
		Use:   "create-job APP_NAME JOB_NAME [COMMAND]",
		Short: "Create a Job: a Task of an App that can be run on a schedule, or by hand",
		Long: `create-job creates a Job. Without --schedule it is suspended, and runs when you say run-job. Without a command its Tasks run
the App's own start command.

A schedule is a crontab(5) expression of five fields, or @hourly, @daily, @weekly, @monthly, @yearly, or @at with one minute of the
time zone, such as "@at 2026-12-24T18:00". H in a field is a number of the Job's own, always the same: "H H * * *" is once a day.`,
		Example: `  kf create-job shop nightly "bin/report --all"
  kf create-job shop nightly "bin/report --all" --schedule "30 2 * * *" --time-zone Europe/Berlin
  kf create-job shop sync bin/sync -s "*/5 * * * *" --concurrency-policy Forbid --timeout 4m
  kf create-job shop backup bin/backup -s "0 3 * * *" --expect-success-within 26h --pause-after-failures 5`,
		Args: cobra.RangeArgs(2, 3),
		RunE: o.run,
	}
	f := c.Flags()
	f.StringArrayVarP(&o.schedules, "schedule", "s", nil, "when to run, e.g. \"30 2 * * *\"; may be given several times")
	f.StringVarP(&o.policy, "concurrency-policy", "c", string(v1alpha1.ConcurrencyAlways),
		"what to do while the Task before still runs: Always (run), Forbid (skip) or Replace (stop it)")
	f.StringVar(&o.zone, "time-zone", "", "IANA name of the zone of the schedule, e.g. Europe/Berlin; UTC when left out")
	f.DurationVar(&o.timeout, "timeout", 0, "end each Task when it runs longer, e.g. 90s or 2h")
	f.Int32Var(&o.retries, "retries", 0, "how often to try a Task again when it fails")
	f.Int32Var(&o.jitter, "jitter", 0, "spread the start over so many seconds, always the same for one Job")
	f.DurationVar(&o.startingDeadline, "starting-deadline", 0, "do not run what is later than this after an outage; no limit when left out")
	f.StringVar(&o.catchUp, "catch-up", "", "what to run after an outage of what was missed: Latest (as when left out), None, or All")
	f.StringVar(&o.startDate, "start-date", "", "when the schedule begins, e.g. 2026-12-01T00:00:00Z")
	f.StringVar(&o.endDate, "end-date", "", "when the schedule ends, e.g. 2027-01-01T00:00:00Z")
	f.DurationVar(&o.successWithin, "expect-success-within", 0,
		"the Job is overdue when no Task of it has succeeded for longer, e.g. 26h; no limit when left out")
	f.Int32Var(&o.maxFailures, "pause-after-failures", 0,
		"pause the Job when so many Tasks of its schedule fail in a row; never when left out")
	asyncFlag(c, &o.async, "the Job is ready")
	o.resources.flags(c)
	o.arrayFlags.flags(c)
	return c
}

func (o *createJob) run(cmd *cobra.Command, args []string) error {
	if err := o.check(cmd); err != nil {
		return err
	}
	if err := o.arrayFlags.check(cmd); err != nil {
		return err
	}
	for _, command := range args[2:] {
		if err := checkCommand(command); err != nil {
			return err
		}
	}
	if len(o.schedules) > 0 {
		if err := checkSchedules(o.zone, o.schedules, time.Now()); err != nil {
			return err
		}
	}
	job := o.described(cmd, args)
	if _, err := preview(job, nil, time.Now()); err != nil {
		return err
	}
	return o.create(cmd.Context(), args[0], job)
}

// create makes a Job of an App, and says what it will do.
func (o *createJob) create(ctx context.Context, of string, job *v1alpha1.TaskSchedule) error {
	app, err := o.app(ctx, of)
	if err != nil {
		return err
	}
	job.Namespace, job.Labels = o.space, v1alpha1.TaskScheduleLabels(job.Spec.Suspend)
	job.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("App"))}
	name := job.Name
	job, err = o.kf.TaskSchedules(o.space).Create(ctx, job, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("there is a Job %q in Space %q already: schedule-job changes its schedule, delete-job removes it",
			name, o.space)
	}
	if err != nil {
		return fmt.Errorf("create Job: %w", err)
	}
	if o.created != nil {
		if err := o.created(ctx, job); err != nil {
			return err
		}
	}
	if !o.async {
		if err := o.jobReady(ctx, job); err != nil {
			return err
		}
	}
	o.printf("Job %s created.\n", job.Name)
	if job.Spec.Suspend {
		o.printf("\nIt has no schedule. Run it with:\n  kf run-job %[1]s --space %[2]s\n"+
			"or schedule it with:\n  kf schedule-job %[1]s \"30 2 * * *\" --space %[2]s\n", job.Name, o.space)
		return nil
	}
	return o.printNext(job, o.holds(ctx, job), time.Now())
}

func (o *createJob) check(cmd *cobra.Command) error {
	switch v1alpha1.ConcurrencyPolicy(o.policy) {
	case v1alpha1.ConcurrencyAlways, v1alpha1.ConcurrencyForbid, v1alpha1.ConcurrencyReplace:
	default:
		return fmt.Errorf("--concurrency-policy is Always, Forbid or Replace, not %q", o.policy)
	}
	switch {
	case o.jitter < 0 || o.jitter > maxJitter:
		return fmt.Errorf("--jitter is from 0 to %d seconds", maxJitter)
	case o.startingDeadline < 0 || o.startingDeadline > maxTimeout:
		return fmt.Errorf("--starting-deadline is from 0s to %s", maxTimeout)
	case !slices.Contains([]string{"", "Latest", "None", "All"}, o.catchUp):
		return fmt.Errorf("--catch-up is Latest, None or All, not %q", o.catchUp)
	case cmd.Flags().Changed("expect-success-within") && (o.successWithin < time.Minute || o.successWithin > maxTimeout):
		return fmt.Errorf("--expect-success-within is from 1m to %s; leave it out for no limit", maxTimeout)
	case o.maxFailures < 0 || o.maxFailures > maxFailures:
		return fmt.Errorf("--pause-after-failures is from 0, never, to %d", maxFailures)
	}
	var err error
	if o.start, err = moment("--start-date", o.startDate, time.Now()); err != nil {
		return err
	}
	if o.end, err = moment("--end-date", o.endDate, time.Now()); err != nil {
		return err
	}
	if o.start != nil && o.end != nil && !o.start.Before(o.end) {
		return errors.New("--start-date must be before --end-date: between them the Job runs")
	}
	if o.end != nil && !o.end.After(time.Now()) {
		return errors.New("--end-date is over: such a Job would never run")
	}
	if err := checkLimits("", o.retries, o.timeout); err != nil {
		return err
	}
	return o.resources.check()
}

// described is the Job that the command line describes, without what its App adds.
func (o *createJob) described(cmd *cobra.Command, args []string) *v1alpha1.TaskSchedule {
	job := &v1alpha1.TaskSchedule{
		ObjectMeta: metav1.ObjectMeta{Name: args[1]},
		Spec: v1alpha1.TaskScheduleSpec{
			Schedule: v1alpha1.NeverSchedule, Suspend: true, TimeZone: o.zone, JitterSeconds: o.jitter,
			ConcurrencyPolicy: v1alpha1.ConcurrencyPolicy(o.policy), CatchUp: v1alpha1.CatchUpPolicy(o.catchUp),
			StartDate: o.start, EndDate: o.end, PauseAfterFailures: o.maxFailures,
			ExpectSuccessWithin: given(cmd, "expect-success-within", o.successWithin),
			TaskTemplate: v1alpha1.TaskSpec{
				AppRef: corev1.LocalObjectReference{Name: args[0]}, Command: strings.Join(args[2:], ""),
				CPU: o.cpu, Memory: o.memory, Disk: o.disk, Retries: o.retries, Timeout: given(cmd, "timeout", o.timeout),
				Count: o.count, Parallelism: o.parallelism,
			},
		},
	}
	if len(o.schedules) > 0 {
		job.Spec.Schedule, job.Spec.Schedules, job.Spec.Suspend = o.schedules[0], o.schedules[1:], false
	}
	if deadline := given(cmd, "starting-deadline", o.startingDeadline); deadline != nil {
		seconds := int64(deadline.Seconds())
		job.Spec.StartingDeadlineSeconds = &seconds
	}
	return job
}
