package client

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Refusal is what an error of the API server on making something means.
type Refusal string

// Refusals.
const (
	// NoRefusal: the error says nothing of what was to be made, and may pass.
	NoRefusal Refusal = ""
	// MayYet: a quota, a right or a policy is against it, which somebody may change.
	MayYet Refusal = "may yet"
	// Never: what was to be made is wrong in itself.
	Never Refusal = "never"
	// Terminating: the namespace goes away, and nothing is made in it any more.
	Terminating Refusal = "terminating"
)

// RefusalOf reads an error of the API server on making something.
func RefusalOf(err error) Refusal {
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return Terminating
	case saidNo(err): // with whatever code: whoever made the policy may change it, or the App
		return MayYet
	case apierrors.IsBadRequest(err) || apierrors.IsInvalid(err): // by the API server or by Tekton's admission
		return Never
	case apierrors.IsForbidden(err): // a quota or a right may yet be granted
		return MayYet
	}
	return NoRefusal
}

// saidNo says that a webhook or a ValidatingAdmissionPolicy of somebody's refused it, or that a webhook could not be
// asked. Tekton's own webhook says what is wrong with the run itself (k8s.io/apiserver, plugin/webhook/errors/statuserror.go and
// plugin/policy/validating/dispatcher.go, for the words).
func saidNo(err error) bool {
	said := err.Error()
	if strings.Contains(said, `.tekton.dev" denied the request`) {
		return false
	}
	return strings.Contains(said, "denied the request") || strings.Contains(said, "denied request") ||
		apierrors.IsInternalError(err) && strings.Contains(said, "failed calling webhook")
}
