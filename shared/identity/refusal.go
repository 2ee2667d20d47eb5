package identity

import (
	"fmt"
	"strings"

	shellquote "github.com/kballard/go-shellquote"
	authz "k8s.io/api/authorization/v1"
)

const (
	// ownNamespace is where this project's Broker and Triggers are.
	ownNamespace = "kf-tasks"
	// webhook is the account of the function webhook, which nothing else has: a Space may let it command.
	webhook = "webhook"
)

// Refusal tells who may not do what, and how an administrator of the Space could allow it; of a user without a name, how to
// say who it is, by a token for the audience.
func Refusal(user, audience string, act authz.ResourceAttributes) error {
	if user == "" {
		return fmt.Errorf("to %s %s in namespace %s by an event, send it with a bearer token: "+
			"kubectl -n %[3]s create token ACCOUNT --audience %[4]s", act.Verb, act.Resource, act.Namespace, audience)
	}
	what := act.Resource
	if act.Name != "" {
		what = strings.TrimSuffix(what, "s") + " " + act.Name
	}
	refused := fmt.Sprintf("%s may not %s %s in namespace %s", user, act.Verb, what, act.Namespace)
	namespace, account, isAccount := serviceAccount(user)
	subject := shellquote.Join("--user=" + user)
	switch {
	case isAccount && namespace == ownNamespace && account != webhook: // to allow it would allow whoever may post to the Broker
		return fmt.Errorf("%s: the Broker of %s does not say who posted; post to the function itself with a token, "+
			"or by a Trigger of your own", refused, ownNamespace)
	case isAccount:
		subject = "--serviceaccount=" + namespace + ":" + account
	}
	return fmt.Errorf("%s: its administrator may allow that: kubectl -n %s create rolebinding commanders "+
		"--clusterrole=kf-tasks-commander %s", refused, act.Namespace, subject)
}

// Sender is a user as one of many that it may be: who can make accounts of a namespace can make them without end.
func Sender(user string) string {
	if namespace, _, ok := serviceAccount(user); ok {
		return "system:serviceaccounts:" + namespace // the group of all of them
	}
	return user
}

// serviceAccount takes the user name of a service account apart (k8s.io/apiserver pkg/authentication/serviceaccount).
func serviceAccount(user string) (namespace, name string, ok bool) {
	rest, ok := strings.CutPrefix(user, "system:serviceaccount:")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, ":")
}
