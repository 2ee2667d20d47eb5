package client

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type creator[T any] interface {
	getter[T]
	Create(ctx context.Context, obj T, opts metav1.CreateOptions) (T, error)
}

// CreateOnce creates an object whose name is the lock. Where the name is taken it returns the object that has it: only
// whose that is says whether a predecessor did the same, or somebody else is in the way. One that was there and went
// is an error, for the predecessor may not have taken note of it yet, and to create it at once might do it twice.
func CreateOnce[T any, O interface {
	*T
	metav1.Object
}](ctx context.Context, c creator[*T], obj O) (there *T, err error) {
	_, err = c.Create(ctx, obj, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	there, err = Find(ctx, c, obj.GetNamespace(), obj.GetName())
	if err == nil && there == nil {
		err = fmt.Errorf("%s/%s was there and went", obj.GetNamespace(), obj.GetName())
	}
	return there, err
}
