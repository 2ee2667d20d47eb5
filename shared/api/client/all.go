package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"
)

// pageSize is how many objects one answer holds unless the options say otherwise: about a megabyte of Tasks.
const pageSize = 500

type lister[L runtime.Object] interface {
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
}

// All ranges over the objects of a list, page by page, so that no more than a few pages are in memory. An error ends
// the range. T is a pointer: for task, err := range client.All[*v1alpha1.Task](ctx, kf.Tasks(""), opts).
func All[T runtime.Object, L runtime.Object](ctx context.Context, c lister[L], opts metav1.ListOptions) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		p := pager.New(func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) { return c.List(ctx, opts) })
		p.PageSize, p.PageBufferSize = pageSize, 1
		enough := errors.New("enough")
		err := p.EachListItem(ctx, opts, func(o runtime.Object) error {
			if !yield(o.(T), nil) {
				return enough
			}
			return nil
		})
		if err != nil && !errors.Is(err, enough) {
			var none T
			kind := reflect.TypeFor[T]().Elem().Name()
			yield(none, fmt.Errorf("list %ss where %q %q: %w", kind, opts.LabelSelector, opts.FieldSelector, err))
		}
	}
}
