package space

import (
	"context"
	"sync"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/coalesce"
)

// Lookup finds the Space of a namespace by one read for all who ask within a while, and remembers as well that there is none. What
// somebody changes in a Space so holds a moment later.
type Lookup struct {
	Get func(ctx context.Context, namespace string) (*v1alpha1.Space, error)
	For time.Duration // how long an answer is good for
	Now func() time.Time

	calls  coalesce.Calls[*v1alpha1.Space]
	mu     sync.Mutex
	recent map[string]answer
}

type answer struct {
	space *v1alpha1.Space
	until time.Time
}

// mostRecent bounds what is remembered. Beyond it all is forgotten: it is asked again.
const mostRecent = 1000

// NewLookup reads Spaces by a client.
func NewLookup(kf *client.Client) *Lookup {
	return &Lookup{For: 5 * time.Second, Now: time.Now, Get: func(ctx context.Context, namespace string) (*v1alpha1.Space, error) {
		return client.Find(ctx, kf.Spaces(), "", namespace)
	}}
}

// Of is the Space of a namespace, nil where there is none. It is shared: nobody may change it.
func (l *Lookup) Of(ctx context.Context, namespace string) (*v1alpha1.Space, error) {
	l.mu.Lock()
	known, ok := l.recent[namespace]
	l.mu.Unlock()
	if ok && l.Now().Before(known.until) {
		return known.space, nil
	}
	return l.calls.Do(ctx, namespace, func(ctx context.Context) (*v1alpha1.Space, error) {
		until := l.Now().Add(l.For) // from before it is read: it may change meanwhile
		found, err := l.Get(ctx, namespace)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.recent == nil || len(l.recent) >= mostRecent {
			l.recent = map[string]answer{}
		}
		l.recent[namespace] = answer{found, until}
		return found, nil
	})
}
