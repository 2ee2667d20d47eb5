package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
)

func newJobStats(t *target) *cobra.Command {
	var (
		output output
		last   int
	)
	c := &cobra.Command{
		Use:   "job-stats JOB_NAME",
		Short: "Show how often a Job succeeds, and how long it takes",
		Long: `job-stats counts the runs of a Job that are still known: the records of its history, the latest 50 decisions, and those of
its Tasks that are kept, runs by hand among them. Success is of those that succeeded or failed: what was terminated, or runs, is
counted apart. P50, P95 and Max are how long those took that succeeded: half of them, and 95 of 100, took no longer. NotRun are the
instants of the history that were skipped, missed, refused or suspended.`,
		Example: `  kf job-stats nightly
  kf job-stats nightly --last 10`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := output.check(); err != nil {
				return err
			}
			if last < 0 {
				return fmt.Errorf("--last is from 1; 0, as if left out, is all")
			}
			j, err := t.job(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			tasks, err := t.tasksOf(cmd.Context(), j)
			if err != nil {
				return err
			}
			runs := job.KnownRuns(j, tasks)
			if last > 0 {
				runs = runs[:min(last, len(runs))]
			}
			return t.statistics(j, job.Summarize(runs), output)
		},
	}
	c.Flags().IntVar(&last, "last", 0, "count only so many of the newest runs; all that are known when left out")
	output.flag(c)
	return c
}

func (t *target) statistics(j *v1alpha1.TaskSchedule, s job.Statistics, o output) error {
	notRun := int64(0)
	for _, n := range job.NotRun(j) {
		notRun += n
	}
	success, p50, p95, longest := "", "", "", ""
	if rate, ok := s.Rate(); ok {
		success = fmt.Sprintf("%.1f%%", rate)
	}
	if s.Timed > 0 {
		p50, p95, longest = s.P50.String(), s.P95.String(), s.Max.String()
	}
	if s.Runs > 0 {
		t.progress("Job %s in Space %s: %d runs that are known, from %s to %s, %d of them by hand or by an event; durations of %d.",
			j.Name, t.space, s.Runs, s.From.Format(time.RFC3339), s.To.Format(time.RFC3339), s.ByHand, s.Timed)
	}
	table := [][]string{{"Job", "Runs", "Succeeded", "Failed", "Terminated", "Unended", "NotRun", "Success", "P50", "P95", "Max"}}
	row := []string{j.Name}
	for _, n := range []int{s.Runs, s.Succeeded, s.Failed, s.Terminated, s.Unended, int(notRun)} {
		row = append(row, strconv.Itoa(n))
	}
	return t.present(o, "JobStatistics", append(table, append(row, success, p50, p95, longest)))
}
