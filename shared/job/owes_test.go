package job

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func owing(j *v1alpha1.TaskSchedule, after, until string) *v1alpha1.TaskSchedule {
	j.Status.Owed = []v1alpha1.Owed{{After: *mt(after), Until: *mt(until), Reason: v1alpha1.OwedCatchUp}}
	return j
}

func TestNameIsLock(t *testing.T) {
	for _, tt := range []struct {
		name    string
		job     *v1alpha1.TaskSchedule
		created string
		edit    func(*v1alpha1.Task)
		want    bool
	}{
		{"not on record", settled("0 * * * *", "11:00"), "12:00:01", nil, true},
		{"on record", settled("0 * * * *", "12:00"), "12:00:01", nil, false},
		{"on record, and a later one too", settled("0 * * * *", "13:00"), "12:00:01", nil, false},
		{"on record, and just made", settled("0 * * * *", "12:00"), "13:59:30", nil, true},
		{"owed, and not on record", owing(settled("0 * * * *", "13:00"), "11:59:59", "12:00"), "12:00:01", nil, true},
		{"another is owed", owing(settled("0 * * * *", "13:00"), "12:00", "13:00"), "12:00:01", nil, false},
		{"suspended", settled("0 * * * *", "11:00", suspend(true)), "12:00:01", nil, false},
		{"scheduled otherwise", settled("30 * * * *", "11:00"), "12:00:01", nil, false},
		{"nobody has looked at it", fresh("0 * * * *", "2026-03-02 11:30"), "12:00:01", nil, true},
		{"by hand", settled("0 * * * *", "11:00"), "13:59:30", func(t *v1alpha1.Task) { t.Name = "job-x7k2p" }, false},
		{"another Job's", settled("0 * * * *", "11:00"), "12:00:01", func(t *v1alpha1.Task) { t.OwnerReferences[0].UID = "other" }, false},
		{"nobody's", settled("0 * * * *", "11:00"), "12:00:01", func(t *v1alpha1.Task) { t.OwnerReferences = nil }, false},
	} {
		task := tt.job.NewTask()
		task.Name = fmt.Sprint("job-", day("12:00").Unix())
		task.CreationTimestamp = metav1.NewTime(day(tt.created))
		if tt.edit != nil {
			tt.edit(task)
		}
		if got := NameIsLock(tt.job, task, day("14:00")); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

// What is owed though it is yet to come, for a clock that was ahead has passed it by, waits for its time.
func TestWhatIsOwedAheadOfItsTimeWaits(t *testing.T) {
	p := playing(owing(settled("*/10 * * * *", "13:00"), "12:10", "12:30"), nil, nil)
	if p.to(t, "12:15", "12:55"); strings.Join(p.ran, " ") != "12:20 12:30" {
		t.Errorf("ran %v", p.ran)
	}
}

// A Job that a clock an hour behind sees first owes nothing for the time before it was made.
func TestAClockThatIsBehindDoesNotMakeAJobOlder(t *testing.T) {
	yes := true
	plan, need := Decide(fresh("* * * * *", "2026-03-02 12:00:10"), Facts{App: &yes}, day("11:01:00"))
	if need != NeedNothing || plan.Create != nil || !plan.Status.DecidedUntil.Equal(mt("12:00:10")) {
		t.Errorf("needs %q, decided until %v, creates %v", need, plan.Status.DecidedUntil, plan.Create)
	}
}

// An instant that a clock ahead has run just before the Job was rescheduled is on record, though the schedule that named it was replaced
// seconds before it.
func TestWhatAClockAheadRanBeforeAnEditIsOnRecord(t *testing.T) {
	j := edited(settled("* * * * *", "12:00"), day("12:00:58"), func(j *v1alpha1.TaskSchedule) { j.Spec.Schedule = "0 0 * * *" })
	yes := true
	plan, need := Decide(j, Facts{App: &yes, Made: Instants{day("12:01").Unix(): true}}, day("12:01:10"))
	if need != NeedNothing || len(plan.Records) != 1 || plan.Records[0].Outcome != v1alpha1.OutcomeRan || !plan.Records[0].Instant.Equal(mt("12:01")) {
		t.Errorf("needs %q, records %+v", need, plan.Records)
	}
}

// A tick that died after it had created the Task of an instant that is owed has not said so: while that Task runs beside another, it is
// put on record all the same, and the other is not stopped.
func TestWhatIsOwedAndRunsIsOnRecordBesideAnother(t *testing.T) {
	yes := true
	for _, policy := range []v1alpha1.ConcurrencyPolicy{v1alpha1.ConcurrencyForbid, v1alpha1.ConcurrencyReplace} {
		j := owing(settled("0 * * * *", "13:00"), "11:59:59", "12:00")
		j.Spec.ConcurrencyPolicy = policy
		task := func(at string) (t v1alpha1.Task) { t.Name = fmt.Sprint("job-", day(at).Unix()); return t }

		plan, need := Decide(j, Facts{App: &yes, Running: []v1alpha1.Task{task("12:00"), task("13:00")}}, day("13:10"))
		if need != NeedNothing || len(plan.Records) != 1 || plan.Records[0].Outcome != v1alpha1.OutcomeRan || !plan.Records[0].Instant.Equal(mt("12:00")) {
			t.Errorf("%s: needs %q, records %+v", policy, need, plan.Records)
		}
		if len(plan.Terminate) > 0 || plan.Create != nil || plan.Status == nil || len(plan.Status.Owed) > 0 {
			t.Errorf("%s: terminates %v, creates %v, status %+v", policy, plan.Terminate, plan.Create, plan.Status)
		}

		plan, need = Decide(j, Facts{App: &yes, Running: []v1alpha1.Task{task("13:00")}}, day("13:10"))
		if need != NeedNothing || plan.Create != nil || plan.Records != nil {
			t.Errorf("%s: beside another alone: needs %q, creates %v, records %+v", policy, need, plan.Create, plan.Records)
		}
	}
}
