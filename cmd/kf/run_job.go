package main

import (
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type runJob struct {
	*target
	resources
	command string
	wait    bool
}

func newRunJob(t *target) *cobra.Command {
	o := &runJob{target: t}
	c := &cobra.Command{
		Use:   "run-job JOB_NAME",
		Short: "Run a Job once, now",
		Example: `  kf run-job nightly
  kf run-job nightly --command "bin/report --from 2026-11-01" -m 1G --wait`,
		Args: cobra.ExactArgs(1),
		RunE: o.run,
	}
	c.Flags().StringVar(&o.command, "command", "", "command to run this once, in place of the Job's")
	waitFlag(c, &o.wait)
	o.resources.flags(c)
	return c
}

func (o *runJob) run(cmd *cobra.Command, args []string) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := checkCommand(o.command); err != nil {
		return err
	}
	ctx := cmd.Context()
	job, err := o.job(ctx, args[0])
	if err != nil {
		return err
	}
	task := job.NewTask()
	task.GenerateName = job.Name + "-"
	o.override(&task.Spec)
	if o.command != "" {
		task.Spec.Command = o.command
	}
	if task, err = o.kf.Tasks(o.space).Create(ctx, task, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("run Job %s: %w", job.Name, err)
	}
	o.printf("Task %s is submitted successfully for execution.\n", task.Name)
	if !o.wait {
		return nil
	}
	return o.follow(ctx, task)
}
