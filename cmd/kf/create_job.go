package main

import (
	"fmt"
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
	async            bool
}

func newCreateJob(t *target) *cobra.Command {
	o := &createJob{target: t}
	c := &cobra.Command{
		Use:   "create-job APP_NAME JOB_NAME [COMMAND]",
		Short: "Create a Job: a Task of an App that can be run on a schedule, or by hand",
		Long: `create-job creates a Job. Without --schedule it is suspended, and runs when you say run-job. Without a command its Tasks run
the App's own start command.

A schedule is a crontab(5) expression of five fields, or @hourly, @daily, @weekly, @monthly, @yearly.`,
		Example: `  kf create-job shop nightly "bin/report --all"
  kf create-job shop nightly "bin/report --all" --schedule "30 2 * * *" --time-zone Europe/Berlin
  kf create-job shop sync bin/sync -s "*/5 * * * *" --concurrency-policy Forbid --timeout 4m`,
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
	asyncFlag(c, &o.async, "the Job is ready")
	o.resources.flags(c)
	o.arrayFlags.flags(c)
	return c
}

func (o *createJob) run(cmd *cobra.Command, args []string) error {
	if err := o.check(); err != nil {
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
		if err := checkSchedules(o.zone, o.schedules); err != nil {
			return err
		}
	}
	job := o.described(cmd, args)
	if _, err := preview(job, time.Now()); err != nil {
		return err
	}
	ctx := cmd.Context()
	app, err := o.app(ctx, args[0])
	if err != nil {
		return err
	}
	job.Namespace, job.Labels = o.space, v1alpha1.TaskScheduleLabels(job.Spec.Suspend)
	job.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("App"))}
	job, err = o.kf.TaskSchedules(o.space).Create(ctx, job, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("there is a Job %q in Space %q already: schedule-job changes its schedule, delete-job removes it",
			args[1], o.space)
	}
	if err != nil {
		return fmt.Errorf("create Job: %w", err)
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
	return o.printNext(job, time.Now())
}

func (o *createJob) check() error {
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
			ConcurrencyPolicy: v1alpha1.ConcurrencyPolicy(o.policy),
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
