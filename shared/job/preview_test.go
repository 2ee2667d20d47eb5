package job_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
)

func of(zone string, schedules ...string) *v1alpha1.TaskSchedule {
	j := &v1alpha1.TaskSchedule{}
	j.Spec.TimeZone, j.Spec.Schedules = zone, schedules
	return j
}

var saturday = time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC)

func ExamplePreview() {
	instants, _ := job.Preview(of("Europe/Berlin", "30 2 * * *"), saturday, 2)
	for _, t := range instants {
		fmt.Println(t.Format("Mon 2006-01-02 15:04 MST"))
	}
	_, err := job.Preview(of("Mars/Olympus", "30 2 * * *"), saturday, 2)
	fmt.Println(err)
	// Output:
	// Sun 2026-10-25 02:30 CEST
	// Mon 2026-10-26 02:30 CET
	// time zone "Mars/Olympus" is not known: use a name of the IANA data base, such as Europe/Berlin; leave it out for UTC
}

func TestPreview(t *testing.T) {
	suspended := of("", "0 * * * *")
	suspended.Spec.Suspend = true
	for _, tt := range []struct {
		job  *v1alpha1.TaskSchedule
		want int
		err  string
	}{
		{of("", "0 * * * *"), 3, ""},
		{suspended, 3, ""},
		{of(""), 0, ""},
		{of("", v1alpha1.NeverSchedule), 0, ""},
		{of("", "0 0 31 2 *"), 0, "never"},
		{of("", "0 * * * *", "@reboot"), 0, "@reboot"},
		{of("Mars/Olympus"), 0, "Mars/Olympus"},
	} {
		got, err := job.Preview(tt.job, saturday, 3)
		if len(got) != tt.want || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%v %s: %v %v, want %d instants, error %q", tt.job.Expressions(), tt.job.Spec.TimeZone, got, err, tt.want, tt.err)
		}
	}
}

// What is shown is what the function waits for.
func TestPreviewIsWhatIsDecided(t *testing.T) {
	j := of("America/New_York", "30 1 * * *", "*/20 5 1 * *")
	j.Generation, j.CreationTimestamp.Time = 1, saturday
	shown, err := job.Preview(j, saturday, 40)
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	for _, instant := range shown {
		plan, need := job.Decide(j, job.Facts{App: &yes, Made: job.Instants{}, Running: []v1alpha1.Task{}}, instant)
		if need != job.NeedNothing || plan.Create == nil || plan.Create.Name != j.TaskName(instant) || len(plan.Records) != 1 {
			t.Fatalf("at %s: %+v, need %q", instant, plan, need)
		}
		j.Status = *plan.Status
	}
}
