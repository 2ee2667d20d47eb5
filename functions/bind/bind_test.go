package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/service"
)

func aService() *v1alpha1.ServiceInstance {
	s := &v1alpha1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Name: "db", Namespace: "space", UID: "service", Generation: 1}}
	s.Spec.UserProvided = &v1alpha1.UserProvidedService{}
	s.Spec.Tags = []string{"sql"}
	s.Spec.ParametersFrom.Name = v1alpha1.ServiceParamsSecret("db")
	return s
}

func aBinding() *v1alpha1.ServiceInstanceBinding {
	b := &v1alpha1.ServiceInstanceBinding{ObjectMeta: metav1.ObjectMeta{Name: "binding-shop-db", Namespace: "space", UID: "binding", Generation: 1}}
	b.Spec.App, b.Spec.InstanceRef.Name = &v1alpha1.BoundApp{Name: "shop"}, "db"
	b.Spec.ParametersFrom.Name = v1alpha1.BindingParamsSecret("shop", "db")
	return b
}

func secretOf(name string, owner metav1.Object, kind, params string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: []metav1.OwnerReference{v1alpha1.OwnedBy(owner, kind)}},
		Data: map[string][]byte{v1alpha1.ServiceParams: []byte(params)}}
}

// TestWhatAnAppGetsOfABinding, or why nothing.
func TestWhatAnAppGetsOfABinding(t *testing.T) {
	now := metav1.Now()
	for name, test := range map[string]struct {
		change func(*v1alpha1.ServiceInstanceBinding, *Found)
		reason string
		status metav1.ConditionStatus
	}{
		"all there":           {func(*v1alpha1.ServiceInstanceBinding, *Found) {}, "", ""},
		"no App":              {func(_ *v1alpha1.ServiceInstanceBinding, f *Found) { f.App = nil }, v1alpha1.ReasonBoundAppNotFound, "False"},
		"no service":          {func(_ *v1alpha1.ServiceInstanceBinding, f *Found) { f.Service = nil }, v1alpha1.ReasonServiceNotFound, "False"},
		"a service that goes": {func(_ *v1alpha1.ServiceInstanceBinding, f *Found) { f.Service.DeletionTimestamp = &now }, v1alpha1.ReasonDeletionBlocked, "False"},
		"no credentials yet":  {func(_ *v1alpha1.ServiceInstanceBinding, f *Found) { f.Credentials = nil }, v1alpha1.ReasonSecretMissing, "Unknown"},
		"no parameters yet":   {func(_ *v1alpha1.ServiceInstanceBinding, f *Found) { f.Params = nil }, v1alpha1.ReasonSecretMissing, "Unknown"},
		"an empty Secret":     {func(_ *v1alpha1.ServiceInstanceBinding, f *Found) { f.Params.Data = nil }, v1alpha1.ReasonSecretMissing, "Unknown"},
		"no JSON object":      {func(_ *v1alpha1.ServiceInstanceBinding, f *Found) { f.Credentials.Data["params"] = []byte("hunter2") }, v1alpha1.ReasonSecretInvalid, "False"},
		"no right":            {func(_ *v1alpha1.ServiceInstanceBinding, f *Found) { f.Refused = "no" }, v1alpha1.ReasonSecretsRefused, "False"},
		"another's Secret":    {func(_ *v1alpha1.ServiceInstanceBinding, f *Found) { f.Credentials.OwnerReferences = nil }, v1alpha1.ReasonSecretNotOwned, "False"},
		"a predecessor's":     {func(_ *v1alpha1.ServiceInstanceBinding, f *Found) { f.Params.OwnerReferences[0].UID = "other" }, v1alpha1.ReasonSecretNotOwned, "False"},
		"unbound":             {func(b *v1alpha1.ServiceInstanceBinding, _ *Found) { b.DeletionTimestamp = &now }, v1alpha1.ReasonUnbinding, "False"},
	} {
		b, s := aBinding(), aService()
		f := Found{Service: s, App: &v1alpha1.App{}, Credentials: secretOf(s.Spec.ParametersFrom.Name, s, "ServiceInstance", `{"uri":"postgres://h","role":"all"}`),
			Params: secretOf(b.Spec.ParametersFrom.Name, b, "ServiceInstanceBinding", `{"role":"reader"}`)}
		test.change(b, &f)
		given, v := ofBinding(b, f)
		if v.reason != test.reason || v.status != test.status || strings.Contains(v.message, "hunter2") {
			t.Errorf("%s: %+v", name, v)
		}
		if v.status == "" && (string(given.Files["role"]) != "reader" || given.Entry.Label != "user-provided" || given.Entry.Tags[0] != "sql" || given.Entry.BindingName != nil) {
			t.Errorf("%s: %+v", name, given)
		}
	}
}

// TestTheEnvironmentKeepsWhatIsOthers, and loses what is unbound.
func TestTheEnvironmentKeepsWhatIsOthers(t *testing.T) {
	old := map[string][]byte{"VCAP_SERVICES": []byte(`{"sql":[{"name":"their","instance_name":"their","label":"sql","tags":[],"credentials":{}}]}`), "OTHER": []byte("x")}
	entry := &service.Service{InstanceName: "db", Name: "db", Label: "user-provided", Tags: []string{}, Credentials: service.Credentials{"uri": json.RawMessage(`"postgres://h"`)}}
	env, err := environment(old, "db", entry)
	if err != nil || string(env["DATABASE_URL"]) != "postgres://h" || string(env["OTHER"]) != "x" || !strings.Contains(string(env["VCAP_SERVICES"]), `"their"`) {
		t.Errorf("%s %v", env, err)
	}
	env, err = environment(env, "db", nil)
	if _, there := env["DATABASE_URL"]; err != nil || there || strings.Contains(string(env["VCAP_SERVICES"]), `"db"`) || !strings.Contains(string(env["VCAP_SERVICES"]), `"their"`) {
		t.Errorf("%s %v", env, err)
	}
	entry.Credentials["large"] = json.RawMessage(`"` + strings.Repeat("hunter2", 20<<10) + `"`)
	if _, err := environment(nil, "db", entry); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("an environment that no process can have: %v", err)
	}
	if _, err := environment(map[string][]byte{"VCAP_SERVICES": []byte(`hunter2`)}, "db", entry); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("one that can't be read: %v", err)
	}
}

// TestEachBindingHasADirectoryOfItsOwn, whatever its name.
func TestEachBindingHasADirectoryOfItsOwn(t *testing.T) {
	files := map[string][]byte{"uri": nil, "type": nil}
	named := func(name, instance, override string) *v1alpha1.ServiceInstanceBinding {
		b := aBinding()
		b.Name, b.Spec.InstanceRef.Name, b.Spec.BindingNameOverride = name, instance, override
		return b
	}
	all := placed(nil, named("binding-shop-db", "db", ""), files)
	all = placed(all, named("binding-shop-second", "second", "db"), files)       // its name is taken
	all = placed(all, named("binding-shop-third", "third", "Primary DB"), files) // which is no directory's
	all = placed(all, named("binding-shop-none", "none", ""), nil)
	var names []string
	for _, a := range all {
		names = append(names, a.Name)
	}
	if got := strings.Join(names, " "); got != "db second third" || all[0].Keys[0] != "type" || all[0].Secret != "files-binding-shop-db" {
		t.Errorf("%s: %+v", got, all)
	}
	if again := placed(all, named("binding-shop-db", "db", ""), files); len(again) != 3 {
		t.Errorf("once more: %+v", again)
	}
	if left := placed(all, named("binding-shop-db", "db", ""), nil); len(left) != 2 {
		t.Errorf("unbound: %+v", left)
	}
}

// TestWhatIsNotUsableIsLookedAtSeldomInTheEnd.
func TestWhatIsNotUsableIsLookedAtSeldomInTheEnd(t *testing.T) {
	at := func(s string) time.Time { when, _ := time.Parse(time.TimeOnly, s); return when }
	for name, test := range map[string]struct {
		verdict verdict
		seen    int64
		now     string
		settled bool
	}{
		"usable":                     {verdict{}, 1, "12:00:00", true},
		"changed":                    {verdict{}, 0, "12:00:00", false},
		"not usable":                 {pending("SecretMissing", ""), 1, "12:05:30", false},
		"for long":                   {pending("SecretMissing", ""), 1, "12:15:30", true},
		"for long, once in a minute": {pending("SecretMissing", ""), 1, "12:15:05", false},
	} {
		s := aService()
		say(s, &s.Status.Conditions, test.verdict, "", at("12:00:00"))
		if got := Settled(s, test.seen, s.Status.Conditions, at(test.now)); got != test.settled {
			t.Errorf("%s: %v", name, got)
		}
	}
}
