package retention

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Unlimited as a number or a duration of a Policy means that the rule is off.
const Unlimited = -1

// Policy says how much of an App's history is kept. Each rule stands for itself: a Task is deleted when any of them says so.
type Policy struct {
	// Keep is how many Tasks an App keeps, over all outcomes.
	Keep int
	// KeepFor is how long a Task is kept after it ended.
	KeepFor time.Duration
	// SucceededPerJob and FailedPerJob are how many ended Tasks of each outcome every Job keeps.
	SucceededPerJob, FailedPerJob int
	// PodsFor is how long the Pod of an ended Task is kept.
	PodsFor time.Duration
}

// Default is Kf's policy: the newest 500, and nothing else.
func Default() Policy {
	return Policy{Keep: 500, KeepFor: Unlimited, SucceededPerJob: Unlimited, FailedPerJob: Unlimited, PodsFor: Unlimited}
}

// Resolve returns the policy of an App: the cluster's, overridden by its Space's annotations, overridden by its own. A
// value that can't be read is an error that names it. Then nothing may be deleted: what its author meant is unknown,
// and a deleted Task does not come back.
func Resolve(cluster Policy, space, app map[string]string) (Policy, error) {
	p, err := cluster.With(space)
	if err != nil {
		return p, fmt.Errorf("annotation of the Space: %w", err)
	}
	if p, err = p.With(app); err != nil {
		return p, fmt.Errorf("annotation of the App: %w", err)
	}
	return p, nil
}

// With returns the policy with the given annotations in place of what it said.
func (p Policy) With(annotations map[string]string) (Policy, error) {
	for _, number := range []struct {
		annotation string
		min        int
		into       *int
	}{
		{v1alpha1.RetainAnnotation, 1, &p.Keep},
		{v1alpha1.RetainSucceededPerJobAnnotation, 0, &p.SucceededPerJob},
		{v1alpha1.RetainFailedPerJobAnnotation, 0, &p.FailedPerJob},
	} {
		if s, ok := annotations[number.annotation]; ok {
			n, err := parseNumber(s, number.min)
			if err != nil {
				return p, fmt.Errorf("%s: %w", number.annotation, err)
			}
			*number.into = n
		}
	}
	for _, duration := range []struct {
		annotation string
		into       *time.Duration
	}{
		{v1alpha1.RetainForAnnotation, &p.KeepFor},
		{v1alpha1.RetainPodsForAnnotation, &p.PodsFor},
	} {
		if s, ok := annotations[duration.annotation]; ok {
			d, err := ParseDuration(s)
			if err != nil {
				return p, fmt.Errorf("%s: %w", duration.annotation, err)
			}
			*duration.into = d
		}
	}
	return p, nil
}

// OnlyCounts says whether the policy looks at nothing but how many Tasks there are.
func (p Policy) OnlyCounts() bool {
	return p.KeepFor == Unlimited && p.SucceededPerJob == Unlimited && p.FailedPerJob == Unlimited && p.PodsFor == Unlimited
}

func parseNumber(s string, min int) (int, error) {
	if s == v1alpha1.Unlimited {
		return Unlimited, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < min {
		return 0, fmt.Errorf("%q is neither a number from %d nor %q", s, min, v1alpha1.Unlimited)
	}
	return n, nil
}

// ParseDuration reads Go's durations, and days, which Go leaves out because of daylight saving: here a day is 24 hours.
func ParseDuration(s string) (time.Duration, error) {
	if s == v1alpha1.Unlimited {
		return Unlimited, nil
	}
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16) // 16 bits, 179 years: the product below can't overflow
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is neither a duration, such as 36h or 30d, nor %q", s, v1alpha1.Unlimited)
	}
	return d, nil
}
