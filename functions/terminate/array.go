package main

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/delivery"
	"github.com/kf-tasks/kf-tasks/shared/resync"
)

// stopArray asks the Tasks of an array to stop, each of which has a log of its own. runtask makes no more of them, and ends the array when
// they have ended; one that it was just about to make is found by the next look, until the array has ended and nothing of it goes on.
func (h *Handler) stopArray(ctx context.Context, array *v1alpha1.Task) error {
	tasks := h.Kf.Tasks(array.Namespace)
	unended := metav1.ListOptions{LabelSelector: v1alpha1.ArrayLabel + "=" + array.Name, FieldSelector: "status.completionTime="}
	found, failed, err := resync.Count(ctx, atOnce, client.All[*v1alpha1.Task](ctx, tasks, unended), func(t *v1alpha1.Task) error {
		if !metav1.IsControlledBy(t, array) || t.Spec.Terminated {
			return nil
		}
		_, err := client.Merge(ctx, tasks, t, client.Change{Spec: map[string]any{"terminated": true}})
		return client.IgnoreNotFound(err)
	})
	if err != nil || failed > 0 || found > 0 || !array.Final() {
		return err // the resync comes back to it
	}
	_, err = client.PatchStatus(ctx, tasks, array, func(t *v1alpha1.Task) {
		delivery.Finish(t, delivery.Progress{}, v1alpha1.LogNone, "the log is that of its Tasks, one for each index", h.Now())
	})
	return client.IgnoreNotFound(err)
}
