package main

import (
	"context"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/coalesce"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/space"
)

// surroundings are what a Task's run is made of beside the Task: one read for all Tasks of an App that were written before it
// (coalesce.Recent).
type surroundings struct {
	app     *v1alpha1.App // nil if there is none
	of      *v1alpha1.Space
	account string // that runs of the App have
	rules   space.Rules
	unread  error // why there are no rules
	at      time.Time
}

// rememberFor is how long surroundings are good for: what is made of a burst of Tasks asks a few times a second.
const rememberFor = time.Second

// around reads the surroundings of an App's Tasks. They are the caller's to change, but for the rules.
func (h *Handler) around(ctx context.Context, namespace, app string, since coalesce.Since) (surroundings, error) {
	s, err := h.Around.Do(ctx, namespace+"/"+app, since, func(ctx context.Context) (s surroundings, err error) {
		s.at = time.Now()
		if s.app, err = client.Find(ctx, h.Kf.Apps(namespace), namespace, app); err != nil {
			return s, err
		}
		if s.of, err = h.Space(ctx, namespace); err != nil || s.app == nil {
			return s, err
		}
		s.account = pipelinerun.ServiceAccount(space.Inherit(s.app, s.of))
		s.rules, s.unread = h.Rules(ctx, namespace, s.account)
		return s, nil
	})
	if s.app != nil {
		s.app = s.app.DeepCopy()
	}
	return s, err
}

// rulesFor are the rules for a run of such an account.
func (s surroundings) rulesFor(ctx context.Context, h *Handler, namespace, account string) (space.Rules, error) {
	if account != s.account {
		return h.Rules(ctx, namespace, account)
	}
	return s.rules, s.unread
}

// unversioned is the version of what may have been written just now.
const unversioned = math.MaxUint64

// version is that of an object as it was read.
func version(o metav1.Object) uint64 {
	v, err := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	if err != nil {
		return unversioned
	}
	return v
}

// clock is the newest version that the API server has told of.
type clock struct{ newest atomic.Uint64 }

// Saw notes an object that the API server has sent; an event is none, for anybody can post one.
func (c *clock) Saw(o metav1.Object) {
	v := version(o)
	for was := c.newest.Load(); v != unversioned && v > was && !c.newest.CompareAndSwap(was, v); was = c.newest.Load() {
	}
}
