package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func newRunTask(t *target) *cobra.Command {
	var (
		r             resources
		command, name string
		timeout       time.Duration
		retries       int32
		wait          bool
	)
	c := &cobra.Command{
		Use:   "run-task APP_NAME",
		Short: "Run a short-lived Task on an App",
		Long: `run-task runs the App's image once, to completion, with the App's environment, bound services and resources.

Without --command the Task runs the App's own start command.`,
		Example: `  kf run-task shop --command "bin/migrate --all" --name migration
  kf run-task shop -c 'echo "$GREETING" | tr a-z A-Z' --wait`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(); err != nil {
				return err
			}
			if retries < 0 || timeout < 0 {
				return errors.New("--retries and --timeout can't be negative")
			}
			cfg, kf, err := t.connect()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			app, err := getApp(ctx, kf, t.space, args[0])
			if err != nil {
				return err
			}
			if command == "" && !hasStartCommand(app) {
				return errors.New("start command not found on App or Task: say what to run with --command")
			}
			task := &v1alpha1.Task{
				ObjectMeta: metav1.ObjectMeta{
					GenerateName:    app.Name + "-",
					Namespace:       t.space,
					Labels:          v1alpha1.TaskLabels(app.Name),
					OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("App"))},
				},
				Spec: v1alpha1.TaskSpec{
					AppRef: corev1.LocalObjectReference{Name: app.Name}, DisplayName: name, Command: command,
					CPU: r.cpu, Memory: r.memory, Disk: r.disk, Retries: retries,
				},
			}
			if cmd.Flags().Changed("timeout") {
				task.Spec.Timeout = &metav1.Duration{Duration: timeout}
			}
			task, err = kf.Tasks(t.space).Create(ctx, task, metav1.CreateOptions{})
			if err != nil {
				return fmt.Errorf("run Task: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Task %s is submitted successfully for execution.\n", task.Name)
			if !wait {
				fmt.Fprintf(cmd.OutOrStdout(), "\nList the App's Tasks:\n  kf tasks %s --space %s\n", app.Name, t.space)
				return nil
			}
			return waitWithLog(ctx, cfg, kf, task, cmd.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVarP(&command, "command", "c", "", "command to run, one string for the shell")
	f.StringVar(&name, "name", "", "display name of the Task; its own name when left out")
	f.DurationVar(&timeout, "timeout", 0, "end the Task when it runs longer, e.g. 90s or 2h; 0 is no limit")
	f.Int32Var(&retries, "retries", 0, "how often to try again when it fails")
	f.BoolVarP(&wait, "wait", "w", false, "show the Task's log until it has ended, and exit with its exit code")
	r.flags(c)
	return c
}

// hasStartCommand says whether the App, or its image, starts something by itself.
func hasStartCommand(app *v1alpha1.App) bool {
	if cs := app.Spec.Template.Spec.Containers; len(cs) > 0 && len(cs[0].Args)+len(cs[0].Command) > 0 {
		return true
	}
	return len(app.Status.StartCommands.Container) > 0
}

// getApp finds an App; the error names those that there are.
func getApp(ctx context.Context, kf *client.Client, space, name string) (*v1alpha1.App, error) {
	app, err := kf.Apps(space).Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		return app, nil
	}
	if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("get App %s: %w", name, err)
	}
	list, lerr := kf.Apps(space).List(ctx, metav1.ListOptions{Limit: 10})
	if lerr != nil || len(list.Items) == 0 {
		return nil, fmt.Errorf("there is no App %q in Space %q, nor any other: is --space right?", name, space)
	}
	var names []string
	for _, a := range list.Items {
		names = append(names, a.Name)
	}
	return nil, fmt.Errorf("there is no App %q in Space %q; there is: %s", name, space, strings.Join(names, ", "))
}

// waitForTask returns when the Task has ended: nil for success, else an error that carries its exit code.
func waitForTask(ctx context.Context, kf *client.Client, task *v1alpha1.Task) error {
	said := ""
	for {
		now, err := kf.Tasks(task.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("no longer waiting; the Task goes on. Stop it with: kf terminate-task %s --space %s", task.Name, task.Namespace)
		case apierrors.IsNotFound(err):
			return fmt.Errorf("Task %s was deleted before it ended", task.Name)
		case err != nil:
			return fmt.Errorf("get Task %s: %w", task.Name, err)
		}
		if c := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
			if line := strings.TrimSpace(c.Reason + " " + c.Message); line != said {
				progress("Task %s: %s", task.Name, line)
				said = line
			}
			switch {
			case c.Status == metav1.ConditionTrue:
				return nil
			case c.Status == metav1.ConditionFalse && now.Status.ExitCode != nil && *now.Status.ExitCode != 0:
				return exitCode(*now.Status.ExitCode)
			case c.Status == metav1.ConditionFalse:
				return fmt.Errorf("Task %s did not succeed: %s", task.Name, c.Reason)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}
