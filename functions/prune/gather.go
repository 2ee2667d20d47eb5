package main

import (
	"context"
	"fmt"
	"iter"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/retention"
)

var (
	namespaces = corev1.SchemeGroupVersion.WithResource("namespaces")
	pods       = corev1.SchemeGroupVersion.WithResource("pods")
	apps       = v1alpha1.GroupVersion.WithResource("apps")
	tasks      = v1alpha1.GroupVersion.WithResource("tasks")
)

// noneOfAnArray leaves out the Tasks of arrays: an array is one Task, with which they go.
const noneOfAnArray = "!" + v1alpha1.IndexLabel

// find reads the metadata of an object. Of one that is not there (yet, or any more), it is empty.
func (h *Handler) find(ctx context.Context, of schema.GroupVersionResource, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	got, err := client.FindMetadata(ctx, h.Metadata, of, namespace, name)
	if got == nil {
		got = &metav1.PartialObjectMetadata{}
	}
	return got, err
}

// apps ranges over the Apps that have Tasks: once each, by namespace and name. A Task that lacks the label has yet to be
// handled by runtask, so it has not ended.
func (h *Handler) apps(ctx context.Context) iter.Seq2[*metav1.ObjectMeta, error] {
	return func(yield func(*metav1.ObjectMeta, error) bool) {
		seen := map[types.NamespacedName]bool{}
		labelled := metav1.ListOptions{LabelSelector: v1alpha1.NameLabel}
		for task, err := range client.All[*metav1.PartialObjectMetadata](ctx, h.Metadata.Resource(tasks), labelled) {
			if err != nil {
				yield(nil, err)
				return
			}
			app := types.NamespacedName{Namespace: task.Namespace, Name: task.Labels[v1alpha1.NameLabel]}
			if !seen[app] && !yield(&metav1.ObjectMeta{Namespace: app.Namespace, Name: app.Name}, nil) {
				return
			}
			seen[app] = true
		}
	}
}

// tasks returns the Tasks of an App, from their metadata alone, or none if they are too few for any to be deleted.
//
// Those that have ended are listed first. Nothing is in both lists, as no Task takes back its end; one that ends in
// between is in neither. So too few may be counted, which deletes too few, and the end of that Task brings the next
// sweep. Counting one twice, or one that another sweep has deleted since it was listed as running, would delete one too
// many.
func (h *Handler) tasks(ctx context.Context, app types.NamespacedName, policy retention.Policy) ([]retention.Task, error) {
	if policy.OnlyCounts() && policy.Keep == retention.Unlimited {
		return nil, nil
	}
	ofApp := client.OfApp(app.Name).FieldSelector // the label comes later, and can be edited
	table, err := h.Kf.Table(ctx, app.Namespace, tasks.Resource, metav1.ListOptions{FieldSelector: ofApp, LabelSelector: noneOfAnArray})
	if err != nil {
		return nil, err
	}
	if policy.OnlyCounts() && len(table.Rows) <= policy.Keep {
		return nil, nil
	}
	succeeded, err := client.Column(table, v1alpha1.ConditionSucceeded)
	if err != nil {
		return nil, err
	}
	var found []retention.Task
	for _, list := range []struct {
		ended bool
		where string // no Task has a time of completion until it has ended, however it ended
	}{
		{true, "status.completionTime!="},
		{false, "status.completionTime="},
	} {
		opts := metav1.ListOptions{FieldSelector: ofApp + "," + list.where, LabelSelector: noneOfAnArray}
		for m, err := range client.All[*metav1.PartialObjectMetadata](ctx, h.Metadata.Resource(tasks).Namespace(app.Namespace), opts) {
			if err != nil {
				return nil, fmt.Errorf("Tasks of App %s: %w", app, err)
			}
			if m.DeletionTimestamp != nil {
				continue
			}
			found = append(found, retention.OfMetadata(m, list.ended, succeeded[m.Name]))
		}
	}
	return found, nil
}
