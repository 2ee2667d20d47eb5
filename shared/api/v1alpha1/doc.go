// Package v1alpha1 holds the API types of kf.dev/v1alpha1: App, Task and TaskSchedule (a Job, in the CLI's words).
//
// They are wire-compatible with Kf v2.11: the same names, fields, labels, conditions and columns, so that an unmodified
// kf CLI works against them. What Kf lacks (several schedules, a time zone, retries, a timeout ...) is optional, and
// leaving it out gives Kf's documented behaviour. The CRDs in config/crd are generated from these types.
//
// +kubebuilder:object:generate=true
// +groupName=kf.dev
package v1alpha1
