package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	// pageSize is how many objects one answer holds unless the options say otherwise: about a megabyte of Tasks.
	pageSize = 500
	// maxPage is how many bytes one answer may hold, as it bounds what a range has in memory: 500 Tasks can have 700 MiB, for
	// etcd takes objects of 1.5 MiB.
	maxPage = 8 << 20
)

// errEnough ends a list that nobody reads on.
var errEnough = errors.New("enough")

type lister[L runtime.Object] interface {
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
}

// All ranges over the objects of a list, page by page, so that no more than one is in memory: of this package's clients, at
// most maxPage bytes of it. An error ends the range. T is a pointer:
//
//	for task, err := range client.All[*v1alpha1.Task](ctx, kf.Tasks(""), opts)
func All[T runtime.Object, L runtime.Object](ctx context.Context, c lister[L], opts metav1.ListOptions) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := pages(ctx, c, opts, func(page L) error {
			return meta.EachListItem(page, func(o runtime.Object) error {
				if !yield(o.(T), nil) {
					return errEnough
				}
				return nil
			})
		})
		if err != nil && !errors.Is(err, errEnough) {
			var none T
			kind := reflect.TypeFor[T]().Elem().Name()
			yield(none, fmt.Errorf("list %ss where %q %q: %w", kind, opts.LabelSelector, opts.FieldSelector, err))
		}
	}
}

// Collect is all that a range has, where it has to be in memory at once.
func Collect[T any](found iter.Seq2[T, error]) (all []T, err error) {
	for object, err := range found {
		if err != nil {
			return nil, err
		}
		all = append(all, object)
	}
	return all, nil
}

func pages[L runtime.Object](ctx context.Context, c lister[L], opts metav1.ListOptions, each func(L) error) error {
	most := opts.Limit
	if most == 0 {
		most = pageSize
	}
	for opts.Limit = most; ; {
		page, err := c.List(ctx, opts)
		if next, mends := smaller(opts, err); mends {
			opts = next
			continue
		}
		if err == nil {
			err = each(page)
		}
		if err != nil {
			return err
		}
		list, err := meta.ListAccessor(page)
		if err != nil || list.GetContinue() == "" {
			return err
		}
		// The API server takes no version together with a place to go on from.
		opts.Continue, opts.ResourceVersion, opts.ResourceVersionMatch = list.GetContinue(), "", ""
		opts.Limit = min(most, opts.Limit*2)
	}
}

// smaller is what to ask for after an error that another list of the same objects can mend.
func smaller(opts metav1.ListOptions, err error) (next metav1.ListOptions, mends bool) {
	var status apierrors.APIStatus
	switch {
	case errors.Is(err, errLargePage) && opts.ResourceVersion != "": // the API server's cache knows no limit for version 0
		opts.ResourceVersion, opts.ResourceVersionMatch = "", ""
	case errors.Is(err, errLargePage) && opts.Limit > 1:
		opts.Limit = max(1, opts.Limit/4)
	case apierrors.IsResourceExpired(err) && errors.As(err, &status) && status.Status().Continue != "":
		// Who read the pages before took longer than etcd keeps versions. The rest is listed as it is now: not from the
		// beginning, and not all at once.
		opts.Continue = status.Status().Continue
	default:
		return opts, false
	}
	return opts, true
}

var errLargePage = errors.New("the answer is larger than a page may be")

// paged keeps an answer to a list that has a limit within maxPage bytes: All then asks for fewer objects. One object alone can
// be had in no other way.
type paged struct{ next http.RoundTripper }

func (p paged) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := p.next.RoundTrip(r)
	if limit := r.URL.Query().Get("limit"); err == nil && r.Method == http.MethodGet && limit != "" && limit != "1" {
		answer.Body = &pageBody{answer.Body, maxPage}
	}
	return answer, err
}

type pageBody struct {
	io.ReadCloser
	left int
}

func (b *pageBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errLargePage
	}
	return n, err
}
