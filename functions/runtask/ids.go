package main

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/cache"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/coalesce"
)

// idAllocator gives out App-wide increasing IDs from the counter in the App's status, which is Kf's. Requests for one
// App that come while a write is under way share the next one, so a burst of Tasks does not queue for the counter: 200
// at once cost a few writes. Who has used all that it reserved reserves more the next time, so that Tasks that come one after
// another cost ever fewer. IDs that a killed process had reserved are never used; gaps do no harm.
type idAllocator struct {
	kf *client.Client

	blocks *cache.LRUExpireCache // of IDs that are reserved and not given out, by namespace/name of their App

	asking coalesce.Calls[int]   // by a Task's UID
	kept   *cache.LRUExpireCache // those of Tasks whose run could not be made yet, by UID

	mu   sync.Mutex
	apps map[string]*idQueue // by namespace/name
}

func newIDAllocator(kf *client.Client) *idAllocator {
	return &idAllocator{kf: kf, kept: cache.NewLRUExpireCache(4096), blocks: cache.NewLRUExpireCache(4096)}
}

// For returns the ID of a Task of app: a new one, or the one that it was given when its run could not be made. Two events of a Task that
// come at once, as while the source's adapter is rolled over, get the same one.
func (a *idAllocator) For(ctx context.Context, task types.UID, app *v1alpha1.App) (int, error) {
	return a.asking.Do(ctx, string(task), func(ctx context.Context) (int, error) {
		if id, ok := a.kept.Get(task); ok {
			return id.(int), nil
		}
		id, err := a.next(ctx, app)
		if err == nil {
			a.kept.Add(task, id, time.Hour)
		}
		return id, err
	})
}

// block is what one write has reserved.
type block struct {
	app       types.UID
	next, end int
	ahead     int           // how many of them nobody had asked for
	written   *v1alpha1.App // as the write left it
}

// mostAhead bounds how many IDs are reserved that nobody has asked for: so many are lost with a process.
const mostAhead = 32

// spare takes an ID of those that are reserved. Where the counter, as it stood after the Task was made, says that another instance has
// reserved since, they are of no use any more: IDs increase.
func (a *idAllocator) spare(key string, app *v1alpha1.App) (id int, ok bool) {
	b := a.blockOf(key, app)
	if b.next > b.end || app.Status.Tasks.UpdateRequests > b.end {
		return 0, false
	}
	b.next++
	return b.next - 1, true
}

// blockOf is the last block of an App: an empty one, where there is none.
func (a *idAllocator) blockOf(key string, app *v1alpha1.App) *block {
	if kept, ok := a.blocks.Get(key); ok && kept.(*block).app == app.UID {
		return kept.(*block)
	}
	return &block{app: app.UID, next: 1}
}

// more is how many more to reserve than are asked for: twice as many as the last time, where those were all used.
func (b *block) more() int {
	switch {
	case b.end == 0 || b.next <= b.end:
		return 0
	case b.ahead == 0:
		return 1
	}
	return min(2*b.ahead, mostAhead)
}

type idQueue struct {
	waiting []request
	busy    bool
}

type request struct {
	app *v1alpha1.App // as it was after the Task was made, or later
	got chan<- allocation
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
	if id, ok := a.spare(key, app); ok {
		a.mu.Unlock()
		return id, nil
	}
	if a.apps == nil {
		a.apps = map[string]*idQueue{}
	}
	q := a.apps[key]
	if q == nil {
		q = &idQueue{}
		a.apps[key] = q
	}
	q.waiting = append(q.waiting, request{app, mine})
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

// serve gives those who wait what is spare, and reserves for the others in one write, until nobody waits.
func (a *idAllocator) serve(ctx context.Context, key string, app *v1alpha1.App) {
	for {
		a.mu.Lock()
		batch := a.unserved(key)
		if len(batch) == 0 {
			delete(a.apps, key)
			a.mu.Unlock()
			return
		}
		last := a.blockOf(key, app)
		ahead := last.more() // while nobody takes of it
		a.mu.Unlock()
		if last.written != nil && version(last.written) > version(app) {
			app = last.written // what was read for many may be older
		}

		written, err := a.reserve(ctx, app, len(batch)+ahead)
		if err == nil {
			app = written
		}
		end := app.Status.Tasks.UpdateRequests
		first := end - ahead - len(batch) + 1
		if err == nil { // before anybody has an answer, and comes again
			a.mu.Lock()
			a.blocks.Add(key, &block{app: app.UID, next: first + len(batch), end: end, ahead: ahead, written: app}, time.Hour)
			a.mu.Unlock()
		}
		for i, r := range batch {
			r.got <- allocation{id: first + i, err: err}
		}
	}
}

// unserved takes those who wait off the queue, as far as nothing is spare for them.
func (a *idAllocator) unserved(key string) (batch []request) {
	for _, r := range a.apps[key].waiting {
		if id, ok := a.spare(key, r.app); ok {
			r.got <- allocation{id: id}
			continue
		}
		batch = append(batch, r)
	}
	a.apps[key].waiting = nil
	return batch
}

// reserve moves the counter on by n. One that begins is that of a new App, or of one that was restored or made anew: then it
// begins after the Tasks that there are.
func (a *idAllocator) reserve(ctx context.Context, app *v1alpha1.App, n int) (*v1alpha1.App, error) {
	highest := 0
	if app.Status.Tasks.UpdateRequests == 0 {
		ofApp := client.OfApp(app.Name)
		for task, err := range client.All[*v1alpha1.Task](ctx, a.kf.Tasks(app.Namespace), ofApp) {
			if err != nil {
				return nil, err
			}
			highest = max(highest, task.ID())
		}
	}
	return client.PatchStatus(ctx, a.kf.Apps(app.Namespace), app, func(app *v1alpha1.App) {
		app.Status.Tasks.UpdateRequests = max(app.Status.Tasks.UpdateRequests, highest) + n
	})
}
