package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CatchUpPolicy says which of the instants that were missed in an outage are run after it.
type CatchUpPolicy string

// Catch-up policies.
const (
	// CatchUpLatest runs the latest. It is the default.
	CatchUpLatest CatchUpPolicy = "Latest"
	// CatchUpNone runs none: an instant that is more than five minutes late is missed.
	CatchUpNone CatchUpPolicy = "None"
	// CatchUpAll runs all, the latest at once and the others after it, oldest first, a few each minute.
	CatchUpAll CatchUpPolicy = "All"
)

// MaxOwed is how many instants of one outage or blackout are run after it at the most; those before them are missed.
const MaxOwed = 1000

// OwedReason says why instants are run after their time.
type OwedReason string

// Reasons.
const (
	// OwedCatchUp: they were missed in an outage, and the Job's catchUp is All.
	OwedCatchUp OwedReason = "CatchUp"
	// OwedShift: they were in a blackout whose policy is Shift.
	OwedShift OwedReason = "Shift"
	// OwedRunAfter: it was the latest in a blackout whose policy is RunAfter.
	OwedRunAfter OwedReason = "RunAfter"
)

// Owed are instants that are past and are still to be run, oldest first: those that the schedule names after one time and up to
// another. They are below the watermark decidedUntil, and not decided.
type Owed struct {
	// After is the time that they are after: an instant at it is none of them.
	After metav1.Time `json:"after"`
	// Until is the time up to which they are: an instant at it is one of them.
	Until metav1.Time `json:"until"`

	// Reason is CatchUp, Shift or RunAfter.
	// +kubebuilder:validation:Enum=CatchUp;Shift;RunAfter
	Reason OwedReason `json:"reason"`

	// Message says what held them back.
	// +optional
	Message string `json:"message,omitempty"`
}
