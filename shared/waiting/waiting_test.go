package waiting

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestQuotedAreTheWordsOfWhoKnows, and none where Tekton only says that a Pod starts.
func TestQuotedAreTheWordsOfWhoKnows(t *testing.T) {
	for said, want := range map[string]string{
		"": "", "Pending": "", "Not all Steps in the Task have finished executing": "",
		`build step "step-user-container" is pending with reason "secret \"db\" not found"`:                                        `secret "db" not found`,
		`pod status "PodScheduled":"False"; message: "0/1 nodes are available"`:                                                    "0/1 nodes are available",
		`pod status "Ready":"False"; message: "containers with unready status"`:                                                    "",
		`Back-off pulling image "r/a:1": ErrImagePull: r/a:1: not found`:                                                           "r/a:1: not found",
		`build step "s" is pending with reason "Back-off pulling image \"r/a:1\": ErrImagePull: the registry's words, \"quoted\""`: `the registry's words, "quoted"`,
		`build step "s" is pending with reason "\xzz"`:                                                                             `"\xzz"`, // as it is, where it can't be unquoted
	} {
		if got := Quoted(said); got != want {
			t.Errorf("%s: %q, want %q", said, got, want)
		}
	}
}

// TestWordsAreOfThisPod: of the latest Event, and of none about an earlier Pod of the name; and one read serves a namespace.
func TestWordsAreOfThisPod(t *testing.T) {
	at := func(seconds int64, pod, reason, message string) *corev1.Event {
		return &corev1.Event{InvolvedObject: corev1.ObjectReference{Name: pod}, Reason: reason, Message: message, LastTimestamp: metav1.Unix(seconds, 0)}
	}
	series := at(0, "p", "FailedScheduling", "still no room")
	series.Series = &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(time.Unix(50, 0))}
	reads := 0
	asked := Ask(func(context.Context, string) ([]*corev1.Event, error) {
		reads++
		return []*corev1.Event{at(20, "p", "FailedMount", "newer"), at(10, "p", "FailedMount", "older"), at(40, "p", "FailedScheduling", "no room"),
			series, at(60, "p", "Unhealthy", "of no account")}, nil
	})
	for made, want := range map[int64]Words{5: {Scheduler: "still no room", Kubelet: "newer"}, 30: {Scheduler: "still no room"}, 70: {}} {
		got, err := asked.About(t.Context(), "n", "p", time.Unix(made, 0))
		if err != nil || got.Scheduler != want.Scheduler || got.Kubelet != want.Kubelet {
			t.Errorf("of a Pod made at %d: %+v, %v; want %+v", made, got, err, want)
		}
	}
	if none, err := asked.About(t.Context(), "n", "q", time.Time{}); err != nil || none.Scheduler+none.Kubelet != "" || reads != 1 {
		t.Errorf("%+v %v, %d reads", none, err, reads)
	}
	failing := Ask(func(context.Context, string) ([]*corev1.Event, error) { return nil, errors.New("no") })
	if _, err := failing.About(t.Context(), "n", "p", time.Time{}); err == nil {
		t.Error("what could not be read was taken for nothing")
	}
}
