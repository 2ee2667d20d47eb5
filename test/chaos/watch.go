package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// watched is all that was ever seen of the Space, by informers: they outlive the API server.
type watched struct {
	mu    sync.Mutex
	tasks map[types.UID]*Seen
	runs  map[string]map[types.UID]bool // PipelineRuns, by name
	jobs  map[string]*Scheduled
}

func newWatched() *watched {
	return &watched{tasks: map[types.UID]*Seen{}, runs: map[string]map[types.UID]bool{}, jobs: map[string]*Scheduled{}}
}

// begin watches until the context ends, and returns when it sees.
func (s *watched) begin(ctx context.Context, w *world) error {
	tasks := informer(&v1alpha1.Task{}, func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return w.Kf.Tasks(w.space).List(ctx, o)
	},
		func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return w.Kf.Tasks(w.space).Watch(ctx, o)
		},
		func(o any, gone bool) { s.task(o.(*v1alpha1.Task), gone) })
	runs := informer(&tekton.PipelineRun{}, func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return w.Tekton.PipelineRuns(w.space).List(ctx, o)
	}, func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
		return w.Tekton.PipelineRuns(w.space).Watch(ctx, o)
	},
		func(o any, _ bool) { s.run(o.(*tekton.PipelineRun)) })
	scheduled := informer(&v1alpha1.TaskSchedule{}, func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return w.Kf.TaskSchedules(w.space).List(ctx, o)
	}, func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
		return w.Kf.TaskSchedules(w.space).Watch(ctx, o)
	},
		func(o any, _ bool) { s.job(o.(*v1alpha1.TaskSchedule)) })
	for _, i := range []cache.Controller{tasks, runs, scheduled} {
		go i.RunWithContext(ctx)
		if !cache.WaitForCacheSync(ctx.Done(), i.HasSynced) {
			return fmt.Errorf("the Space can't be watched: %w", context.Cause(ctx))
		}
	}
	return nil
}

func informer(of runtime.Object, list cache.ListWithContextFunc, watches cache.WatchFuncWithContext, see func(o any, gone bool)) cache.Controller {
	_, c := cache.NewInformerWithOptions(cache.InformerOptions{
		ObjectType:    of,
		ListerWatcher: &cache.ListWatch{ListWithContextFunc: list, WatchFuncWithContext: watches},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { see(o, false) },
			UpdateFunc: func(_, o any) { see(o, false) },
			DeleteFunc: func(o any) {
				if last, unseen := o.(cache.DeletedFinalStateUnknown); unseen {
					o = last.Obj
				}
				see(o, true)
			},
		},
	})
	return c
}

func (s *watched) task(t *v1alpha1.Task, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.tasks[t.UID]
	if seen == nil {
		seen = &Seen{Name: t.Name, Job: t.Labels[v1alpha1.TaskScheduleLabel], Created: t.CreationTimestamp.Time}
		for _, v := range t.Spec.Env {
			if v.Name == keyVariable {
				seen.Key = v.Value
			}
		}
		s.tasks[t.UID] = seen
	}
	reason := ""
	if c := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
		reason = c.Reason
	}
	switch final := t.Final(); {
	case !seen.Ended.IsZero() && (!final || reason != seen.Reason):
		seen.Unsaid = true
	case final && seen.Ended.IsZero():
		seen.Ended, seen.Reason = time.Now(), reason
		if t.Status.CompletionTime != nil {
			seen.Ended = t.Status.CompletionTime.Time
		}
	}
	seen.Starts, seen.Gone = len(t.Status.Starts), gone
	seen.Termination = t.Status.Termination
}

func (s *watched) run(r *tekton.PipelineRun) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs[r.Name] == nil {
		s.runs[r.Name] = map[types.UID]bool{}
	}
	s.runs[r.Name][r.UID] = true
}

// job reads a history. A record may stand for several instants, the latest of which it names.
func (s *watched) job(j *v1alpha1.TaskSchedule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.jobs[j.Name]
	if known == nil {
		known = &Scheduled{Name: j.Name, Every: jobs[j.Name], From: j.CreationTimestamp.Time, Said: map[int64]v1alpha1.Outcome{}}
		s.jobs[j.Name] = known
	}
	for _, d := range j.Status.History {
		at := d.Instant.UTC()
		for n := max(d.Count, 1); n > 0 && at.After(known.From.Add(-time.Hour)); at = at.Add(-time.Minute) {
			if at.Minute()%known.Every == 0 {
				known.Said[at.Unix()] = d.Outcome
				n--
			}
		}
	}
}

// all are copies of what was seen, oldest first. Jobs are owed instants up to a time.
func (s *watched) all(to time.Time) (tasks []Seen, scheduled []Scheduled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tasks {
		one := *t
		one.Runs = len(s.runs[t.Name])
		tasks = append(tasks, one)
	}
	slices.SortFunc(tasks, func(a, b Seen) int { return a.Created.Compare(b.Created) })
	for _, name := range slices.Sorted(maps.Keys(s.jobs)) {
		one := *s.jobs[name]
		one.To, one.Said = to, maps.Clone(one.Said)
		scheduled = append(scheduled, one)
	}
	return tasks, scheduled
}
