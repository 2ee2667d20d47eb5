package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newRoot(s screen) *cobra.Command {
	t := &target{screen: s}
	root := &cobra.Command{
		Use:   "kf",
		Short: "Run one-off and scheduled work of Apps on Kubernetes",
		Long: `kf runs Tasks: one run of an App's image to completion, with the App's environment, bound services and resources;
and Jobs: a Task that is run on a schedule.

It uses the cluster of your kubeconfig. A Space is a namespace; --space names it.`,
		Example: `  # run a command on the App "shop", and wait for its exit code
  kf run-task shop --command "bin/migrate --all" --wait

  # what became of the App's Tasks
  kf tasks shop

  # run it each night
  kf create-job shop nightly "bin/report" --schedule "30 2 * * *" --time-zone Europe/Berlin`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetOut(s.out)
	root.SetErr(s.err)
	t.flags(root.PersistentFlags())
	root.AddCommand(newPush(t), newApps(t), newRunTask(t), newTasks(t), newTerminateTask(t), newLogs(t),
		newCreateJob(t), newScheduleJob(t), newRunJob(t), newJobs(t), newJobSchedules(t), newJobHistory(t),
		newDeleteJobSchedule(t), newDeleteJob(t), newPrune(t))
	teach(root)
	return root
}

// teach makes the errors of a command line say what is right as well as what is wrong.
func teach(root *cobra.Command) {
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if c == root {
			return err // run teaches
		}
		return fmt.Errorf("%w; `%s --help` lists the flags", err, c.CommandPath())
	})
	for _, c := range root.Commands() {
		check := c.Args
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return fmt.Errorf("%w: kf %s; `%s --help` shows examples", err, c.Use, c.CommandPath())
			}
			return nil
		}
	}
}
