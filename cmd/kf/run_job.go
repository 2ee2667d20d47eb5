package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

type runJob struct {
	*target
	resources
	command string
	env     []string
	timeout time.Duration
	retries int32
	wait    bool
}

func newRunJob(t *target) *cobra.Command {
	o := &runJob{target: t}
	c := &cobra.Command{
		Use:   "run-job JOB_NAME",
		Short: "Run a Job once, now",
		Long: `run-job runs a Job once, now, whether or not it is suspended. What the flags say holds for this run: the Job stays as it is.
A variable wins over the Job's and the App's of its name, a command takes the place of the Job's command, args or process.`,
		Example: `  kf run-job nightly
  kf run-job nightly --command "bin/report --from 2026-11-01" -m 1G --wait
  kf run-job nightly --env MONTH=2026-11 --env DEBUG= --timeout 30m --retries 2`,
		Args: cobra.ExactArgs(1),
		RunE: o.run,
	}
	f := c.Flags()
	f.StringVar(&o.command, "command", "", "command to run this once, in place of the Job's")
	f.StringArrayVarP(&o.env, "env", "e", nil, "variable NAME=VALUE for this run; may be given several times")
	f.DurationVar(&o.timeout, "timeout", 0, "end this run when it takes longer, e.g. 90s or 2h; 0 is no limit")
	f.Int32Var(&o.retries, "retries", 0, "how often to try this run again when it fails")
	waitFlag(c, &o.wait)
	o.resources.flags(c)
	return c
}

func (o *runJob) run(cmd *cobra.Command, args []string) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := checkLimits("", o.retries, o.timeout); err != nil {
		return err
	}
	if err := checkCommand(o.command); err != nil {
		return err
	}
	env, err := taskEnv(o.env)
	if err != nil {
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
	if o.command != "" { // another way to say what is to be run is the template's
		task.Spec.Command, task.Spec.Args, task.Spec.Process, task.Spec.Call = o.command, nil, "", nil
	}
	if timeout := given(cmd, "timeout", o.timeout); timeout != nil {
		task.Spec.Timeout = timeout
	}
	if cmd.Flags().Changed("retries") {
		task.Spec.Retries = o.retries
	}
	task.Spec.Env = v1alpha1.OverrideEnv(task.Spec.Env, env)
	if n := len(task.Spec.Env); n > maxEnv {
		return fmt.Errorf("run Job %s: its own variables and those of --env are %d, and a Task can have %d", job.Name, n, maxEnv)
	}
	if task, err = o.kf.Tasks(o.space).Create(ctx, task, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("run Job %s: %w", job.Name, err)
	}
	return o.submitted(ctx, task, o.wait)
}

// submitted says that a Task is there, and waits for its end if that is wanted.
func (t *target) submitted(ctx context.Context, task *v1alpha1.Task, wait bool) error {
	t.printf("Task %s is submitted successfully for execution.\n", task.Name)
	if !wait {
		return nil
	}
	return t.follow(ctx, task)
}

// taskEnv reads variables of one Task: of several of a name the last counts, as in an environment.
func taskEnv(env []string) (vars []v1alpha1.EnvVar, err error) {
	if err := checkEnv("--env", env); err != nil {
		return nil, err
	}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		switch {
		case len(name) > maxEnvName || !variable.MatchString(name):
			return nil, fmt.Errorf("--env %.80s: a Task's variable has a name of letters, digits and '_', at most %d, and no digit first",
				name, maxEnvName)
		case len(value) > maxEnvValue:
			return nil, fmt.Errorf("--env %.80s: its value has %d bytes, and can have %d: put it where the Task can read it",
				name, len(value), maxEnvValue)
		}
		vars = v1alpha1.OverrideEnv(vars, []v1alpha1.EnvVar{{Name: name, Value: value}})
	}
	if len(vars) > maxEnv {
		return nil, fmt.Errorf("--env: a Task can have %d variables of its own, and these are %d", maxEnv, len(vars))
	}
	return vars, nil
}
