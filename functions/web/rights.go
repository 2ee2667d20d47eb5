package main

import (
	"slices"

	authz "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// May is what somebody may do in a Space, as far as it decides which forms a page has. The API server decides again about each request.
type May struct {
	Run, Stop, Switch, ReadLogs bool
}

// MayOf reads rules. Where the API server can't list them all, more may be allowed: then forms are shown, and refused if need be.
func MayOf(rules authz.SubjectRulesReviewStatus) May {
	allowed := func(verb, group, resource string) bool {
		return rules.Incomplete || slices.ContainsFunc(rules.ResourceRules, func(r authz.ResourceRule) bool {
			return len(r.ResourceNames) == 0 && has(r.Verbs, verb) && has(r.APIGroups, group) && has(r.Resources, resource)
		})
	}
	kf := v1alpha1.GroupVersion.Group
	return May{
		Run: allowed("create", kf, "tasks"), Stop: allowed("patch", kf, "tasks"), Switch: allowed("patch", kf, "taskschedules"),
		ReadLogs: allowed("get", "", "pods/log"),
	}
}

func has(all []string, one string) bool {
	return slices.Contains(all, one) || slices.Contains(all, "*")
}

// may asks what the user may do in the visit's Space. An error is no reason to show nothing: then nothing can be done.
func (v *visit) may() May {
	c, err := authorizationv1.NewForConfig(v.cfg)
	if err != nil {
		return May{}
	}
	review := &authz.SelfSubjectRulesReview{Spec: authz.SelfSubjectRulesReviewSpec{Namespace: v.space}}
	if review, err = c.SelfSubjectRulesReviews().Create(v.ctx, review, metav1.CreateOptions{}); err != nil {
		return May{}
	}
	return MayOf(review.Status)
}

// maySee says whether the user may list the Apps of a namespace.
func (v *visit) maySee(c authorizationv1.AuthorizationV1Interface, namespace string) bool {
	review := &authz.SelfSubjectAccessReview{Spec: authz.SelfSubjectAccessReviewSpec{ResourceAttributes: &authz.ResourceAttributes{
		Namespace: namespace, Verb: "list", Group: v1alpha1.GroupVersion.Group, Resource: "apps",
	}}}
	review, err := c.SelfSubjectAccessReviews().Create(v.ctx, review, metav1.CreateOptions{})
	return err == nil && review.Status.Allowed
}
