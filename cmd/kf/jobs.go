package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

// readyWithin is how long a new or changed Job may take to be looked at. It takes a second, or ten when its event is lost.
const readyWithin = time.Minute

func newCreateJob(t *target) *cobra.Command {
	var (
		r                resources
		schedules        []string
		policy, zone     string
		timeout          time.Duration
		retries, jitter  int32
		startingDeadline time.Duration
		async            bool
	)
	c := &cobra.Command{
		Use:   "create-job APP_NAME JOB_NAME COMMAND",
		Short: "Create a Job: a Task of an App that can be run on a schedule, or by hand",
		Long: `create-job creates a Job. Without --schedule it is suspended, and runs when you say run-job.

A schedule is a crontab(5) expression of five fields, or @hourly, @daily, @weekly, @monthly, @yearly.`,
		Example: `  kf create-job shop nightly "bin/report --all"
  kf create-job shop nightly "bin/report --all" --schedule "30 2 * * *" --time-zone Europe/Berlin
  kf create-job shop sync bin/sync -s "*/5 * * * *" --concurrency-policy Forbid --timeout 4m`,
		Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(); err != nil {
				return err
			}
			switch v1alpha1.ConcurrencyPolicy(policy) {
			case v1alpha1.ConcurrencyAlways, v1alpha1.ConcurrencyForbid, v1alpha1.ConcurrencyReplace:
			default:
				return fmt.Errorf("--concurrency-policy is Always, Forbid or Replace, not %q", policy)
			}
			if retries < 0 || timeout < 0 || jitter < 0 || startingDeadline < 0 {
				return errors.New("--retries, --timeout, --jitter and --starting-deadline can't be negative")
			}
			job := &v1alpha1.TaskSchedule{
				ObjectMeta: metav1.ObjectMeta{Name: args[1]},
				Spec: v1alpha1.TaskScheduleSpec{
					Schedule: v1alpha1.NeverSchedule, Suspend: true, TimeZone: zone, JitterSeconds: jitter,
					ConcurrencyPolicy: v1alpha1.ConcurrencyPolicy(policy),
					TaskTemplate: v1alpha1.TaskSpec{
						AppRef: corev1.LocalObjectReference{Name: args[0]}, Command: args[2],
						CPU: r.cpu, Memory: r.memory, Disk: r.disk, Retries: retries,
					},
				},
			}
			if len(schedules) > 0 {
				job.Spec.Schedule, job.Spec.Schedules, job.Spec.Suspend = schedules[0], schedules[1:], false
			}
			if cmd.Flags().Changed("timeout") {
				job.Spec.TaskTemplate.Timeout = &metav1.Duration{Duration: timeout}
			}
			if cmd.Flags().Changed("starting-deadline") {
				seconds := int64(startingDeadline.Seconds())
				job.Spec.StartingDeadlineSeconds = &seconds
			}
			if err := printNext(io.Discard, job, time.Now()); err != nil { // before anything is written
				return err
			}
			_, kf, err := t.connect()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			app, err := getApp(ctx, kf, t.space, args[0])
			if err != nil {
				return err
			}
			job.Namespace, job.Labels = t.space, v1alpha1.TaskScheduleLabels(job.Spec.Suspend)
			job.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("App"))}
			job, err = kf.TaskSchedules(t.space).Create(ctx, job, metav1.CreateOptions{})
			if apierrors.IsAlreadyExists(err) {
				return fmt.Errorf("there is a Job %q in Space %q already: schedule-job changes its schedule, delete-job removes it", args[1], t.space)
			}
			if err != nil {
				return fmt.Errorf("create Job: %w", err)
			}
			if !async {
				if err := waitReady(ctx, kf, job); err != nil {
					return err
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Job %s created.\n", job.Name)
			if job.Spec.Suspend {
				fmt.Fprintf(cmd.OutOrStdout(), "\nIt has no schedule. Run it with:\n  kf run-job %[1]s --space %[2]s\nor schedule it with:\n  kf schedule-job %[1]s \"30 2 * * *\" --space %[2]s\n", job.Name, t.space)
				return nil
			}
			return printNext(cmd.OutOrStdout(), job, time.Now())
		},
	}
	f := c.Flags()
	f.StringArrayVarP(&schedules, "schedule", "s", nil, "when to run, e.g. \"30 2 * * *\"; may be given several times")
	f.StringVarP(&policy, "concurrency-policy", "c", string(v1alpha1.ConcurrencyAlways), "what to do while the Task before still runs: Always (run), Forbid (skip) or Replace (stop it)")
	f.StringVar(&zone, "time-zone", "", "IANA name of the zone of the schedule, e.g. Europe/Berlin; UTC when left out")
	f.DurationVar(&timeout, "timeout", 0, "end each Task when it runs longer, e.g. 90s or 2h")
	f.Int32Var(&retries, "retries", 0, "how often to try a Task again when it fails")
	f.Int32Var(&jitter, "jitter", 0, "spread the start over so many seconds, always the same for one Job")
	f.DurationVar(&startingDeadline, "starting-deadline", 0, "do not run what is later than this after an outage; no limit when left out")
	f.BoolVar(&async, "async", false, "do not wait until the Job is ready")
	r.flags(c)
	return c
}

func newScheduleJob(t *target) *cobra.Command {
	var zone string
	var dryRun bool
	c := &cobra.Command{
		Use:   "schedule-job JOB_NAME SCHEDULE [SCHEDULE...]",
		Short: "Run a Job on a schedule",
		Long: `schedule-job sets a Job's schedule, in place of the one it had, and shows its next five instants. It owes nothing for
the time before. Several schedules that name the same minute run it once.`,
		Example: `  kf schedule-job nightly "30 2 * * *"
  kf schedule-job nightly "0 9 * * 1-5" "0 12 * * 6" --time-zone Europe/Berlin
  kf schedule-job nightly "30 2 * * 7" --dry-run`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, kf, err := t.connect()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			job, err := getJob(ctx, kf, t.space, args[0])
			if err != nil {
				return err
			}
			overwrites := !job.Spec.Suspend
			job.Spec.Schedule, job.Spec.Schedules, job.Spec.Suspend = args[1], args[2:], false
			if cmd.Flags().Changed("time-zone") {
				job.Spec.TimeZone = zone
			}
			if err := printNext(cmd.OutOrStdout(), job, time.Now()); err != nil || dryRun {
				return err
			}
			if overwrites {
				progress("Scheduling an already scheduled Job. This overwrites its schedule.")
			}
			patch, err := json.Marshal(map[string]any{
				"metadata": map[string]any{"uid": job.UID, "labels": v1alpha1.TaskScheduleLabels(false)},
				"spec":     map[string]any{"schedule": args[1], "schedules": args[2:], "timeZone": job.Spec.TimeZone, "suspend": false},
			})
			if err != nil {
				return err
			}
			if job, err = kf.TaskSchedules(t.space).Patch(ctx, job.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				return fmt.Errorf("schedule Job %s: %w", args[0], err)
			}
			if err := waitReady(ctx, kf, job); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Job %s scheduled.\n", job.Name)
			return nil
		},
	}
	c.Flags().StringVar(&zone, "time-zone", "", "IANA name of the zone of the schedule, e.g. Europe/Berlin; left as it is when left out")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only show the next five instants")
	return c
}

func newRunJob(t *target) *cobra.Command {
	var r resources
	var command string
	var wait bool
	c := &cobra.Command{
		Use:   "run-job JOB_NAME",
		Short: "Run a Job once, now",
		Example: `  kf run-job nightly
  kf run-job nightly --command "bin/report --from 2026-11-01" -m 1G --wait`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(); err != nil {
				return err
			}
			cfg, kf, err := t.connect()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			job, err := getJob(ctx, kf, t.space, args[0])
			if err != nil {
				return err
			}
			task := job.NewTask()
			task.GenerateName = job.Name + "-"
			for field, v := range map[*string]string{&task.Spec.Command: command, &task.Spec.CPU: r.cpu, &task.Spec.Memory: r.memory, &task.Spec.Disk: r.disk} {
				if v != "" {
					*field = v
				}
			}
			if task, err = kf.Tasks(t.space).Create(ctx, task, metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("run Job %s: %w", job.Name, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Task %s is submitted successfully for execution.\n", task.Name)
			if !wait {
				return nil
			}
			return waitWithLog(ctx, cfg, kf, task, cmd.OutOrStdout())
		},
	}
	c.Flags().StringVar(&command, "command", "", "command to run this once, in place of the Job's")
	c.Flags().BoolVarP(&wait, "wait", "w", false, "show the Task's log until it has ended, and exit with its exit code")
	r.flags(c)
	return c
}

func newDeleteJobSchedule(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "delete-job-schedule JOB_NAME",
		Short: "Stop running a Job on its schedule; what runs goes on",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, kf, err := t.connect()
			if err != nil {
				return err
			}
			job, err := getJob(cmd.Context(), kf, t.space, args[0])
			if err != nil {
				return err
			}
			if job.Spec.Suspend {
				return fmt.Errorf("Job %s has no schedule: it is suspended", job.Name)
			}
			patch, err := json.Marshal(map[string]any{
				"metadata": map[string]any{"uid": job.UID, "labels": v1alpha1.TaskScheduleLabels(true)},
				"spec":     map[string]any{"suspend": true},
			})
			if err != nil {
				return err
			}
			if _, err := kf.TaskSchedules(t.space).Patch(cmd.Context(), job.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				return fmt.Errorf("suspend Job %s: %w", job.Name, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The schedule of Job %s is deleted. run-job still runs it; schedule-job schedules it again.\n", job.Name)
			return nil
		},
	}
}

func newDeleteJob(t *target) *cobra.Command {
	var async bool
	c := &cobra.Command{
		Use:   "delete-job JOB_NAME",
		Short: "Delete a Job and its Tasks, those that run included",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, kf, err := t.connect()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			job, err := getJob(ctx, kf, t.space, args[0])
			if err != nil {
				return err
			}
			tasks, err := tasksOf(ctx, kf, job)
			if err != nil {
				return err
			}
			running := 0
			for _, task := range tasks {
				if !task.Final() {
					running++
				}
			}
			// In the foreground the Job goes last, after its Tasks, their PipelineRuns and Pods.
			foreground := metav1.DeletePropagationForeground
			err = kf.TaskSchedules(t.space).Delete(ctx, job.Name, metav1.DeleteOptions{PropagationPolicy: &foreground, Preconditions: &metav1.Preconditions{UID: &job.UID}})
			if err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("delete Job %s: %w", job.Name, err)
			}
			if async {
				fmt.Fprintf(cmd.OutOrStdout(), "Job %s and its %d Tasks (%d running) are being deleted.\n", job.Name, len(tasks), running)
				return nil
			}
			if err := waitGone(ctx, kf, job); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Job %s is deleted, with %d Tasks, of which %d ran.\n", job.Name, len(tasks), running)
			return nil
		},
	}
	c.Flags().BoolVar(&async, "async", false, "do not wait until all is gone")
	return c
}

// waitGone returns when the Job is gone, which is after everything that it owns.
func waitGone(ctx context.Context, kf *client.Client, job *v1alpha1.TaskSchedule) error {
	for said := time.Now(); ; {
		_, err := kf.TaskSchedules(job.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if time.Since(said) > 3*time.Second {
			said = time.Now()
			if left, err := tasksOf(ctx, kf, job); err == nil {
				progress("waiting for %d Tasks to go", len(left))
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no longer waiting; Job %s is being deleted all the same", job.Name)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// waitReady returns when the function tick has looked at the Job as it is now, with an error if it can't run.
func waitReady(ctx context.Context, kf *client.Client, job *v1alpha1.TaskSchedule) error {
	for began, said := time.Now(), time.Now(); ; {
		now, err := kf.TaskSchedules(job.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("get Job %s: %w", job.Name, err)
		}
		c := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionReady)
		switch {
		case c == nil || now.Status.ObservedGeneration < job.Generation:
		case c.Status == metav1.ConditionTrue:
			return nil
		case c.Status == metav1.ConditionFalse:
			return fmt.Errorf("Job %s is there, and can't run: %s: %s", job.Name, c.Reason, c.Message)
		}
		if time.Since(began) > readyWithin {
			return fmt.Errorf("Job %s is there, and nobody has looked at it for %s: is the function tick deployed? (kubectl -n kf-tasks get ksvc tick)", job.Name, readyWithin)
		}
		if time.Since(said) > 3*time.Second {
			said = time.Now()
			progress("waiting for Job %s to become ready", job.Name)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no longer waiting; Job %s stays", job.Name)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// printNext shows the next five instants of a Job, in its zone. The error says what is wrong with its schedule.
func printNext(out io.Writer, job *v1alpha1.TaskSchedule, now time.Time) error {
	zone, err := schedule.LoadZone(job.Spec.TimeZone)
	if err != nil {
		return err
	}
	expressions := job.Expressions()
	if len(expressions) == 0 {
		return nil
	}
	s, err := schedule.Parse(zone, expressions...)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Next runs of Job %s (%s):\n", job.Name, zone)
	for _, instant := range s.NextN(now, 5) {
		fmt.Fprintf(out, "  %s\n", instant.In(zone).Format("Mon 2006-01-02 15:04 MST"))
	}
	return nil
}

func getJob(ctx context.Context, kf *client.Client, space, name string) (*v1alpha1.TaskSchedule, error) {
	job, err := kf.TaskSchedules(space).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("there is no Job %q in Space %q; `kf jobs --space %s` lists them", name, space, space)
	}
	if err != nil {
		return nil, fmt.Errorf("get Job %s: %w", name, err)
	}
	return job, nil
}

// tasksOf are the Tasks that a Job owns.
func tasksOf(ctx context.Context, kf *client.Client, job *v1alpha1.TaskSchedule) (owned []v1alpha1.Task, err error) {
	list, err := kf.Tasks(job.Namespace).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskScheduleLabel + "=" + job.Name})
	if err != nil {
		return nil, fmt.Errorf("list Tasks of Job %s: %w", job.Name, err)
	}
	for _, task := range list.Items {
		if metav1.IsControlledBy(&task, job) {
			owned = append(owned, task)
		}
	}
	return owned, nil
}
