package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/service"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

// mostFiles is how many files a binding has at most: each is a mount of a Task's Pod.
const mostFiles = 100

// Found is what there is of a service or a binding.
type Found struct {
	Service     *v1alpha1.ServiceInstance
	App         *v1alpha1.App  // nil if there is none
	Credentials *corev1.Secret // of the service; nil if there is none yet
	Params      *corev1.Secret // of the binding, likewise
	Refused     string         // why Secrets can't be read or written, and what to do
}

// verdict is what one rule says; the zero one is that all is well.
type verdict struct {
	status          metav1.ConditionStatus
	reason, message string
}

func pending(reason, message string, args ...any) verdict {
	return verdict{metav1.ConditionUnknown, reason, fmt.Sprintf(message, args...)}
}

func wrong(reason, message string, args ...any) verdict {
	return verdict{metav1.ConditionFalse, reason, fmt.Sprintf(message, args...)}
}

// ofService says whether Apps can be bound to a service.
func ofService(s *v1alpha1.ServiceInstance, f Found) verdict {
	if s.DeletionTimestamp != nil {
		return wrong(v1alpha1.ReasonDeletionBlocked,
			"the service is to be deleted, and Apps are bound to it: `kf unbind-service APP %s`", s.Name)
	}
	_, v := credentials(f, f.Credentials, s, "ServiceInstance", s.Spec.ParametersFrom.Name)
	return v
}

// Bound is what the App gets of a binding. It is nothing unless the verdict is that all is well.
type Bound struct {
	Credentials service.Credentials
	Entry       service.Service // of VCAP_SERVICES
	Files       map[string][]byte
	Note        string // what the App does not get, and why
}

// ofBinding says what an App gets of a service, or why nothing: of the rules the first that is not met.
func ofBinding(b *v1alpha1.ServiceInstanceBinding, f Found) (Bound, verdict) {
	name := b.Spec.InstanceRef.Name
	switch {
	case b.DeletionTimestamp != nil:
		return Bound{}, wrong(v1alpha1.ReasonUnbinding, "the credentials are yet to be taken from the App")
	case f.App == nil:
		return Bound{}, wrong(v1alpha1.ReasonBoundAppNotFound, "there is no App %q: push it, or delete the binding", b.Spec.App.Name)
	case f.Service == nil:
		return Bound{}, wrong(v1alpha1.ReasonServiceNotFound, "there is no service %q: `kf services` lists them", name)
	case f.Service.DeletionTimestamp != nil:
		return Bound{}, wrong(v1alpha1.ReasonDeletionBlocked, "the service %s is being deleted: unbind the App", name)
	}
	of, v := credentials(f, f.Credentials, f.Service, "ServiceInstance", f.Service.Spec.ParametersFrom.Name)
	if v.status != "" {
		return Bound{}, v
	}
	params, v := credentials(f, f.Params, b, "ServiceInstanceBinding", b.Spec.ParametersFrom.Name)
	if v.status != "" {
		return Bound{}, v
	}
	return bound(b, fields(f.Service), of.With(params)), verdict{}
}

// bound is what an App gets of a binding with these credentials.
func bound(b *v1alpha1.ServiceInstanceBinding, fields v1alpha1.ServiceFields, all service.Credentials) Bound {
	name := b.Spec.InstanceRef.Name
	given := Bound{Credentials: all, Files: all.Files(fields.ClassName)}
	given.Entry = service.Service{
		InstanceName: name, Name: cmp.Or(b.Spec.BindingNameOverride, name), Label: fields.ClassName, Plan: fields.PlanName,
		Tags: fields.Tags, Credentials: all,
	}
	if b.Spec.BindingNameOverride != "" {
		given.Entry.BindingName = &b.Spec.BindingNameOverride
	}
	if unnamed := all.Unnamed(); len(unnamed) > 0 {
		given.Note = fmt.Sprintf("%d of the credentials are in VCAP_SERVICES only: their names can be no files'", len(unnamed))
	}
	if len(given.Files) > mostFiles {
		given.Files, given.Note = nil, fmt.Sprintf("the App has no files of it, for there are more than %d", mostFiles)
	}
	return given
}

// credentials reads those of a Secret that belongs to an object. To no other: who may make services and not read Secrets could have any
// Secret read for them.
func credentials(f Found, secret *corev1.Secret, of metav1.Object, kind, name string) (service.Credentials, verdict) {
	switch {
	case f.Refused != "":
		return nil, wrong(v1alpha1.ReasonSecretsRefused, "%s", f.Refused)
	case secret == nil:
		return nil, pending(v1alpha1.ReasonSecretMissing, "there is no Secret %s yet; who makes the %s makes it next", name, kind)
	case !metav1.IsControlledBy(secret, of):
		return nil, wrong(v1alpha1.ReasonSecretNotOwned, "the Secret %s does not belong to this %s (ownerReferences)", name, kind)
	}
	text, there := secret.Data[v1alpha1.ServiceParams]
	if !there {
		return nil, pending(v1alpha1.ReasonSecretMissing, "the Secret %s has no key %q yet", name, v1alpha1.ServiceParams)
	}
	c, err := service.ReadCredentials(text)
	if err != nil {
		return nil, wrong(v1alpha1.ReasonSecretInvalid, "the key %q of the Secret %s holds no JSON object", v1alpha1.ServiceParams, name)
	}
	return c, verdict{}
}

// fields are what VCAP_SERVICES says of a service.
func fields(s *v1alpha1.ServiceInstance) v1alpha1.ServiceFields {
	of := v1alpha1.ServiceFields{Tags: s.Spec.Tags, ClassName: v1alpha1.UserProvidedClass}
	if of.Tags == nil {
		of.Tags = []string{}
	}
	if u := s.Spec.UserProvided; u != nil {
		of.ClassName, of.PlanName = cmp.Or(u.MockClassName, of.ClassName), u.MockPlanName
	}
	return of
}

// environment puts into the data of an App's Secret what it is bound to, or takes it out where there is no entry. What it says of others
// stays. The error is what is wrong with it.
func environment(data map[string][]byte, instance string, entry *service.Service) (map[string][]byte, error) {
	v, err := service.ReadVCAP(data[service.VCAPServices])
	if err != nil {
		return nil, err
	}
	v.Unbind(instance)
	if entry != nil {
		v.Bind(*entry)
	}
	env, err := v.Environment()
	if err != nil {
		return nil, err
	}
	for name, value := range env {
		if unfit := verbatim.UnfitVariable(name, string(value)); unfit != "" {
			return nil, fmt.Errorf("%s: %s", name, unfit)
		}
	}
	for name, value := range data { // somebody else's
		if name != service.VCAPServices && name != service.DatabaseURL {
			env[name] = value
		}
	}
	return env, nil
}

// say writes a verdict as conditions: Ready, and beside it those of Kf's that say the same of a part.
func say(of metav1.Object, all *[]metav1.Condition, v verdict, note string, now time.Time, parts ...string) {
	c := metav1.Condition{Status: v.status, Reason: v.reason, Message: v.message}
	if c.Status == "" {
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonServiceReady, note
	}
	for _, part := range append(parts, v1alpha1.ConditionReady) {
		c.Type = part
		v1alpha1.SetCondition(of, all, c, now)
	}
}

// Settled says of a service or a binding whether it needs no other look now. One that is not usable gets one every ten seconds for ten
// minutes, and then one in each minute.
func Settled(o metav1.Object, observed int64, conditions []metav1.Condition, now time.Time) bool {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil || observed != o.GetGeneration():
		return false
	case ready.Status == metav1.ConditionTrue && o.GetDeletionTimestamp() == nil:
		return true
	}
	return now.Sub(ready.LastTransitionTime.Time) > 10*time.Minute && now.Second() >= 10
}

// mayNot says that Secrets of a namespace are not to be had, and what to do.
func mayNot(namespace string, err error) string {
	return fmt.Sprintf("the function bind may not use the Secrets of %[1]s (%[2]s). An object Space lets it, as does "+
		"`kubectl -n %[1]s create rolebinding kf-bind --clusterrole=kf-tasks-bind-secrets --serviceaccount=kf-tasks:bind`",
		namespace, strings.TrimSpace(err.Error()))
}
