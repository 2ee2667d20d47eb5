package identity

import (
	"strings"
	"testing"

	authz "k8s.io/api/authorization/v1"
)

// TestARefusalSaysWhatToDo: in words that can be pasted, whoever is refused.
func TestARefusalSaysWhatToDo(t *testing.T) {
	run := authz.ResourceAttributes{Verb: "create", Namespace: "shop", Resource: "tasks"}
	stop := authz.ResourceAttributes{Verb: "patch", Namespace: "shop", Resource: "tasks", Name: "t"}
	for _, c := range []struct {
		user string
		act  authz.ResourceAttributes
		want []string
	}{
		{"", run, []string{"bearer token", "kubectl -n shop create token ACCOUNT --audience kf-tasks-command"}},
		{"system:serviceaccount:billing:poster", run, []string{"system:serviceaccount:billing:poster may not create tasks in namespace shop",
			"kubectl -n shop create rolebinding commanders --clusterrole=kf-tasks-commander --serviceaccount=billing:poster"}},
		{"jane", stop, []string{"jane may not patch task t in namespace shop", " --user=jane"}},
		{"jane; rm -rf ~", run, []string{"'--user=jane; rm -rf ~'"}},
		{"system:serviceaccount:kf-tasks:webhook", run, []string{" --serviceaccount=kf-tasks:webhook"}},
		{"system:serviceaccount:kf-tasks:command-oidc-eventing.knative.dev-trigger", run, []string{"does not say who posted"}},
	} {
		err := Refusal(c.user, "kf-tasks-command", c.act)
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", c.user, err, want)
			}
		}
	}
}
