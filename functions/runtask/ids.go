package main

import (
	"context"
	"sync"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// idAllocator gives out App-wide increasing IDs from the counter in the App's status, which is Kf's. Requests for one
// App that come while a write is under way share the next one, so a burst of Tasks does not queue for the counter: 200
// at once cost a few writes. IDs that a killed process had reserved are never used; gaps do no harm.
type idAllocator struct {
	kf *client.Client

	mu   sync.Mutex
	apps map[string]*idQueue // by namespace/name
}

type idQueue struct {
	waiting []chan<- allocation
	busy    bool
}

type allocation struct {
	id  int
	err error
}

// next returns a new ID for a Task of app.
func (a *idAllocator) next(ctx context.Context, app *v1alpha1.App) (int, error) {
	key := app.Namespace + "/" + app.Name
	mine := make(chan allocation, 1)
	a.mu.Lock()
	if a.apps == nil {
		a.apps = map[string]*idQueue{}
	}
	q := a.apps[key]
	if q == nil {
		q = &idQueue{}
		a.apps[key] = q
	}
	q.waiting = append(q.waiting, mine)
	if !q.busy {
		q.busy = true
		// The write serves others too: it must not end with this request.
		go a.serve(context.WithoutCancel(ctx), key, app)
	}
	a.mu.Unlock()
	select {
	case got := <-mine:
		return got.id, got.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// serve reserves as many IDs as there are requests, in one write, until there are none.
func (a *idAllocator) serve(ctx context.Context, key string, app *v1alpha1.App) {
	for {
		a.mu.Lock()
		batch := a.apps[key].waiting
		if len(batch) == 0 {
			delete(a.apps, key)
			a.mu.Unlock()
			return
		}
		a.apps[key].waiting = nil
		a.mu.Unlock()

		written, err := client.PatchStatus(ctx, a.kf.Apps(app.Namespace), app, func(app *v1alpha1.App) {
			app.Status.Tasks.UpdateRequests += len(batch)
		})
		if err == nil {
			app = written
		}
		for i, c := range batch {
			c <- allocation{id: app.Status.Tasks.UpdateRequests - len(batch) + 1 + i, err: err}
		}
	}
}
