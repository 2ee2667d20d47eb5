package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// newList is a command that shows the server's table of one kind.
func newList(t *target, use, short, what, resource, selector string, wide bool) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := t.connect()
			if err != nil {
				return err
			}
			table, err := serverTable(cmd.Context(), cfg, t.space, resource, selector)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Listing %s in Space: %s\n", what, t.space)
			return printTable(cmd.OutOrStdout(), table, wide, time.Now())
		},
	}
}

func newApps(t *target) *cobra.Command {
	return newList(t, "apps", "List the Apps of the Space", "Apps", "apps", "", false)
}

func newJobs(t *target) *cobra.Command {
	return newList(t, "jobs", "List the Jobs of the Space", "Jobs", "taskschedules", "", false)
}

func newJobSchedules(t *target) *cobra.Command {
	return newList(t, "job-schedules", "List the Jobs that run on a schedule, with their next instant", "job schedules", "taskschedules",
		v1alpha1.SuspendLabel+"=false", true)
}

func newJobHistory(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "job-history JOB_NAME",
		Short: "Show what a Job did for each instant, and why it did not run",
		Long: `job-history shows, newest first, each instant of a Job's schedule and what was decided for it: Ran, as which Task and with
what result; Skipped, as the Task before still ran; Missed, as the system was down until a later instant had passed;
Suspended; or Refused. Runs by hand are shown as well.`,
		Example: `  kf job-history nightly`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, kf, err := t.connect()
			if err != nil {
				return err
			}
			job, err := getJob(cmd.Context(), kf, t.space, args[0])
			if err != nil {
				return err
			}
			tasks, err := tasksOf(cmd.Context(), kf, job)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Listing history of Job %s in Space: %s\n", job.Name, t.space)
			printHistory(cmd.OutOrStdout(), history(job, tasks))
			return nil
		},
	}
}

// run is one line of a Job's history.
type run struct {
	at                             time.Time
	outcome, task, result, message string
}

// history puts the Job's ledger and its Tasks together, newest first. A Task that the ledger does not have was run by
// hand, or is older than what the ledger keeps.
func history(job *v1alpha1.TaskSchedule, tasks []v1alpha1.Task) []run {
	var runs []run
	results, known := map[string]string{}, map[string]bool{}
	for _, task := range tasks {
		if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
			results[task.Name] = c.Reason
		}
	}
	for _, d := range job.Status.History {
		r := run{at: d.Instant.Time, outcome: string(d.Outcome), task: d.Task, result: d.Result, message: d.Message}
		if d.Count > 1 {
			r.outcome = fmt.Sprintf("%s (%d)", d.Outcome, d.Count)
		}
		if r.result == "" && d.Outcome == v1alpha1.OutcomeRan {
			r.result = results[d.Task]
		}
		known[d.Task] = known[d.Task] || d.Outcome == v1alpha1.OutcomeRan
		runs = append(runs, r)
	}
	for _, task := range tasks {
		if known[task.Name] {
			continue
		}
		r := run{at: task.CreationTimestamp.Time, outcome: string(v1alpha1.OutcomeRan), task: task.Name, result: results[task.Name]}
		if task.GenerateName != "" || len(task.Annotations) > 0 {
			r.message = "run by hand"
		}
		runs = append(runs, r)
	}
	slices.SortStableFunc(runs, func(a, b run) int { return b.at.Compare(a.at) })
	return runs
}

func printHistory(out io.Writer, runs []run) {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, strings.Join([]string{"Time", "Outcome", "Task", "Result", "Message"}, "\t"))
	for _, r := range runs {
		fmt.Fprintln(w, strings.Join([]string{r.at.UTC().Format(time.RFC3339), r.outcome, r.task, r.result, r.message}, "\t"))
	}
	w.Flush()
}
