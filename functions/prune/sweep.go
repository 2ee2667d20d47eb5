package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/shared/kubeevent"
	"github.com/kf-tasks/kf-tasks/shared/retention"
	"github.com/kf-tasks/kf-tasks/shared/space"
	"github.com/kf-tasks/kf-tasks/shared/telemetry"
)

const (
	// progressEvery is how often a long sweep says in the log how far it is.
	progressEvery = 10 * time.Second
	// slack, or the limit again if that is more, is how far beyond its limit an App may be while Tasks come and end.
	// Further beyond, pruning no longer waits for them: etcd must not fill up.
	slack = 100
	// enoughFailures end a sweep: it is not the Tasks' fault then, and the rest is left for the next try.
	enoughFailures = 10
	// enoughAwaiting end a sweep, too: their logs wait for a registry that is away, and those of the rest most likely do.
	enoughAwaiting = 100
)

// sweep brings one App down to its policy. It may be cut off anywhere, run again, and run by several at once; why it
// deletes none too many all the same is argued in shared/retention.
func (h *Handler) sweep(ctx context.Context, app types.NamespacedName) error {
	namespace, err := h.find(ctx, namespaces, "", app.Namespace)
	if err != nil {
		return err
	}
	is, err := h.find(ctx, apps, app.Namespace, app.Name)
	if err != nil {
		return err
	}
	if namespace.DeletionTimestamp != nil || is.DeletionTimestamp != nil { // and with them all of its Tasks
		return nil
	}
	of, err := h.Space(ctx, app.Namespace)
	if err != nil {
		return err
	}
	if of != nil && of.Unreadable != "" {
		return h.refuse(ctx, app, is.UID, fmt.Errorf("the Space %s: %s", of.Name, of.Unreadable))
	}
	policy, err := retention.Resolve(h.Policy, space.Retention(of, namespace.Annotations), is.Annotations)
	if err != nil {
		return h.refuse(ctx, app, is.UID, err)
	}
	tasks, err := h.tasks(ctx, app, policy)
	if err != nil {
		return err
	}

	plan := retention.Decide(policy, tasks, h.Now())

	if err := h.carryOut(ctx, app, is.UID, policy, plan); err != nil {
		return err
	}
	return h.dropPods(ctx, app, policy)
}

// refuse shows on the App that its policy can't be read, and that nothing is deleted until it can.
func (h *Handler) refuse(ctx context.Context, app types.NamespacedName, uid types.UID, why error) error {
	logging.FromContext(ctx).Warnw("policy refused: all Tasks are kept", "app", app.String(), "error", why)
	return h.warn(ctx, app, uid, "RetentionRefused", why.Error(), fmt.Sprintf("All Tasks are kept until this is mended: %v", why))
}

// sayAwaiting shows on the App, once an hour, that it has more Tasks than it keeps because their logs are not in the archive.
func (h *Handler) sayAwaiting(ctx context.Context, app types.NamespacedName, uid types.UID, tasks int32) error {
	logging.FromContext(ctx).Warnw("Tasks wait for the archive", "app", app.String(), "tasks", tasks)
	return h.warn(ctx, app, uid, "AwaitsArchive", h.Now().UTC().Format("2006-01-02T15"), fmt.Sprintf("%d Tasks or more beyond the limit "+
		"are kept because their logs are not in the archive yet, each for at most %s after its end: see their condition LogArchived",
		tasks, v1alpha1.ArchivePatience))
}

func (h *Handler) warn(ctx context.Context, app types.NamespacedName, uid types.UID, reason, once, note string) error {
	return kubeevent.Warn(ctx, h.Events, kubeevent.Warning{
		About: corev1.ObjectReference{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "App", Namespace: app.Namespace, Name: app.Name, UID: uid,
		},
		Reason: reason, Action: "Prune", By: "prune", Once: once, Note: note,
	}, h.Now())
}

// carryOut deletes what the plan says, oldest first, so that a sweep that is cut off has deleted the right ones. A Task
// that can't be deleted is not in the way of the others.
func (h *Handler) carryOut(
	ctx context.Context, app types.NamespacedName, uid types.UID, policy retention.Policy, plan retention.Plan,
) error {
	log := logging.FromContext(ctx).With("app", app.String())
	if plan.Over > 0 {
		telemetry.Excess(ctx, plan.Over)
		log.Infow("more Tasks run than the App may keep; none is deleted before it ends", "over", plan.Over, "keep", policy.Keep)
	}
	if len(plan.Delete) == 0 {
		return nil
	}
	reported, stopped := h.Now(), error(nil)
	var failed, awaiting, unrecorded atomic.Int32
	var group errgroup.Group
	group.SetLimit(h.Workers)
	for i, v := range plan.Delete {
		stopped = h.Deletions.Wait(ctx, len(plan.Delete)-i > max(policy.Keep, slack))
		if stopped != nil || failed.Load() >= enoughFailures || awaiting.Load() >= enoughAwaiting {
			break
		}
		if now := h.Now(); now.Sub(reported) >= progressEvery {
			log.Infow("pruning", "done", i, "of", len(plan.Delete))
			reported = now
		}
		group.Go(func() error {
			kept, err := h.prune(ctx, app.Namespace, policy, v)
			switch {
			case errors.Is(err, errUnrecorded):
				unrecorded.Add(1)
				return nil
			case err != nil:
				failed.Add(1)
			}
			if kept == retention.AwaitsArchive {
				awaiting.Add(1)
			}
			return err
		})
	}
	err := cmp.Or(group.Wait(), stopped)
	if n := awaiting.Load(); n > 0 {
		err = errors.Join(err, h.sayAwaiting(ctx, app, uid, n))
	}
	if err != nil {
		return fmt.Errorf("prune Tasks of App %s, %d failed, the first: %w", app, failed.Load(), err)
	}
	if n := unrecorded.Load(); n > 0 { // so that it comes again
		return fmt.Errorf("%d Tasks of App %s are kept for now: %w", n, app, errUnrecorded)
	}
	telemetry.Pruned(ctx, len(plan.Delete)-int(awaiting.Load()))
	log.Infow("pruned", "tasks", len(plan.Delete), "awaiting", awaiting.Load(), "running", plan.Running, "pinned", plan.Pinned,
		"oldest", plan.Delete[0].Name, "reason", plan.Delete[0].Reason)
	return nil
}

// errUnrecorded is why the Task of a Job is kept though it is beyond the limit.
var errUnrecorded = errors.New("their Jobs have yet to put on record that they ran, or may be running them a second time")

// nameIsLock says whether tick would run a Task's instant again if the Task was gone. One of no Job, or of a Job that is gone, is
// nobody's lock.
func (h *Handler) nameIsLock(ctx context.Context, task *v1alpha1.Task) (bool, error) {
	owner := metav1.GetControllerOf(task)
	if owner == nil || owner.Kind != "TaskSchedule" {
		return false, nil
	}
	j, err := client.Find(ctx, h.Kf.TaskSchedules(task.Namespace), task.Namespace, owner.Name)
	return j != nil && job.NameIsLock(j, task, h.Now()), err
}

// prune deletes one Task as it was decided on: it reads it again, decides again, and deletes that very version of it.
//
// The fact goes first. Only the Task knows its last status: were it deleted first, a crash between the two would lose
// the fact for ever. This way round the next sweep finds the Task still there and does both again, so that the fact may
// come twice, under one id, or a moment early.
func (h *Handler) prune(ctx context.Context, namespace string, policy retention.Policy, v retention.Verdict) (kept string, err error) {
	log := logging.FromContext(ctx).With("task", namespace+"/"+v.Name)
	tasks := h.Kf.Tasks(namespace)
	for {
		task, err := client.Find(ctx, tasks, namespace, v.Name)
		if err != nil || task == nil {
			return "", err
		}

		if kept := v.Confirm(policy, task, h.Now()); kept != "" {
			log.Debugw("kept", "because", kept)
			return kept, nil
		}
		if lock, err := h.nameIsLock(ctx, task); err != nil || lock {
			return "", cmp.Or(err, errUnrecorded)
		}

		if err := h.Emit(ctx, *events.NewTaskFact(events.TaskPruned, "prune", task)); err != nil {
			return "", fmt.Errorf("prune Task %s/%s: %w", namespace, v.Name, err)
		}
		err = tasks.Delete(ctx, task.Name, client.Exactly(task))
		if apierrors.IsConflict(err) {
			continue // it has changed since it was read
		}
		if client.IgnoreNotFound(err) != nil {
			return "", fmt.Errorf("delete Task %s/%s: %w", namespace, v.Name, err)
		}
		log.Debugw("pruned", "reason", v.Reason)
		return "", nil
	}
}

// dropPods deletes the Pods of ended Tasks whose log has been delivered. Their Tasks are kept in the history.
func (h *Handler) dropPods(ctx context.Context, app types.NamespacedName, policy retention.Policy) error {
	if policy.PodsFor == retention.Unlimited {
		return nil
	}
	ended := metav1.ListOptions{
		LabelSelector: v1alpha1.TaskLabel + "," + v1alpha1.NameLabel + "=" + app.Name,
		FieldSelector: "status.phase!=Pending,status.phase!=Running",
	}
	for pod, err := range client.All[*metav1.PartialObjectMetadata](ctx, h.Metadata.Resource(pods).Namespace(app.Namespace), ended) {
		if err != nil {
			return fmt.Errorf("Pods of App %s: %w", app, err)
		}
		task, err := client.Find(ctx, h.Kf.Tasks(app.Namespace), app.Namespace, pod.Labels[v1alpha1.TaskLabel])
		if err != nil {
			return err
		}
		if task == nil || pod.DeletionTimestamp != nil || !policy.DropPod(task, h.Now()) { // without its Task, it is garbage collected
			continue
		}
		if err := h.Deletions.Wait(ctx, false); err != nil {
			return err
		}
		err = h.Pods.Pods(app.Namespace).Delete(ctx, pod.Name, client.Exactly(pod))
		if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			return fmt.Errorf("delete Pod %s/%s: %w", app.Namespace, pod.Name, err)
		}
	}
	return nil
}
