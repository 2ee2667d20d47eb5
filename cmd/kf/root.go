package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newRoot(s screen) *cobra.Command {
	root, _ := newProgram(s)
	return root
}

// newProgram is the program, and what its commands work on.
func newProgram(s screen) (*cobra.Command, *target) {
	t := &target{screen: s}
	root := &cobra.Command{
		Use:   "kf",
		Short: "Run one-off and scheduled work of Apps on Kubernetes",
		Long: `kf runs Tasks: one run of an App's image to completion, with the App's environment, bound services and resources;
and Jobs: a Task that is run on a schedule.

It uses the cluster of your kubeconfig, as kubectl does. A Space is a namespace; --space, or -n, names it. Under the name
kubectl-kf on your PATH it is a plugin of kubectl: kubectl kf.`,
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
	root.AddCommand(newPush(t), newRebase(t), newApps(t), newBuilds(t), newBuildLogs(t), newRunTask(t), newTasks(t), newQueue(t),
		newTop(t), newWhy(t), newOpen(t), newRerun(t), newTerminateTask(t), newLogs(t),
		newCreateJob(t), newScheduleJob(t), newRunJob(t), newJobs(t), newJobSchedules(t), newJobHistory(t), newJobStats(t),
		newPauseJob(t), newResumeJob(t), newSetBlackout(t), newUnsetBlackout(t), newBackfill(t),
		newDeleteJobSchedule(t), newDeleteJob(t), newImport(t), newPrune(t), newTarget(t), newDoctor(t), newVersion(t),
		newCreateSpace(t), newSpaces(t), newSpace(t), newDeleteSpace(t),
		newCreateUserProvidedService(t), newBindService(t), newUnbindService(t), newServices(t), newVcapServices(t), newDeleteService(t),
		newSetEnv(t), newUnsetEnv(t), newEnv(t),
		newCreateWebhook(t), newWebhooks(t), newWebhook(t), newDeleteWebhook(t))
	root.AddCommand(newCallCommands(t)...)
	teach(root)
	t.complete(root)
	for _, c := range root.Commands() {
		t.namespaceFlag(c.Flags())
	}
	return root, t
}

// teach makes the errors of a command line say what is right as well as what is wrong.
func teach(root *cobra.Command) {
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if c == root {
			return err // run teaches
		}
		return coded{exitUsage, fmt.Errorf("%w; `%s --help` lists the flags", err, c.CommandPath())}
	})
	for _, c := range root.Commands() {
		check := c.Args
		c.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			if err == nil {
				err = empty(c, args)
			}
			if err != nil {
				return coded{exitUsage, fmt.Errorf("%w: kf %s; `%s --help` shows examples", err, c.Use, c.CommandPath())}
			}
			return nil
		}
	}
}

// mayBeEmpty are the flags whose empty value says something else than that they are left out.
var mayBeEmpty = map[string]bool{
	"push --command":                      true, // the image's own start command again
	"schedule-job --time-zone":            true, // UTC again
	"create-job --time-zone":              true, // UTC
	"create-call --time-zone":             true,
	"schedule-call --time-zone":           true,
	"bind-service --binding-name":         true, // as if left out
	"create-user-provided-service --tags": true,
	"--kubeconfig":                        true, // as kubectl has it
	"--context":                           true,
}

// empty refuses what is given and says nothing: as a rule it is a variable of a script that was never set, and a command
// that takes it for "left out" does something else than was meant.
func empty(c *cobra.Command, args []string) (err error) {
	if i := slices.IndexFunc(args, func(a string) bool { return strings.TrimSpace(a) == "" }); i >= 0 && (c.Name() != "set-env" || i < 2) {
		return fmt.Errorf("argument %d is empty", i+1)
	}
	c.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		switch s, several := f.Value.(pflag.SliceValue); {
		case several:
			values = s.GetSlice()
		case f.Value.Type() != "string":
			return
		}
		blank := slices.ContainsFunc(values, func(v string) bool { return strings.TrimSpace(v) == "" })
		if blank && !mayBeEmpty["--"+f.Name] && !mayBeEmpty[c.Name()+" --"+f.Name] {
			err = fmt.Errorf("--%s is empty: leave it out, or give it a value", f.Name)
		}
	})
	return err
}
