package client

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// object is what the generic helpers below need of a Task, an App or a TaskSchedule.
type object[T any] interface {
	runtime.Object
	metav1.Object
	DeepCopy() T
}

type statusClient[T any] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (T, error)
	Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (T, error)
}

// PatchStatus changes the status of an object: mutate is applied to a copy of obj, and what it changed is sent as a
// merge patch that holds only for the version it was made from. When somebody else has written in between, the object
// is read again and mutate decides anew, so it must decide from what it is given. Nothing is sent when mutate changes
// nothing. The object as it now stands is returned.
func PatchStatus[T object[T]](ctx context.Context, c statusClient[T], obj T, mutate func(T)) (T, error) {
	uid := obj.GetUID()
	for {
		got, err := PatchStatusOnce(ctx, c, obj, mutate)
		if !apierrors.IsConflict(err) {
			return got, err
		}
		if obj, err = c.Get(ctx, obj.GetName(), metav1.GetOptions{}); err != nil {
			return obj, fmt.Errorf("read again after a conflict: %w", err)
		}
		if obj.GetUID() != uid { // deleted and made anew: not ours to write
			return obj, apierrors.NewNotFound(schema.GroupResource{Group: v1alpha1.GroupVersion.Group}, obj.GetName())
		}
	}
}

// PatchStatusOnce is PatchStatus for what is decided from more than the object: when somebody else has written in between,
// that is the error, a conflict, and all is to be read again.
func PatchStatusOnce[T object[T]](ctx context.Context, c statusClient[T], obj T, mutate func(T)) (T, error) {
	changed := obj.DeepCopy()
	mutate(changed)
	patch, err := statusPatch(obj, changed)
	if err != nil || patch == nil {
		return obj, err
	}
	got, err := c.Patch(ctx, obj.GetName(), types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		return obj, fmt.Errorf("write status of %s/%s: %w", obj.GetNamespace(), obj.GetName(), err)
	}
	return got, nil
}

// statusPatch returns the merge patch from old's status to changed's, guarded by uid and version; nil if they are equal.
func statusPatch[T metav1.Object](old, changed T) ([]byte, error) {
	was, err := statusOf(old)
	if err != nil {
		return nil, err
	}
	is, err := statusOf(changed)
	if err != nil {
		return nil, err
	}
	diff, err := jsonmergepatch.CreateThreeWayJSONMergePatch(was, is, was)
	if err != nil {
		return nil, fmt.Errorf("patch of %s/%s: %w", old.GetNamespace(), old.GetName(), err)
	}
	if string(diff) == "{}" {
		return nil, nil
	}
	return json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": old.GetUID(), "resourceVersion": old.GetResourceVersion()},
		"status":   json.RawMessage(diff),
	})
}

func statusOf(obj any) ([]byte, error) {
	b, err := json.Marshal(obj)
	if err != nil {
		return nil, err
	}
	var o struct {
		Status json.RawMessage `json:"status"`
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, err
	}
	if o.Status == nil {
		return []byte("{}"), nil
	}
	return o.Status, nil
}
