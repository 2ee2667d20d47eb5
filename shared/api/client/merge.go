package client

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

type patcher[T any] interface {
	Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (T, error)
}

// Change is what Merge writes. What it does not name stays as it is (RFC 7386).
type Change struct {
	Labels, Annotations map[string]string
	Spec                map[string]any
	// Owners are all that the object is to have, those that it has included: to be written with IfUnchanged.
	Owners []metav1.OwnerReference
	// Finalizers are, like Owners, all that the object is to have, and may be none.
	Finalizers *[]string
	// IfUnchanged makes it a conflict that somebody has written the object since it was read: for what is made from what
	// it was, such as a list, which has no patch but the whole list.
	IfUnchanged bool
	// Manager is kept by the API server as who changed the fields, as far as it takes that; the client's own name if left out.
	Manager string
}

// Adopt adds that an object, a Task or a Job, goes with its App. It is an owner beside others that the object may have: Kubernetes
// deletes it when all of them are gone. One that goes itself, or is none, adopts nothing, nor is there a second that controls.
func (c *Change) Adopt(obj metav1.Object, app *v1alpha1.App) {
	if app == nil || app.DeletionTimestamp != nil || metav1.GetControllerOf(obj) != nil {
		return
	}
	c.Owners, c.IfUnchanged = append(slices.Clone(obj.GetOwnerReferences()), v1alpha1.OwnedBy(app, "App")), true
}

// Merge changes what is named of an object, and nothing else. The object's UID goes along, so that another one that
// was made under the name meanwhile is not changed in its place: that is a conflict.
func Merge[T any](ctx context.Context, c patcher[*T], obj metav1.Object, change Change) (*T, error) {
	metadata := map[string]any{"uid": obj.GetUID()}
	if change.Labels != nil {
		metadata["labels"] = change.Labels
	}
	if change.Annotations != nil {
		metadata["annotations"] = change.Annotations
	}
	if change.Owners != nil {
		metadata["ownerReferences"] = change.Owners
	}
	if change.Finalizers != nil {
		metadata["finalizers"] = *change.Finalizers
	}
	if change.IfUnchanged {
		metadata["resourceVersion"] = obj.GetResourceVersion()
	}
	patch := map[string]any{"metadata": metadata}
	if change.Spec != nil {
		patch["spec"] = change.Spec
	}
	b, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	got, err := c.Patch(ctx, obj.GetName(), types.MergePatchType, b, metav1.PatchOptions{FieldManager: fieldManager(change.Manager)})
	if err != nil {
		return nil, fmt.Errorf("patch %s %s/%s: %w", reflect.TypeFor[T]().Name(), obj.GetNamespace(), obj.GetName(), err)
	}
	return got, nil
}

// Finalize gives an object a finalizer, or takes it off, if nobody has written it since it was read, and returns the object as it then
// is, nil if it is gone.
func Finalize[T any, O interface {
	*T
	metav1.Object
}](ctx context.Context, c patcher[*T], obj O, finalizer string, held bool) (*T, error) {
	all := slices.DeleteFunc(slices.Clone(obj.GetFinalizers()), func(f string) bool { return f == finalizer })
	if all == nil {
		all = []string{} // a merge patch would leave the list alone
	}
	if held {
		all = append(all, finalizer)
	}
	if len(all) == len(obj.GetFinalizers()) {
		return obj, nil
	}
	got, err := Merge(ctx, c, obj, Change{Finalizers: &all, IfUnchanged: true})
	if err != nil {
		return nil, IgnoreNotFound(err)
	}
	return got, nil
}

// fieldManager is what the API server takes of a name: 128 bytes of printable characters (ValidateFieldManager in apimachinery).
func fieldManager(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
	return strings.ToValidUTF8(name[:min(len(name), 128)], "") // what is cut off may have left half a character
}
