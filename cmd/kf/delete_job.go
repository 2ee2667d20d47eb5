package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

type deleteJob struct {
	*target
	async bool
}

func newDeleteJob(t *target) *cobra.Command {
	o := &deleteJob{target: t}
	c := &cobra.Command{
		Use:     "delete-job JOB_NAME",
		Short:   "Delete a Job and its Tasks, those that run included",
		Example: `  kf delete-job nightly`,
		Args:    cobra.ExactArgs(1),
		RunE:    o.run,
	}
	asyncFlag(c, &o.async, "all is gone")
	return c
}

func (o *deleteJob) run(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	job, err := o.job(ctx, args[0])
	if err != nil {
		return err
	}
	tasks, err := o.tasksOf(ctx, job)
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
	err = o.kf.TaskSchedules(o.space).Delete(ctx, job.Name,
		metav1.DeleteOptions{PropagationPolicy: &foreground, Preconditions: &metav1.Preconditions{UID: &job.UID}})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete Job %s: %w", job.Name, err)
	}
	if o.async {
		o.printf("Job %s and its %d Tasks (%d running) are being deleted.\n", job.Name, len(tasks), running)
		return nil
	}
	if err := o.gone(ctx, job); err != nil {
		return err
	}
	o.printf("Job %s is deleted, with %d Tasks, of which %d ran.\n", job.Name, len(tasks), running)
	return nil
}

// gone returns when the Job is gone, which is after everything that it owns.
func (o *deleteJob) gone(ctx context.Context, job *v1alpha1.TaskSchedule) error {
	p := patience{
		every: lookEvery,
		say: func() {
			if left, err := o.tasksOf(ctx, job); err == nil {
				o.progress("waiting for %d Tasks to go", len(left))
			}
		},
		stopped: fmt.Sprintf("no longer waiting; Job %s is being deleted all the same", job.Name),
	}
	return o.await(ctx, p, func(ctx context.Context) (bool, error) {
		now, err := client.Find(ctx, o.kf.TaskSchedules(job.Namespace), job.Namespace, job.Name)
		return err == nil && (now == nil || now.UID != job.UID), err
	})
}
