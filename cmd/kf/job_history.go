package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func newJobHistory(t *target) *cobra.Command {
	var output output
	c := &cobra.Command{
		Use:   "job-history JOB_NAME",
		Short: "Show what a Job did for each instant, and why it did not run",
		Long: `job-history shows, newest first, each instant of a Job's schedule and what was decided for it: Ran, as which Task and with
what result; Skipped, as the Task before still ran; Missed, as the system was down until a later instant had passed;
Suspended; or Refused. Runs by hand are shown as well, and when the Job became Overdue, Recovered, or was Paused for its failures.`,
		Example: `  kf job-history nightly`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := output.check(); err != nil {
				return err
			}
			job, err := t.job(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			tasks, err := t.tasksOf(cmd.Context(), job)
			if err != nil {
				return err
			}
			t.progress("Listing history of Job %s in Space: %s", job.Name, t.space)
			table := [][]string{{"Time", "Outcome", "Task", "Result", "Message"}}
			for _, e := range history(job, tasks) {
				table = append(table, []string{e.at.UTC().Format(time.RFC3339), e.outcome, e.task, e.result, e.message})
			}
			return t.present(output, "Run", table)
		},
	}
	output.flag(c)
	return c
}

// entry is one line of a Job's history.
type entry struct {
	at                             time.Time
	outcome, task, result, message string
}

// history puts the Job's ledger and its Tasks together, newest first. A Task that the ledger does not have was run by
// hand, or is older than what the ledger keeps.
func history(job *v1alpha1.TaskSchedule, tasks []*v1alpha1.Task) []entry {
	var entries []entry
	results, known := map[string]string{}, map[string]bool{}
	for _, task := range tasks {
		results[task.Name] = v1alpha1.Reason(task.Status.Conditions, v1alpha1.ConditionSucceeded)
	}
	for _, d := range job.Status.History {
		e := entry{at: d.Instant.Time, outcome: string(d.Outcome), task: d.Task, result: d.Result, message: d.Message}
		if d.Count > 1 {
			e.outcome = fmt.Sprintf("%s (%d)", d.Outcome, d.Count)
		}
		if e.result == "" && d.Outcome == v1alpha1.OutcomeRan {
			e.result = results[d.Task]
		}
		known[d.Task] = known[d.Task] || d.Outcome == v1alpha1.OutcomeRan
		entries = append(entries, e)
	}
	if w := job.Status.Watch; w != nil {
		for _, n := range w.Notices {
			entries = append(entries, entry{at: n.At.Time, outcome: string(n.What), task: n.Task, message: n.Message})
		}
	}
	for _, task := range tasks {
		if known[task.Name] {
			continue
		}
		e := entry{at: task.CreationTimestamp.Time, outcome: string(v1alpha1.OutcomeRan), task: task.Name, result: results[task.Name]}
		if task.GenerateName != "" || len(task.Annotations) > 0 {
			e.message = "run by hand"
		}
		entries = append(entries, e)
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return b.at.Compare(a.at) })
	return entries
}
