package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kf-tasks/kf-tasks/shared/skim"
)

// Raw ranges over the objects of a resource ("taskschedules") in all namespaces as All does, as the API server wrote them: whoever looks
// at many and needs few decodes those. An object is gone with the next step, for all pages share one piece of memory.
func (c *Client) Raw(ctx context.Context, resource string, opts metav1.ListOptions) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		err := pages(ctx, &rawLister{client: c, resource: resource}, opts, func(page *rawList) error {
			for _, object := range page.items {
				if !yield(object, nil) {
					return errEnough
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, fmt.Errorf("list %s where %q %q: %w", resource, opts.LabelSelector, opts.FieldSelector, err))
		}
	}
}

type rawLister struct {
	client   *Client
	resource string
	page     bytes.Buffer
	items    [][]byte
}

// List reads one page.
func (l *rawLister) List(ctx context.Context, opts metav1.ListOptions) (*rawList, error) {
	body, err := l.client.rest.Get().Resource(l.resource).VersionedParams(&opts, runtime.NewParameterCodec(Scheme)).Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	l.page.Reset()
	if _, err := l.page.ReadFrom(body); err != nil {
		return nil, err
	}
	list := &rawList{items: l.items[:0]}
	_, err = skim.Walk(l.page.Bytes(), func(key, rest []byte) (int, error) {
		switch string(key) {
		case "metadata":
			return 0, json.NewDecoder(bytes.NewReader(rest)).Decode(&list.ListMeta)
		case "items":
			return skim.Elements(rest, func(object []byte) error {
				list.items = append(list.items, object)
				return nil
			})
		}
		return 0, nil
	})
	l.items = list.items
	return list, err
}

// rawList is a page whose objects are not decoded.
type rawList struct {
	metav1.TypeMeta
	metav1.ListMeta
	items [][]byte // parts of the page
}

// DeepCopyObject is there for the interface's sake: nobody copies a page.
func (l *rawList) DeepCopyObject() runtime.Object { return l }
