package client

import (
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestWhatARefusalMeans: what may change is told from what is wrong with the run itself.
func TestWhatARefusalMeans(t *testing.T) {
	runs := schema.GroupResource{Group: "tekton.dev", Resource: "pipelineruns"}
	terminating := apierrors.NewForbidden(runs, "t", errors.New("unable to create new content in namespace s because it is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	policy := apierrors.NewForbidden(runs, "t", errors.New(`ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no`))
	policy.ErrStatus.Reason, policy.ErrStatus.Code = metav1.StatusReasonInvalid, 422
	for name, test := range map[string]struct {
		err  error
		want Refusal
	}{
		"quota":              {apierrors.NewForbidden(runs, "t", errors.New("exceeded quota: q")), MayYet},
		"terminating":        {terminating, Terminating},
		"policy":             {policy, MayYet},
		"webhook":            {apierrors.NewBadRequest(`admission webhook "v.example" denied the request: no`), MayYet},
		"webhook that fails": {apierrors.NewInternalError(errors.New(`failed calling webhook "v.example": EOF`)), MayYet},
		"Tekton":             {apierrors.NewBadRequest(`admission webhook "validation.webhook.pipeline.tekton.dev" denied the request: validation failed`), Never},
		"a fault":            {apierrors.NewTooManyRequests("later", 1), NoRefusal},
		"the network":        {errors.New("connection refused"), NoRefusal},
	} {
		if got := RefusalOf(fmt.Errorf("create: %w", test.err)); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
