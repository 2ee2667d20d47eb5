package main

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// notEnded selects the Tasks that have no outcome yet: one that ends leaves the watch.
const notEnded = "status.completionTime="

// Ends tells those who wait that their Tasks may have ended. All who wait in a namespace have one watch, which begins with the first of
// them and ends with the last.
type Ends struct {
	kf *client.Client

	mu     sync.Mutex
	spaces map[string]*space
}

// NewEnds watches nothing yet.
func NewEnds(kf *client.Client) *Ends { return &Ends{kf: kf, spaces: map[string]*space{}} }

// Of returns a channel that says that a Task may have ended, or be gone: look at it now. What was looked at after Of was called is
// not missed. stop is to be called once.
func (e *Ends) Of(namespace, name string) (look <-chan struct{}, stop func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.spaces[namespace]
	if s == nil {
		ctx, end := context.WithCancel(context.Background())
		s = &space{waiting: map[string]map[chan struct{}]bool{}, end: end}
		e.spaces[namespace] = s
		watch := cache.NewReflectorWithOptions(unended(e.kf.Tasks(namespace)), &v1alpha1.Task{}, s, cache.ReflectorOptions{Name: "wait"})
		go watch.RunWithContext(ctx)
	}
	c := make(chan struct{}, 1)
	s.add(name, c)
	return c, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if s.remove(name, c) {
			s.end()
			delete(e.spaces, namespace)
		}
	}
}

func unended(tasks *client.Tasks) cache.ListerWatcher {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = notEnded
			pages, all := &versioned{Tasks: tasks}, &v1alpha1.TaskList{}
			for t, err := range client.All[*v1alpha1.Task](ctx, pages, o) {
				if err != nil {
					return nil, err
				}
				all.Items = append(all.Items, *slim(t))
			}
			all.ResourceVersion = pages.first
			return all, nil
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = notEnded
			all, err := tasks.Watch(ctx, o)
			if err != nil {
				return nil, err
			}
			return watch.Filter(all, func(e watch.Event) (watch.Event, bool) {
				if t, ok := e.Object.(*v1alpha1.Task); ok {
					e.Object = slim(t)
				}
				return e, true
			}), nil
		},
	}
}

// versioned lists Tasks, and keeps the version of the first page: what changed while the others were read, a watch from there on tells.
type versioned struct {
	*client.Tasks
	first string
}

func (v *versioned) List(ctx context.Context, o metav1.ListOptions) (*v1alpha1.TaskList, error) {
	page, err := v.Tasks.List(ctx, o)
	if err == nil && v.first == "" {
		v.first = page.ResourceVersion
	}
	return page, err
}

// slim is what of a Task tells whether it has ended. When a watch begins all of a namespace's are in memory at once, and how large they
// are is for who makes them to say.
func slim(t *v1alpha1.Task) *v1alpha1.Task {
	s := &v1alpha1.Task{Status: v1alpha1.TaskStatus{Conditions: t.Status.Conditions}}
	s.Namespace, s.Name, s.UID, s.ResourceVersion = t.Namespace, t.Name, t.UID, t.ResourceVersion
	if end, ok := t.Annotations[metav1.InitialEventsAnnotationKey]; ok { // a bookmark's: these were all that there are
		s.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: end}
	}
	return s
}

// space is who waits in a namespace, and takes what the watch says. It keeps no Tasks: what is told is only to look.
type space struct {
	end func()

	mu      sync.Mutex
	waiting map[string]map[chan struct{}]bool
}

func (s *space) add(name string, c chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[name] == nil {
		s.waiting[name] = map[chan struct{}]bool{}
	}
	s.waiting[name][c] = true
}

// remove says whether nobody waits any more.
func (s *space) remove(name string, c chan struct{}) (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.waiting[name], c); len(s.waiting[name]) == 0 {
		delete(s.waiting, name)
	}
	return len(s.waiting) == 0
}

func (s *space) tell(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.waiting[name] {
		select {
		case c <- struct{}{}:
		default: // it is told already, and has yet to look
		}
	}
}

// Add is for the Reflector: a Task that has begun.
func (s *space) Add(o any) error { return s.Update(o) }

// Update is for the Reflector: a Task has changed.
func (s *space) Update(o any) error {
	if t, ok := o.(*v1alpha1.Task); ok && t.Final() {
		s.tell(t.Name)
	}
	return nil
}

// Delete is for the Reflector: a Task has ended, or is gone.
func (s *space) Delete(o any) error {
	if t, ok := o.(*v1alpha1.Task); ok {
		s.tell(t.Name)
	}
	return nil
}

// Replace is for the Reflector: these are all that have not ended, after a time when it heard nothing.
func (s *space) Replace(list []any, _ string) error {
	unended := map[string]bool{}
	for _, o := range list {
		if t, ok := o.(*v1alpha1.Task); ok && !t.Final() {
			unended[t.Name] = true
		}
	}
	s.mu.Lock()
	var others []string
	for name := range s.waiting {
		if !unended[name] {
			others = append(others, name)
		}
	}
	s.mu.Unlock()
	for _, name := range others {
		s.tell(name)
	}
	return nil
}

// Resync is for the Reflector, and never asked for.
func (s *space) Resync() error { return nil }
