package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

type runTask struct {
	*target
	resources
	arrayFlags
	command, name string
	process       string
	timeout       time.Duration
	retries       int32
	wait          bool

	notBefore, expires string
}

func newRunTask(t *target) *cobra.Command {
	o := &runTask{target: t}
	c := &cobra.Command{
		Use:   "run-task APP_NAME",
		Short: "Run a short-lived Task on an App",
		Long: `run-task runs the App's image once, to completion, with the App's environment, bound services and resources.

Without --command the Task runs the App's own start command, or with --process a process type of its image: those that
buildpacks have put there, from a Procfile for example, stand in the App's status.processes.

With --count it is run so many times, as one array: each Task of it, NAME-0 and so on, has its index in KF_TASK_INDEX, from 0, and
their number in KF_TASK_COUNT. The array succeeds if all of them do.`,
		Example: `  kf run-task shop --command "bin/migrate --all" --name migration
  kf run-task shop -c 'echo "$GREETING" | tr a-z A-Z' --wait
  kf run-task shop --process worker
  kf run-task shop -c 'bin/import --part "$KF_TASK_INDEX" --of "$KF_TASK_COUNT"' --count 20 --parallelism 5`,
		Args: cobra.ExactArgs(1),
		RunE: o.run,
	}
	f := c.Flags()
	f.StringVarP(&o.command, "command", "c", "", "command to run, one string for the shell")
	f.StringVar(&o.process, "process", "", "process type of the App's image to run in place of a command")
	f.StringVar(&o.name, "name", "", "display name of the Task; its own name when left out")
	f.DurationVar(&o.timeout, "timeout", 0, "end the Task when it runs longer, e.g. 90s or 2h; 0 is no limit")
	f.Int32Var(&o.retries, "retries", 0, "how often to try again when it fails")
	f.StringVar(&o.notBefore, "not-before", "", "start no earlier: a time, e.g. 2026-12-01T01:00:00Z, or a duration from now, e.g. 90m")
	f.StringVar(&o.expires, "expires", "", "give up if it has not started by then: a time, or a duration from now")
	waitFlag(c, &o.wait)
	o.resources.flags(c)
	o.arrayFlags.flags(c)
	return c
}

func (o *runTask) run(cmd *cobra.Command, args []string) error {
	if err := errors.Join(o.resources.check(), o.arrayFlags.check(cmd)); err != nil {
		return err
	}
	if err := checkLimits(o.name, o.retries, o.timeout); err != nil {
		return err
	}
	if err := checkCommand(o.command); err != nil {
		return err
	}
	notBefore, expires, err := period(o.notBefore, o.expires, time.Now())
	if err != nil {
		return err
	}
	if o.command != "" && o.process != "" {
		return errors.New("give --command or --process, not both")
	}
	ctx := cmd.Context()
	app, err := o.app(ctx, args[0])
	if err != nil {
		return err
	}
	if o.command == "" && o.process == "" && !app.HasStartCommand() {
		return errors.New("start command not found on App or Task: say what to run with --command")
	}
	task := app.NewTask(v1alpha1.TaskSpec{
		DisplayName: o.name, Command: o.command, Process: o.process, CPU: o.cpu, Memory: o.memory, Disk: o.disk,
		Retries: o.retries, Timeout: given(cmd, "timeout", o.timeout), NotBefore: notBefore, Expires: expires,
		Count: o.count, Parallelism: o.parallelism,
	})
	task.GenerateName = app.Name + "-"
	task, err = o.kf.Tasks(o.space).Create(ctx, task, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("run Task: %w", err)
	}
	o.printf("Task %s is submitted successfully for execution.\n", task.Name)
	if !o.wait {
		o.printf("\nList the App's Tasks:\n  kf tasks %s --space %s\n", app.Name, o.space)
		return nil
	}
	return o.follow(ctx, task)
}
