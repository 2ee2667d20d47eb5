package job

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func TestStatistics(t *testing.T) {
	j := fresh("*/10 * * * *", "2026-03-02 09:30")
	record := func(instant, result string, took time.Duration) v1alpha1.Decision {
		d := v1alpha1.Decision{Instant: metav1.NewTime(day(instant)), Outcome: v1alpha1.OutcomeRan, Task: name(instant), Result: result}
		if took > 0 {
			d.Duration = &metav1.Duration{Duration: took}
		}
		return d
	}
	j.Status.History = []v1alpha1.Decision{
		record("11:40", "", 0), // it runs
		record("11:30", v1alpha1.ReasonCancelled, time.Hour),
		{Instant: metav1.NewTime(day("11:20")), Outcome: v1alpha1.OutcomeMissed, Count: 3},
		record("10:50", v1alpha1.ReasonSucceeded, 4*time.Minute), // pruned
		record("10:40", v1alpha1.ReasonOutOfMemory, time.Second),
		record("10:30", v1alpha1.ReasonSucceeded, 0), // of a version that kept no durations
		record("10:20", "", 0),                       // its Task is there, and has ended since
		{Instant: metav1.NewTime(day("10:10")), Outcome: v1alpha1.OutcomeSkipped},
	}
	byHand := endedTask("job-x", v1alpha1.ReasonSucceeded, "10:35", "10:37")
	stats := Summarize(KnownRuns(j, []*v1alpha1.Task{byHand, ran("10:20", v1alpha1.ReasonSucceeded), ran("10:00", v1alpha1.ReasonFailed)}))
	rate, _ := stats.Rate()
	got := fmt.Sprintf("%d runs, %d by hand, from %s to %s: %d %d %d %d, %.1f; %d: %s %s %s; %v", stats.Runs, stats.ByHand, stats.From.Format("15:04"), stats.To.Format("15:04"),
		stats.Succeeded, stats.Failed, stats.Terminated, stats.Unended, rate, stats.Timed, stats.P50, stats.P95, stats.Max, NotRun(j))
	if want := "8 runs, 1 by hand, from 10:00 to 11:40: 4 2 1 1, 66.7; 3: 2m0s 4m0s 4m0s; map[Missed:3 Skipped:1]"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if none := Summarize(nil); none.Runs != 0 || none.Max != 0 {
		t.Errorf("%+v", none)
	} else if _, ok := none.Rate(); ok {
		t.Error("there is a rate of nothing")
	}
}

func TestNearestRank(t *testing.T) {
	var of []time.Duration
	for i := range 100 {
		of = append(of, time.Duration(i+1))
	}
	for n, want := range map[int]string{1: "1 1", 2: "1 2", 20: "10 19", 100: "50 95"} {
		if got := fmt.Sprint(int(nearestRank(of[:n], 0.5)), int(nearestRank(of[:n], 0.95))); got != want {
			t.Errorf("of %d: %s, want %s", n, got, want)
		}
	}
}
