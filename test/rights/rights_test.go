package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCompareFindsWhatIsTooMuchAndTooLittle(t *testing.T) {
	get, list, patch := Right{"build", "get", "kf.dev", "apps"}, Right{"build", "list", "kf.dev", "apps"}, Right{"build", "patch", "kf.dev", "apps/status"}
	for name, c := range map[string]struct {
		granted   []Right
		asked     map[Right]Asked
		demanded  map[Right]string
		refusable map[Right]string
		want      []string
	}{
		"all used":                          {[]Right{get, list}, map[Right]Asked{get: {Used: 1}, list: {Used: 9}}, nil, nil, nil},
		"one unused":                        {[]Right{get, list}, map[Right]Asked{get: {Used: 1}}, nil, nil, []string{"build      list   apps.kf.dev: granted"}},
		"one refused":                       {[]Right{get}, map[Right]Asked{get: {Used: 1}, patch: {Refused: 2}}, nil, nil, []string{"build      patch  apps/status.kf.dev: refused 2"}},
		"refused once":                      {[]Right{get}, map[Right]Asked{get: {Used: 1, Refused: 1}}, nil, nil, []string{"build      get    apps.kf.dev: refused 1"}},
		"somebody asks whether it is there": {[]Right{get}, nil, map[Right]string{get: "Knative"}, nil, nil},
		"may be refused":                    {[]Right{get}, map[Right]Asked{get: {Used: 1}, patch: {Refused: 2}}, nil, map[Right]string{patch: "by a test"}, nil},
		"may be refused, and always was": {[]Right{get}, map[Right]Asked{get: {Refused: 2}}, nil, map[Right]string{get: "by a test"},
			[]string{"build      get    apps.kf.dev: granted"}},
	} {
		_, wrong := Compare(c.granted, c.asked, c.demanded, c.refusable)
		if !slices.EqualFunc(wrong, c.want, strings.HasPrefix) {
			t.Errorf("%s: %q, want %q", name, wrong, c.want)
		}
	}
}

// TestWhatAnAuditLogSays: who asked is told by the account, what gave the right by the role, and an owner that waits by the object.
func TestWhatAnAuditLogSays(t *testing.T) {
	const (
		runtask = `"user": {"username": "system:serviceaccount:kf-tasks:runtask"}, `
		allowed = `"annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "RBAC: allowed by ClusterRoleBinding \"x\" of ClusterRole \"kf-tasks-runtask\""}}`
		forbid  = `"annotations": {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": ""}}`
		basic   = `"annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "RBAC: allowed by ClusterRoleBinding \"system:basic-user\""}}`
		creates = `{"stage": "ResponseComplete", "verb": "create", "objectRef": {"resource": "pipelineruns", "apiGroup": "tekton.dev"}, ` +
			`"requestObject": {"metadata": {"ownerReferences": [{"apiVersion": "kf.dev/v1alpha1", "kind": "Task", "blockOwnerDeletion": true}]}}, ` + runtask
	)
	log := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(log, []byte(strings.Join([]string{
		`{"stage": "ResponseComplete", "verb": "get", "objectRef": {"resource": "tasks", "apiGroup": "kf.dev"}, ` + runtask + allowed,
		`{"stage": "ResponseStarted", "verb": "watch", "objectRef": {"resource": "pods"}, ` + runtask + allowed,
		`{"stage": "ResponseComplete", "verb": "watch", "objectRef": {"resource": "pods"}, ` + runtask + allowed,
		`{"stage": "ResponseComplete", "verb": "patch", "objectRef": {"resource": "tasks", "subresource": "status", "apiGroup": "kf.dev"}, ` + runtask + forbid,
		`{"stage": "ResponseComplete", "verb": "create", "objectRef": {"resource": "selfsubjectreviews", "apiGroup": "authentication.k8s.io"}, ` + runtask + basic,
		`{"stage": "ResponseComplete", "verb": "get", "objectRef": {"resource": "tasks"}, "user": {"username": "system:serviceaccount:team:runtask"}, ` + allowed,
		creates + allowed,
		creates + `"responseStatus": {"message": "cannot set blockOwnerDeletion if ..."}, ` + allowed,
		`{"stage": "ResponseCompl`, // it is being written
	}, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	got := map[Right]Asked{}
	if err := read(log, got); err != nil {
		t.Fatal(err)
	}
	want := map[Right]Asked{
		{"runtask", "get", "kf.dev", "tasks"}:               {Used: 1},
		{"runtask", "watch", "", "pods"}:                    {Used: 1},
		{"runtask", "patch", "kf.dev", "tasks/status"}:      {Refused: 1},
		{"runtask", "create", "tekton.dev", "pipelineruns"}: {Used: 2},
		{"runtask", "update", "kf.dev", "tasks/finalizers"}: {Used: 1, Refused: 1},
	}
	for r, n := range want {
		if got[r] != n {
			t.Errorf("%s: %+v, want %+v", r, got[r], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
}

// TestNoFunctionReadsSecretsOfAllNamespaces, nor writes what decides who may do what.
func TestNoFunctionReadsSecretsOfAllNamespaces(t *testing.T) {
	files, err := filepath.Glob("../../config/rbac/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	granted, err := grants(files)
	if err != nil || len(granted) < 40 {
		t.Fatal(len(granted), err)
	}
	for _, r := range granted {
		switch {
		case r.Account == bySpaces["kf-tasks-build-pull"] && r.Verb == "get" && (r.Resource == "secrets" || r.Resource == "serviceaccounts"): // where a Space grants it
		case r.Account == bySpaces["kf-tasks-bind-secrets"] && r.Resource == "secrets" && (r.Verb == "get" || r.Verb == "create" || r.Verb == "update"): // the same
		case r.Account == "runtask" && r.Verb == "get" && r.Resource == "serviceaccounts": // whether it is there: of Secrets it has names at most
		case r.Verb == "*" || r.Group == "*" || r.Resource == "*" || r.Verb == "escalate" || r.Verb == "bind" || r.Verb == "impersonate",
			r.Resource == "secrets", r.Resource == "serviceaccounts", r.Resource == "serviceaccounts/token", r.Resource == "pods/exec",
			r.Group == "rbac.authorization.k8s.io":
			t.Errorf("%s is granted in all namespaces", r)
		}
	}
}
