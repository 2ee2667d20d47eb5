package main

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

// Needed says whether there is anything to read, do or write.
func (p *Plan) Needed(job *v1alpha1.TaskSchedule) bool {
	return !p.Nothing && (p.Ask != AskNothing || p.Create != nil || p.Labels != nil || !equality.Semantic.DeepEqual(p.Status, job.Status))
}

// again reads a Job, decides it and does all that the plan says, from the start if somebody else wrote in between.
func (h *Handler) again(ctx context.Context, job *v1alpha1.TaskSchedule, noTick bool) error {
	var failed error
	for range 5 { // two writers can't get in each other's way for longer
		now, err := h.read(ctx, job)
		if now == nil {
			return err
		}
		plan, err := h.act(ctx, h.reader(ctx, job.Namespace, v1alpha1.TaskScheduleLabel+"="+job.Name), now, noTick)
		if err != nil {
			return err
		}
		if failed = h.record(ctx, now, plan); !errors.IsConflict(failed) {
			return failed
		}
	}
	return failed
}

// read reads a Job as it stands, nil if it is gone.
func (h *Handler) read(ctx context.Context, job *v1alpha1.TaskSchedule) (*v1alpha1.TaskSchedule, error) {
	now, err := h.Kf.TaskSchedules(job.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
	if errors.IsNotFound(err) || err == nil && now.UID != job.UID {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get Job %s/%s: %w", job.Namespace, job.Name, err)
	}
	return now, nil
}

// act decides a Job, reading what the decision asks for, and creates and terminates what the plan says. It returns the
// plan that is left to be recorded.
func (h *Handler) act(ctx context.Context, read *reader, job *v1alpha1.TaskSchedule, noTick bool) (Plan, error) {
	known, now := Known{NoTick: noTick}, h.Now()
	for {
		plan := Decide(job, known, now)
		if plan.Ask != AskNothing {
			if err := read.answer(ctx, plan.Ask, job, &known); err != nil {
				return plan, err
			}
			continue
		}
		for _, name := range plan.Terminate {
			if err := h.terminate(ctx, job, name); err != nil {
				return plan, err
			}
		}
		if plan.Create == nil {
			return plan, nil
		}
		err := h.create(ctx, job, plan.Create)
		switch {
		case err == nil:
			return plan, nil
		case errors.HasStatusCause(err, corev1.NamespaceTerminatingCause), errors.IsNotFound(err):
			return Plan{Status: job.Status}, nil // the whole namespace goes
		case errors.IsInvalid(err) || errors.IsBadRequest(err):
			known.Refused = err.Error()
		case errors.IsForbidden(err): // a quota or a right: the next tick tries again
			known.Blocked = err.Error()
		default:
			return plan, fmt.Errorf("create Task %s/%s: %w", job.Namespace, plan.Create.Name, err)
		}
	}
}

// create creates the Task of an instant, whose name is the lock: there already, it is success if it is this Job's.
func (h *Handler) create(ctx context.Context, job *v1alpha1.TaskSchedule, task *v1alpha1.Task) error {
	tasks := h.Kf.Tasks(job.Namespace)
	_, err := tasks.Create(ctx, task, metav1.CreateOptions{})
	if !errors.IsAlreadyExists(err) {
		return err
	}
	there, err := tasks.Get(ctx, task.Name, metav1.GetOptions{})
	switch {
	case errors.IsNotFound(err):
		return errors.NewConflict(v1alpha1.GroupVersion.WithResource("tasks").GroupResource(), task.Name, fmt.Errorf("it was there and went"))
	case err != nil:
		return err
	case metav1.IsControlledBy(there, job):
		return nil
	}
	if owner := metav1.GetControllerOf(there); there.DeletionTimestamp != nil || owner != nil && owner.Kind == "TaskSchedule" && owner.Name == job.Name {
		return fmt.Errorf("the Task of an earlier Job of this name is still there")
	}
	return errors.NewBadRequest(fmt.Sprintf("a Task %q that is not this Job's is in the way", task.Name))
}

// terminate asks a running Task to stop, as kf terminate-task does.
func (h *Handler) terminate(ctx context.Context, job *v1alpha1.TaskSchedule, name string) error {
	_, err := h.Kf.Tasks(job.Namespace).Patch(ctx, name, types.MergePatchType, []byte(`{"spec":{"terminated":true}}`), metav1.PatchOptions{})
	if err != nil && !errors.IsNotFound(err) {
		return fmt.Errorf("terminate Task %s/%s: %w", job.Namespace, name, err)
	}
	return nil
}

// record tells the facts of a plan and writes it into its Job. The facts come first: after a crash in between they are
// told again, under the same ids, but they are never left out. A conflict says that the Job is to be decided anew.
func (h *Handler) record(ctx context.Context, job *v1alpha1.TaskSchedule, plan Plan) error {
	if !plan.Needed(job) {
		return nil
	}
	for i := range plan.Records {
		d := plan.Records[len(plan.Records)-1-i]
		if fact := factOf[d.Outcome]; fact != "" {
			if err := h.Emit(ctx, *events.NewJobFact(fact, "tick", job, d)); err != nil {
				return err
			}
		}
	}
	for _, name := range plan.Ended {
		task, err := h.Kf.Tasks(job.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil && !errors.IsNotFound(err) {
			return fmt.Errorf("get Task %s/%s: %w", job.Namespace, name, err)
		}
		if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded); err == nil && c != nil {
			plan.result(name, c.Reason)
		}
	}
	jobs := h.Kf.TaskSchedules(job.Namespace)
	var err error
	if !equality.Semantic.DeepEqual(plan.Status, job.Status) {
		changed := *job
		changed.Status = plan.Status // all of it is tick's, and of this version of the Job: a patch would say the same at a higher price
		_, err = jobs.UpdateStatus(ctx, &changed, metav1.UpdateOptions{})
	}
	if err == nil && plan.Labels != nil {
		err = h.label(ctx, job, plan.Labels)
	}
	if errors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write Job %s/%s: %w", job.Namespace, job.Name, err)
	}
	log := logging.FromContext(ctx).With("job", job.Namespace+"/"+job.Name)
	for _, d := range plan.Records {
		log.Infow("decided", "instant", d.Instant.Time, "outcome", d.Outcome, "task", d.Task, "count", d.Count, "message", d.Message)
	}
	if plan.Records == nil {
		log.Infow("observed", "ready", plan.reason(), "next", plan.Status.NextScheduleTime, "active", len(plan.Status.Active))
	}
	return nil
}

var factOf = map[v1alpha1.Outcome]string{
	v1alpha1.OutcomeRan:     events.JobFired,
	v1alpha1.OutcomeSkipped: events.JobSkipped,
	v1alpha1.OutcomeRefused: events.JobSkipped,
	v1alpha1.OutcomeMissed:  events.JobMissed,
}

// label gives the Job the labels that Kf's webhook would have given it.
func (h *Handler) label(ctx context.Context, job *v1alpha1.TaskSchedule, labels map[string]string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": job.UID, "labels": labels}})
	if err != nil {
		return err
	}
	_, err = h.Kf.TaskSchedules(job.Namespace).Patch(ctx, job.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}
