package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

const (
	lookEvery = 200 * time.Millisecond
	sayEvery  = 3 * time.Second
	// readyWithin is how long a new or changed object may take to be looked at. It takes a second, or ten when its event is lost.
	readyWithin = time.Minute
)

// patience is how a command waits for what others do.
type patience struct {
	every time.Duration // between two looks
	limit time.Duration // as long as it takes, if left out
	say   func()        // while it lasts
	// stopped is what to say to who interrupts the wait, and late what to say when the limit is over.
	stopped, late string
}

// await looks again and again until it is done. A look that the API server could not answer is not the end: what is
// waited for goes on without it.
func (t *target) await(ctx context.Context, p patience, look wait.ConditionWithContextFunc) error {
	limited, cancel := ctx, context.CancelFunc(func() {})
	if p.limit > 0 {
		limited, cancel = context.WithTimeout(ctx, p.limit)
	}
	defer cancel()
	said := time.Now()
	err := wait.PollUntilContextCancel(limited, p.every, true, func(ctx context.Context) (bool, error) {
		done, err := look(ctx)
		if done || err != nil && !passing(err) {
			return done, err
		}
		if time.Since(said) >= sayEvery {
			said = time.Now()
			if err != nil {
				t.progress("%v; looking again", err)
			} else if p.say != nil {
				p.say()
			}
		}
		return false, nil
	})
	switch { // a request that was under way fails too when its context ends, so it is the context that tells
	case err != nil && ctx.Err() != nil:
		return errors.New(p.stopped)
	case err != nil && limited.Err() != nil:
		return errors.New(p.late)
	}
	return err
}

// passing says of an error whether the next look may do without it: an API server restarts, or is asked too much.
func passing(err error) bool {
	var network *url.Error
	return errors.As(err, &network) || apierrors.IsTooManyRequests(err) || apierrors.IsInternalError(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err)
}

// subject is an App or a Job that a function looks at before it can be used.
type subject struct {
	what, name string
	generation int64
	function   string // the one that looks
	unfit      string // what an object is that it has found wrong
}

// standing is how the subject is: the generation that was looked at, and what was found.
type standing struct {
	generation int64
	conditions []metav1.Condition
}

// ready returns when the subject has been looked at as it is now, with an error if it can't be used.
func (t *target) ready(ctx context.Context, s subject, look func(context.Context) (standing, error)) error {
	p := patience{
		every: lookEvery, limit: readyWithin,
		say:     func() { t.progress("waiting for %s %s to become ready", s.what, s.name) },
		stopped: fmt.Sprintf("no longer waiting; %s %s stays", s.what, s.name),
		late: fmt.Sprintf("%[1]s %[2]s is there, and nobody has looked at it for %[3]s: is the function %[4]s deployed? "+
			"(kubectl -n kf-tasks get ksvc %[4]s)", s.what, s.name, readyWithin, s.function),
	}
	return t.await(ctx, p, func(ctx context.Context) (bool, error) {
		now, err := look(ctx)
		if err != nil {
			return false, err
		}
		c := meta.FindStatusCondition(now.conditions, v1alpha1.ConditionReady)
		if c == nil || now.generation < s.generation || c.Status == metav1.ConditionUnknown {
			return false, nil
		}
		if c.Status == metav1.ConditionFalse {
			return false, fmt.Errorf("%s %s is there, and %s: %s: %s", s.what, s.name, s.unfit, c.Reason, c.Message)
		}
		return true, nil
	})
}

// jobReady returns when the function tick has looked at the Job as it is now, with an error if it can't run.
func (t *target) jobReady(ctx context.Context, job *v1alpha1.TaskSchedule) error {
	s := subject{what: "Job", name: job.Name, generation: job.Generation, function: "tick", unfit: "can't run"}
	return t.ready(ctx, s, func(ctx context.Context) (standing, error) {
		now, err := t.kf.TaskSchedules(job.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
		if err != nil {
			return standing{}, fmt.Errorf("get Job %s: %w", job.Name, err)
		}
		return standing{now.Status.ObservedGeneration, now.Status.Conditions}, nil
	})
}
