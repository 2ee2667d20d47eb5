package client

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Exactly deletes the version of an object that was read and no other: of one that has changed since, or was made anew
// under the name, it is a conflict. The object's dependents are deleted in the background.
func Exactly(o metav1.Object) metav1.DeleteOptions {
	uid, version, background := o.GetUID(), o.GetResourceVersion(), metav1.DeletePropagationBackground
	return metav1.DeleteOptions{
		Preconditions:     &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
		PropagationPolicy: &background,
	}
}
