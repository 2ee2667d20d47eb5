package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/shared/telemetry"
)

// decider is job.Decide or job.Sync.
type decider func(*v1alpha1.TaskSchedule, job.Facts, time.Time) (job.Plan, job.Need)

// again reads a Job, decides it and does all that the plan says, from the start if somebody else wrote in between. ran are the Tasks
// that were created for it before, and are not on record yet.
func (h *Handler) again(ctx context.Context, hint events.Hint, decide decider, ran ...*v1alpha1.Task) error {
	_, err := h.once(ctx, hint, decide, ran...)
	return err
}

// once is again, and says what the plan was.
func (h *Handler) once(ctx context.Context, hint events.Hint, decide decider, ran ...*v1alpha1.Task) (job.Plan, error) {
	var conflict error
	for range 5 { // two writers can't get in each other's way for longer
		fresh, err := client.Find(ctx, h.Kf.TaskSchedules(hint.Namespace), hint.Namespace, hint.Name)
		if err != nil || fresh == nil || !hint.Is(fresh) {
			return job.Plan{}, err
		}
		plan, err := h.act(ctx, h.gatherer(ctx, fresh.Namespace, v1alpha1.TaskScheduleLabel+"="+fresh.Name), fresh, decide)
		if err != nil {
			return job.Plan{}, err
		}
		plan = plan.HavingRun(fresh, ran)
		if conflict = h.record(ctx, fresh, plan); !apierrors.IsConflict(conflict) {
			return plan, conflict
		}
		ran = append(ran, plan.Created()...)
	}
	return job.Plan{}, conflict
}

// act decides a Job, reading what the decision needs, and terminates and creates what the plan says. It returns the
// plan that is left to be recorded.
func (h *Handler) act(ctx context.Context, g *gatherer, j *v1alpha1.TaskSchedule, decide decider) (job.Plan, error) {
	var facts job.Facts
	for now := h.Now(); ; {
		plan, need := decide(j, facts, now)
		if need != job.NeedNothing {
			var err error
			if facts, err = g.gather(ctx, need, j, facts); err != nil {
				return job.Plan{}, err
			}
			continue
		}
		for _, task := range plan.Terminate { // this very Task: when another has its name, all is decided anew
			_, err := client.Merge(ctx, h.Kf.Tasks(task.Namespace), &task, client.Change{Spec: map[string]any{"terminated": true}})
			if client.IgnoreNotFound(err) != nil {
				return job.Plan{}, err
			}
		}
		if plan.Create == nil {
			return plan, nil
		}
		telemetry.Mark(ctx, plan.Create)
		err := h.create(ctx, j, plan.Create)
		if err == nil {
			telemetry.InstantRun(ctx, h.Now().Sub(plan.Create.Instant()))
			return plan, nil
		}
		if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || apierrors.IsNotFound(err) {
			return job.Plan{}, nil // the whole namespace goes
		}
		var said bool
		if facts, said = facts.Answered(err); !said {
			return job.Plan{}, fmt.Errorf("create Task %s/%s: %w", j.Namespace, plan.Create.Name, err)
		}
	}
}

// create creates the Task of an instant. There already, it is success if it is this Job's.
func (h *Handler) create(ctx context.Context, j *v1alpha1.TaskSchedule, task *v1alpha1.Task) error {
	there, err := client.CreateOnce(ctx, h.Kf.Tasks(j.Namespace), task)
	if there == nil || metav1.IsControlledBy(there, j) {
		return err
	}
	owner := metav1.GetControllerOf(there)
	if there.DeletionTimestamp != nil || owner != nil && owner.Kind == "TaskSchedule" && owner.Name == j.Name {
		return fmt.Errorf("the Task of an earlier Job of this name is still there")
	}
	return apierrors.NewBadRequest(fmt.Sprintf("a Task %q that is not this Job's is in the way", task.Name))
}

// record tells the facts of a plan and writes it into its Job. The facts come first: after a crash in between they are
// told again, under the same ids, but they are never left out. A conflict says that the Job is to be decided anew.
func (h *Handler) record(ctx context.Context, j *v1alpha1.TaskSchedule, plan job.Plan) error {
	if plan.Empty() {
		return nil
	}
	plan, err := h.settle(ctx, j, plan)
	if err != nil {
		return err
	}
	for _, d := range slices.Backward(plan.Records) {
		if fact := events.NewJobFact("tick", j, d); fact != nil {
			if err := h.Emit(ctx, *fact); err != nil {
				return err
			}
		}
	}
	for _, n := range plan.Notices {
		if err := h.Emit(ctx, *events.NewJobNotice("tick", j, n)); err != nil {
			return err
		}
	}
	if err := h.write(ctx, j, plan); err != nil {
		return client.IgnoreNotFound(err)
	}
	log := logging.FromContext(ctx).With("job", j.Namespace+"/"+j.Name)
	for _, d := range plan.Records {
		telemetry.InstantDecided(ctx, string(d.Outcome), d.Count)
		log.Infow("decided", "instant", d.Instant.Time, "outcome", d.Outcome, "task", d.Task, "count", d.Count, "message", d.Message)
	}
	for _, n := range plan.Notices {
		log.Infow("noticed", "what", n.What, "at", n.At.Time, "task", n.Task, "message", n.Message)
	}
	if s := plan.Status; s != nil && plan.Records == nil {
		log.Infow("observed", "ready", v1alpha1.Reason(s.Conditions, v1alpha1.ConditionReady), "next", s.NextScheduleTime)
	}
	return nil
}

// settle reads the Tasks that have ended, or where that is not enough all of the Job, and settles the plan.
func (h *Handler) settle(ctx context.Context, j *v1alpha1.TaskSchedule, plan job.Plan) (job.Plan, error) {
	var ended []*v1alpha1.Task
	for _, name := range plan.Ended {
		task, err := client.Find(ctx, h.Kf.Tasks(j.Namespace), j.Namespace, name)
		if err != nil {
			return plan, err
		}
		if task != nil && metav1.IsControlledBy(task, j) {
			ended = append(ended, task)
		}
	}
	settled, survey := job.Settle(j, plan, ended, false, h.Now())
	if !survey {
		return settled, nil
	}
	all, err := tasksOf(ctx, h.Kf, j)
	if err != nil {
		return plan, err
	}
	all = slices.DeleteFunc(all, func(t *v1alpha1.Task) bool { return !metav1.IsControlledBy(t, j) })
	settled, _ = job.Settle(j, plan, all, true, h.Now())
	return settled, nil
}

// write writes the Job's status, and then the labels that Kf's webhook would have given it, and a pause.
func (h *Handler) write(ctx context.Context, j *v1alpha1.TaskSchedule, plan job.Plan) error {
	jobs := h.Kf.TaskSchedules(j.Namespace)
	if plan.Status != nil {
		changed := *j
		changed.Status = *plan.Status // all of it is tick's, and of this version of the Job: a patch would say the same at a higher price
		written, err := jobs.UpdateStatus(ctx, &changed, metav1.UpdateOptions{})
		if err != nil {
			return fmt.Errorf("write status of Job %s/%s: %w", j.Namespace, j.Name, err)
		}
		j = written
	}
	change := client.Change{Labels: plan.Labels}
	if plan.Adopt {
		app, err := client.Find(ctx, h.Kf.Apps(j.Namespace), j.Namespace, j.Spec.TaskTemplate.AppRef.Name)
		if err != nil {
			return err
		}
		change.Adopt(j, app)
	}
	if p := plan.Pause; p != nil { // all of it, for there may be one that is over; somebody may have paused it for longer meanwhile
		change.Spec, change.IfUnchanged = map[string]any{"pause": map[string]any{"note": p.Note, "until": p.Until}}, true
	}
	if change.Labels == nil && change.Owners == nil && change.Spec == nil {
		return nil
	}
	_, err := client.Merge(ctx, jobs, j, change)
	return err
}
