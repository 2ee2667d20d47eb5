package kubeevent

import (
	"time"

	"k8s.io/apimachinery/pkg/util/cache"
)

// Reported remembers what was reported within the last minute, so that of a flood of the same one is.
type Reported struct{ recent *cache.LRUExpireCache }

// NewReported remembers a thousand or so of them: who makes up more has some reported again.
func NewReported() *Reported { return &Reported{cache.NewLRUExpireCache(1024)} }

// First says whether this was not reported within the last minute, and takes it as reported.
func (r *Reported) First(what string) bool {
	_, reported := r.recent.Get(what)
	if !reported {
		r.recent.Add(what, nil, time.Minute)
	}
	return !reported
}
