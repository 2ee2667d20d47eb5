package main

import (
	"bytes"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func newJob(zone string, schedules ...string) *v1alpha1.TaskSchedule {
	j := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "nightly", Namespace: "space"}}
	j.Spec.TimeZone = zone
	if len(schedules) > 0 {
		j.Spec.Schedule, j.Spec.Schedules = schedules[0], schedules[1:]
	}
	return j
}

// TestNextInstantsAreShownInTheirZone: around a change of daylight saving time too.
func TestNextInstantsAreShownInTheirZone(t *testing.T) {
	at := time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		job  *v1alpha1.TaskSchedule
		want string
	}{
		{newJob("Europe/Berlin", "30 2 * * *"), `Next runs of Job nightly (Europe/Berlin):
  Sun 2026-10-25 02:30 CEST
  Mon 2026-10-26 02:30 CET
  Tue 2026-10-27 02:30 CET
  Wed 2026-10-28 02:30 CET
  Thu 2026-10-29 02:30 CET
`},
		{newJob("", "30 2 * * 7", "0 12 24 12 *"), `Next runs of Job nightly (UTC):
  Sun 2026-10-25 02:30 UTC
  Sun 2026-11-01 02:30 UTC
  Sun 2026-11-08 02:30 UTC
  Sun 2026-11-15 02:30 UTC
  Sun 2026-11-22 02:30 UTC
`},
		{newJob("", v1alpha1.NeverSchedule), ""},
	} {
		var out bytes.Buffer
		err := (&target{screen: screen{out: &out}}).printNext(c.job, nil, at)
		if err != nil || out.String() != c.want {
			t.Errorf("%s %v\nwant %s", out.String(), err, c.want)
		}
	}
}
