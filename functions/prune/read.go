package main

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/pager"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/retention"
)

var (
	namespaceKind = corev1.SchemeGroupVersion.WithResource("namespaces")
	podKind       = corev1.SchemeGroupVersion.WithResource("pods")
	appKind       = v1alpha1.GroupVersion.WithResource("apps")
	taskKind      = v1alpha1.GroupVersion.WithResource("tasks")
)

// completionTime is empty on the server until a Task has ended, however it ended.
const completionTime = "status.completionTime"

// page is how many objects one answer holds at most: about half a megabyte of metadata.
const page = 500

// policy returns what holds for an App, or nil if nothing of it may be deleted now: it is going away, as a whole, or
// its policy can't be read. An App that is not there (yet, or any more) has its Space's policy.
func (h *Handler) policy(ctx context.Context, app types.NamespacedName) (*retention.Policy, error) {
	space, err := h.Metadata.Resource(namespaceKind).Get(ctx, app.Namespace, metav1.GetOptions{})
	if errors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get namespace %s: %w", app.Namespace, err)
	}
	is, err := h.Metadata.Resource(appKind).Namespace(app.Namespace).Get(ctx, app.Name, metav1.GetOptions{})
	if errors.IsNotFound(err) {
		is = &metav1.PartialObjectMetadata{}
	} else if err != nil {
		return nil, fmt.Errorf("get App %s: %w", app, err)
	}
	if space.DeletionTimestamp != nil || is.DeletionTimestamp != nil {
		return nil, nil
	}
	policy, err := retention.Resolve(h.Policy, space.Annotations, is.Annotations)
	if err != nil {
		return nil, h.refuse(ctx, app, is.UID, err)
	}
	return &policy, nil
}

// tasks returns the Tasks of an App, from their metadata alone, or none if they are too few for anything to go.
//
// Those that have not ended are listed before those that have, so that one which ends in between is in the second list
// if not in both, and one that another prune deletes in between is in neither or has ended: the sum is never too large,
// which would delete one too many.
func (h *Handler) tasks(ctx context.Context, app types.NamespacedName, policy retention.Policy) ([]retention.Task, error) {
	if policy.OnlyCounts() && policy.Keep == retention.Unlimited {
		return nil, nil
	}
	table, err := h.table(ctx, app)
	if err != nil {
		return nil, err
	}
	if policy.OnlyCounts() && len(table) <= policy.Keep {
		return nil, nil
	}
	found := map[types.UID]retention.Task{}
	for _, list := range []struct {
		ended    bool
		selector fields.Selector
	}{
		{false, fields.OneTermEqualSelector(completionTime, "")},
		{true, fields.OneTermNotEqualSelector(completionTime, "")},
	} {
		selector := fields.AndSelectors(ofApp(app.Name), list.selector).String()
		err := h.each(ctx, taskKind, app.Namespace, metav1.ListOptions{FieldSelector: selector}, func(m *metav1.PartialObjectMetadata) {
			if m.DeletionTimestamp != nil {
				return
			}
			t := retention.OfMetadata(m, list.ended)
			if outcome := table[m.Name]; list.ended && outcome != "" {
				t.Outcome = outcome
			}
			found[m.UID] = t
		})
		if err != nil {
			return nil, err
		}
	}
	all := make([]retention.Task, 0, len(found))
	for _, t := range found {
		all = append(all, t)
	}
	return all, nil
}

// table returns the outcome of an App's Tasks by name. It is what `kubectl get` asks for, without the objects: a tenth
// of the bytes of their metadata and a third of the API server's time, so it comes first and mostly suffices.
func (h *Handler) table(ctx context.Context, app types.NamespacedName) (map[string]retention.Outcome, error) {
	raw, err := h.Core.RESTClient().Get().
		AbsPath("/apis", v1alpha1.GroupVersion.String(), "namespaces", app.Namespace, taskKind.Resource).
		Param("fieldSelector", ofApp(app.Name).String()).
		Param("includeObject", string(metav1.IncludeNone)).
		SetHeader("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1").
		DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("list Tasks of App %s as a table: %w", app, err)
	}
	var table metav1.Table
	if err := json.Unmarshal(raw, &table); err != nil {
		return nil, fmt.Errorf("list Tasks of App %s as a table: %w", app, err)
	}
	return outcomes(&table)
}

// outcomes reads a table of Tasks.
func outcomes(table *metav1.Table) (map[string]retention.Outcome, error) {
	name, succeeded := -1, -1
	for i, c := range table.ColumnDefinitions {
		switch c.Name {
		case "Name":
			name = i
		case v1alpha1.ConditionSucceeded:
			succeeded = i
		}
	}
	if name < 0 || succeeded < 0 {
		return nil, fmt.Errorf("the table of Tasks lacks Name or Succeeded: is the CRD of this project installed?")
	}
	byName := make(map[string]retention.Outcome, len(table.Rows))
	for _, row := range table.Rows {
		outcome := retention.Outcome("")
		switch row.Cells[succeeded] {
		case string(metav1.ConditionTrue):
			outcome = retention.Succeeded
		case string(metav1.ConditionFalse):
			outcome = retention.Failed
		}
		byName[fmt.Sprint(row.Cells[name])] = outcome
	}
	return byName, nil
}

// endedPods returns the Pods of an App's Tasks that run no more.
func (h *Handler) endedPods(ctx context.Context, app types.NamespacedName) ([]metav1.PartialObjectMetadata, error) {
	ours, err := labels.NewRequirement(v1alpha1.TaskLabel, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	var found []metav1.PartialObjectMetadata
	err = h.each(ctx, podKind, app.Namespace, metav1.ListOptions{
		LabelSelector: labels.SelectorFromSet(labels.Set{v1alpha1.NameLabel: app.Name}).Add(*ours).String(),
		FieldSelector: fields.AndSelectors(
			fields.OneTermNotEqualSelector("status.phase", string(corev1.PodPending)),
			fields.OneTermNotEqualSelector("status.phase", string(corev1.PodRunning)),
		).String(),
	}, func(m *metav1.PartialObjectMetadata) {
		if m.DeletionTimestamp == nil {
			found = append(found, *m)
		}
	})
	return found, err
}

// each calls visit with the metadata of every object of a list, page by page.
func (h *Handler) each(ctx context.Context, of schema.GroupVersionResource, namespace string, opts metav1.ListOptions, visit func(*metav1.PartialObjectMetadata)) error {
	var resource metadata.ResourceInterface = h.Metadata.Resource(of)
	if namespace != "" {
		resource = h.Metadata.Resource(of).Namespace(namespace)
	}
	p := pager.New(func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
		return resource.List(ctx, opts)
	})
	p.PageSize = page
	err := p.EachListItem(ctx, opts, func(o runtime.Object) error {
		visit(o.(*metav1.PartialObjectMetadata))
		return nil
	})
	if err != nil {
		return fmt.Errorf("list %s in %q with %q %q: %w", of.Resource, namespace, opts.LabelSelector, opts.FieldSelector, err)
	}
	return nil
}

// ofApp selects by what a Task names, not by its label: that comes later, and can be edited.
func ofApp(app string) fields.Selector { return fields.OneTermEqualSelector("spec.appRef.name", app) }
