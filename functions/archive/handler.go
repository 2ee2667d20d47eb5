package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	eventsv1client "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/util/flowcontrol"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/kubeevent"
	"github.com/kf-tasks/kf-tasks/shared/logs/archive"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/registry"
	"github.com/kf-tasks/kf-tasks/shared/resync"
	"github.com/kf-tasks/kf-tasks/shared/retention"
)

// atOnce is how many logs a resync reads and pushes side by side. Each is in a file of its own meanwhile.
const atOnce = 8

// A repository that does not take a log is left alone for firstTry, then for twice as long each time, to lastTry.
const firstTry, lastTry = 5 * time.Second, 5 * time.Minute

// Handler brings the logs of ended Tasks to the archives of their Spaces, and deletes there what is too old.
type Handler struct {
	Kf      *client.Client
	Pods    corev1client.PodsGetter
	Streams corev1client.PodsGetter // for logs, on connections of their own
	Events  eventsv1client.EventsGetter
	Store   archive.Store
	Places  archive.Places
	Spool   string // the folder of files
	// Tries keeps a registry that is away from being asked for each Task. It is this process's own.
	Tries *flowcontrol.Backoff
	Now   func() time.Time
}

// Handle handles the fact that a Task has ended, or a ping to look for those whose fact was lost, or whose registry was away.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.TaskSucceeded, events.TaskFailed, events.TaskTerminated:
		hint, err := events.TaskOf(e)
		if err != nil {
			return nil, receiver.Permanent(err)
		}
		return nil, h.archive(ctx, hint)
	case events.Ping:
		h.Tries.GC()
		return nil, resync.Each(ctx, atOnce, h.spaces(ctx), func(of *v1alpha1.Space) error {
			return errors.Join(h.awaiting(ctx, of.Name), h.sweep(ctx, of))
		})
	}
	return nil, receiver.Permanent(fmt.Errorf("archive does not handle events of type %q", e.Type()))
}

// spaces ranges over the Spaces that archive logs.
func (h *Handler) spaces(ctx context.Context) iter.Seq2[*v1alpha1.Space, error] {
	return func(yield func(*v1alpha1.Space, error) bool) {
		for of, err := range client.All[*v1alpha1.Space](ctx, h.Kf.Spaces(), metav1.ListOptions{}) {
			if (err != nil || of.Spec.Logs.Archive != nil) && !yield(of, err) {
				return
			}
		}
	}
}

// awaiting deals with the ended Tasks of a namespace whose log is yet to come to the archive.
func (h *Handler) awaiting(ctx context.Context, namespace string) error {
	found := client.All[*v1alpha1.Task](ctx, h.Kf.Tasks(namespace), client.ToArchive())
	return resync.Each(ctx, atOnce, found, func(t *v1alpha1.Task) error { return h.archive(ctx, events.HintAt(t)) })
}

// archive reads a Task, decides, and acts.
func (h *Handler) archive(ctx context.Context, hint events.Hint) error {
	task, err := client.Find(ctx, h.Kf.Tasks(hint.Namespace), hint.Namespace, hint.Name)
	if err != nil || task == nil || !hint.Is(task) || !task.ToArchive() {
		return err
	}
	place, wrong := h.Places.Of(ctx, task.Namespace)
	if wrong != nil && !errors.Is(wrong, archive.ErrPlace) {
		return wrong
	}

	d := Decide(Facts{Task: task, Place: place != nil || wrong != nil, Now: h.Now()})

	logging.FromContext(ctx).Infow("decided", "task", task.Namespace+"/"+task.Name, "action", d.Action, "reason", d.Message)
	switch d.Action {
	case Settle:
		return h.note(ctx, task, v1alpha1.TaskLog{State: v1alpha1.ArchiveNone, Message: d.Message})
	case Keep:
		if wrong != nil {
			return h.wait(ctx, task, wrong.Error(), wrong)
		}
		return h.keep(ctx, task, place)
	}
	return nil
}

// keep reads the log, pushes it, and says so on the Task. Cut off anywhere, it is done again, and makes the same artifact.
func (h *Handler) keep(ctx context.Context, task *v1alpha1.Task, place *archive.Place) error {
	at := place.Repository.String()
	if h.Tries.IsInBackOffSinceUpdate(at, h.Now()) {
		return fmt.Errorf("Task %s/%s: the registry at %s did not take a log a moment ago", task.Namespace, task.Name, at)
	}
	spool := archive.NewSpool(h.Spool)
	defer spool.Close()
	missing, err := h.read(ctx, task, spool)
	if err != nil {
		return h.wait(ctx, task, "its log can't be read yet", err)
	}
	log, err := h.Store.Keep(ctx, place.Repository, spool, task, missing)
	if err != nil {
		h.Tries.Next(at, h.Now())
		return h.wait(ctx, task, registry.Reason(err), err)
	}
	h.Tries.DeleteEntry(at)
	return h.note(ctx, task, log)
}

// wait says on the Task what its log waits for; of one that has waited long enough, that the log is not there. It returns the error,
// so that who sent the event sends it again.
func (h *Handler) wait(ctx context.Context, task *v1alpha1.Task, why string, err error) error {
	if Late(task, h.Now()) {
		return h.note(ctx, task, v1alpha1.TaskLog{State: v1alpha1.ArchiveNone, Message: fmt.Sprintf(
			"it was tried for %s: %s", v1alpha1.ArchivePatience, why)})
	}
	noted := h.note(ctx, task, v1alpha1.TaskLog{State: v1alpha1.ArchiveWaiting, Message: why})
	return errors.Join(fmt.Errorf("the log of Task %s/%s is not in the archive yet: %w", task.Namespace, task.Name, err), noted)
}

func (h *Handler) note(ctx context.Context, task *v1alpha1.Task, log v1alpha1.TaskLog) error {
	_, err := client.PatchStatus(ctx, h.Kf.Tasks(task.Namespace), task, func(t *v1alpha1.Task) { t.NoteLog(log, h.Now()) })
	if err == nil {
		logging.FromContext(ctx).Infow("archived", "task", task.Namespace+"/"+task.Name, "state", log.State, "archive", log.Archive,
			"lines", log.Lines, "message", log.Message)
	}
	return client.IgnoreNotFound(err)
}

// sweep deletes from a Space's archive what is too old. What goes wrong is shown on the Space.
func (h *Handler) sweep(ctx context.Context, of *v1alpha1.Space) error {
	place, err := h.Places.Of(ctx, of.Name)
	if err == nil && (place == nil || place.KeepFor == retention.Unlimited) || err != nil && !errors.Is(err, archive.ErrPlace) {
		return err
	}
	if err == nil {
		var deleted int
		deleted, err = h.Store.Sweep(ctx, place.Repository, h.Now().Add(-place.KeepFor))
		if deleted > 0 {
			logging.FromContext(ctx).Infow("swept", "space", of.Name, "deleted", deleted, "older", place.KeepFor)
		}
	}
	if err == nil {
		return nil
	}
	why := err.Error()
	if place != nil && !errors.Is(err, archive.ErrNoDelete) {
		why = registry.Reason(err)
	}
	return errors.Join(err, kubeevent.Warn(ctx, h.Events, kubeevent.Warning{
		About: corev1.ObjectReference{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "Space", Namespace: metav1.NamespaceDefault, Name: of.Name, UID: of.UID,
		},
		Reason: "LogsNotDeleted", Action: "Sweep", By: "archive", Once: why,
		Note: "Logs that are kept longer than spec.logs.archive.keepFor are not deleted from the archive: " + why,
	}, h.Now()))
}
