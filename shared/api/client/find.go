package client

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

type getter[T any] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (T, error)
}

// Find reads an object, nil if there is none of the name. It serves the clients of Tekton and Kubernetes as well as
// this package's; namespace is for the error, which names kind and object. A name that no object can have is of none: it is
// not made part of a path, for another path would be another request.
func Find[T any](ctx context.Context, c getter[*T], namespace, name string) (*T, error) {
	if !ValidName(name) || namespace != "" && !ValidNamespace(namespace) {
		return nil, nil
	}
	got, err := c.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil // what typed clients return beside an error is not nil
	}
	if err != nil {
		return nil, fmt.Errorf("get %s %s/%s: %w", reflect.TypeFor[T]().Name(), namespace, name, err)
	}
	return got, nil
}

// FindMetadata reads the metadata of an object of whatever kind, nil if there is none of the name.
func FindMetadata(
	ctx context.Context, c metadata.Interface, of schema.GroupVersionResource, namespace, name string,
) (*metav1.PartialObjectMetadata, error) {
	if !ValidName(name) || namespace != "" && !ValidNamespace(namespace) {
		return nil, nil
	}
	got, err := c.Resource(of).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get %s %s/%s: %w", of.Resource, namespace, name, err)
	}
	return got, nil
}

// FindAgain reads an object as it stands now, nil if it is gone, whoever has its name since.
func FindAgain[T any, O interface {
	*T
	metav1.Object
}](ctx context.Context, c getter[*T], obj O) (*T, error) {
	got, err := Find(ctx, c, obj.GetNamespace(), obj.GetName())
	if got == nil || O(got).GetUID() != obj.GetUID() {
		return nil, err
	}
	return got, nil
}

// IgnoreNotFound is for whoever meant an object that somebody has deleted meanwhile: nothing is left to be done.
func IgnoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// OfApp selects the Tasks of an App.
func OfApp(name string) metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.appRef.name", name).String()}
}

// unfinished selects the Tasks of whose log the last is not said. All fields here are selectable ones of the CRD, which know no "in".
const unfinished = "status.termination.log!=None,status.termination.log!=Complete,status.termination.log!=Incomplete"

// Terminated selects the Tasks that were asked to stop, and are not done with.
func Terminated() metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: "spec.terminated=true," + unfinished}
}

// ToArchive selects the ended Tasks whose log is yet to come to the archive.
func ToArchive() metav1.ListOptions {
	return metav1.ListOptions{
		LabelSelector: v1alpha1.ArchiveLabel + "=" + v1alpha1.ArchiveWanted,
		FieldSelector: "status.completionTime!=,status.log.state!=Complete,status.log.state!=Incomplete,status.log.state!=None",
	}
}

// Limited selects the Tasks with a time limit that nobody has asked to stop, and that have not ended before it.
func Limited() metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: "spec.terminated!=true,status.deadline!=," + unfinished}
}

// Nameless says of an error that it names no object: of a NotFound, that it is the kind that was not found.
func Nameless(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && (status.Status().Details == nil || status.Status().Details.Name == "")
}
