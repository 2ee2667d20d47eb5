package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BlackoutPolicy says what becomes of the instants in a blackout.
type BlackoutPolicy string

// Blackout policies.
const (
	// BlackoutSkip records each instant as BlackedOut, and runs none of them. It is the default.
	BlackoutSkip BlackoutPolicy = "Skip"
	// BlackoutShift runs each instant when the blackout is over, one after another.
	BlackoutShift BlackoutPolicy = "Shift"
	// BlackoutRunAfter runs the latest instant when the blackout is over, and records the others as BlackedOut.
	BlackoutRunAfter BlackoutPolicy = "RunAfter"
)

// Blackout is a window, or many of them, in which no Job of an App or a Space starts by its schedule. What runs goes on, and kf
// run-job runs a Job all the same. It says when by one of: from and to, weekly, iCalendar.
//
// +kubebuilder:validation:XValidation:rule="(has(self.from) && has(self.to) ? 1 : 0) + (has(self.weekly) ? 1 : 0) + (has(self.iCalendar) ? 1 : 0) == 1",message="a blackout says when by one of: from and to, weekly, iCalendar"
// +kubebuilder:validation:XValidation:rule="has(self.from) == has(self.to)",message="from and to go together: a blackout from then on is a pause"
// +kubebuilder:validation:XValidation:rule="!has(self.from) || !has(self.to) || self.from < self.to",message="from must be before to"
type Blackout struct {
	// Name tells it from others, such as month-end, and is in the history of what it held back.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// Note says why, for whoever asks, such as "the books are closed". None when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Note string `json:"note,omitempty"`

	// Policy says what becomes of the instants in it: Skip (the default) records and leaves them, Shift runs each of them when it is
	// over, RunAfter runs the latest of them when it is over. Where several blackouts hold an instant, Skip is before RunAfter, and
	// RunAfter before Shift, and it is over when the last of them is.
	// +optional
	// +kubebuilder:validation:Enum=Skip;Shift;RunAfter
	// +kubebuilder:default=Skip
	Policy BlackoutPolicy `json:"policy,omitempty"`

	// From is when it begins, such as 2026-12-24T12:00:00Z: an instant at it is in it. With to; left out of one that says when by weekly or
	// iCalendar.
	// +optional
	From *metav1.Time `json:"from,omitempty"`
	// To is when it ends, such as 2026-12-27T00:00:00Z: an instant at it is not in it. With from; left out of one that says when by weekly
	// or iCalendar.
	// +optional
	To *metav1.Time `json:"to,omitempty"`

	// Weekly is a window of each week. It is left out of one that says when by from and to, or iCalendar.
	// +optional
	Weekly *WeeklyWindow `json:"weekly,omitempty"`

	// ICalendar is an iCalendar (RFC 5545), each of whose events is a window, such as a file of public holidays that begins with
	// BEGIN:VCALENDAR. At most 64 KiB; docs/jobs.md says what of it is read. It is left out of one that says when by from and to, or
	// weekly.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	ICalendar string `json:"iCalendar,omitempty"`

	// TimeZone is the IANA name of the zone of weekly, and of times in iCalendar that name none, such as Europe/Berlin; UTC when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$')",message="timeZone must be the IANA name of a zone, such as Europe/Berlin"
	TimeZone string `json:"timeZone,omitempty"`
}

// WeeklyWindow is a window that begins on some days of each week.
type WeeklyWindow struct {
	// Days are those on which it begins, such as [Fri, Sat]; every day when left out.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=7
	// +kubebuilder:validation:items:Enum=Mon;Tue;Wed;Thu;Fri;Sat;Sun
	Days []string `json:"days,omitempty"`

	// From is when it begins, by the clock of the zone, such as 22:00.
	// +kubebuilder:validation:MaxLength=5
	// +kubebuilder:validation:XValidation:rule="self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')",message="from must be a time of day from 00:00 to 23:59"
	From string `json:"from"`
	// To is when it ends, by the clock of the zone, such as 06:00. One that is not after from is of the next day; one that equals it makes
	// a whole day.
	// +kubebuilder:validation:MaxLength=5
	// +kubebuilder:validation:XValidation:rule="self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')",message="to must be a time of day from 00:00 to 23:59; the end of a day is 00:00"
	To string `json:"to"`
}
