// rights compares what config/ grants the functions' accounts with what they asked the API server for, by its audit logs:
// `make check-rights`, after the tests have run.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

// demanded are rights that are had because somebody else asks whether they are there, or for API servers older than the tests'.
var demanded = map[Right]string{}

func init() {
	for account, resource := range map[string]string{"runtask": "tasks", "tick": "taskschedules"} {
		demanded[Right{account, "delete", "kf.dev", resource}] = "OwnerReferencesPermissionEnforcement asks for it of who adds an owner"
	}
	demanded[Right{"space", "bind", "rbac.authorization.k8s.io", "clusterroles"}] = "the API server looks for it in who makes a RoleBinding"
	demanded[Right{"wait", "list", "kf.dev", "tasks"}] = "an API server that can't list by a watch is asked for a list (WatchList)"
	for resource, group := range map[string]string{"apps": "kf.dev", "tasks": "kf.dev", "taskschedules": "kf.dev", "spaces": "kf.dev", "serviceinstances": "kf.dev",
		"serviceinstancebindings": "kf.dev", "pipelineruns": "tekton.dev", "pods": ""} {
		for _, verb := range []string{"get", "list"} { // it watches; what it lists, where the API server can, by the watch
			demanded[Right{"source", verb, group, resource}] = "an ApiServerSource is Ready only with it"
		}
	}
}

// refusable are refusals that belong to the work.
var refusable = map[Right]string{
	{"build", "get", "", "serviceaccounts"}: "asks, and does without where a Space grants none",
	{"build", "get", "", "secrets"}:         "asks, and does without where a Space grants none",
	{"bind", "get", "", "secrets"}:          "asks, and says on the binding what to do where a Space grants none",
	{"webhook", "get", "", "secrets"}:       "asks, and answers 503 where a Space grants none",
	{"prune", "list", "", "pods"}:           "asks, and is to be asked again, without config/options/prune-pods",
}

// bySpaces are the roles that config/ binds to nobody, and who a Space binds them to.
var bySpaces = map[string]string{"kf-tasks-build-pull": "build", "kf-tasks-bind-secrets": "bind"}

const accounts = "system:serviceaccount:kf-tasks:"

func main() {
	if err := check(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(logs []string) error {
	files, err := filepath.Glob("config/rbac/*.yaml")
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no config/rbac here: run it in the repository's folder (%w)", err)
	}
	options, err := filepath.Glob("config/options/*/rbac.yaml")
	if err != nil {
		return err
	}
	granted, err := grants(append(files, options...))
	if err != nil {
		return err
	}
	asked := map[Right]Asked{}
	for _, log := range logs {
		if err := read(log, asked); err != nil {
			return fmt.Errorf("%s: %w; it is written while `make test` and `make e2e` run", log, err)
		}
	}
	table, wrong := Compare(granted, asked, demanded, refusable)
	fmt.Println(strings.Join(table, "\n"))
	if len(wrong) > 0 {
		return errors.New("\n" + strings.Join(wrong, "\n"))
	}
	fmt.Printf("\n%d rights granted, all of them used; none refused that should not be\n", len(granted))
	return nil
}

// grants are the rights that files of config/ give to accounts.
func grants(files []string) ([]Right, error) {
	roles, holders := map[string][]rbacv1.PolicyRule{}, map[string][]string{}
	for role, account := range bySpaces {
		holders[role] = []string{account}
	}
	hold := func(role string, subjects []rbacv1.Subject) {
		for _, s := range subjects {
			if s.Kind == rbacv1.ServiceAccountKind && s.Namespace == "kf-tasks" {
				holders[role] = append(holders[role], s.Name)
			}
		}
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, doc := range strings.Split(string(b), "\n---\n") {
			obj, _, err := scheme.Codecs.UniversalDeserializer().Decode([]byte(doc), nil, nil)
			if err != nil {
				if strings.HasSuffix(file, "kustomization.yaml") || !strings.Contains(doc, "rbac.authorization.k8s.io") {
					continue
				}
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			switch o := obj.(type) {
			case *rbacv1.ClusterRole:
				roles[o.Name] = o.Rules
			case *rbacv1.Role:
				roles[o.Name] = o.Rules
			case *rbacv1.ClusterRoleBinding:
				hold(o.RoleRef.Name, o.Subjects)
			case *rbacv1.RoleBinding:
				hold(o.RoleRef.Name, o.Subjects)
			}
		}
	}
	var granted []Right
	for role, names := range holders {
		for _, account := range names {
			for _, rule := range roles[role] {
				granted = append(granted, spread(account, rule)...)
			}
		}
	}
	return granted, nil
}

func spread(account string, rule rbacv1.PolicyRule) (rights []Right) {
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				rights = append(rights, Right{account, verb, group, resource})
			}
		}
	}
	return rights
}

// event is what is read of an audit event (audit.k8s.io/v1).
type event struct {
	Stage     string
	Verb      string
	User      struct{ Username string }
	ObjectRef struct{ APIGroup, Resource, Subresource string }
	// RequestObject is kept of what has owners, by the policy of test/cluster/internal/parts.
	RequestObject  struct{ Metadata metav1.ObjectMeta }
	ResponseStatus struct{ Message string }
	Annotations    map[string]string
}

// read adds up an audit log.
func read(file string, asked map[Right]Asked) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var e event
		switch err := d.Decode(&e); {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF): // the last line may be under way
			return nil
		case err != nil:
			return err
		}
		add(e, asked)
	}
}

// add counts what one request asked for. A watch is told of when it begins, and again when it ends.
func add(e event, asked map[Right]Asked) {
	account, ours := strings.CutPrefix(e.User.Username, accounts)
	if !ours || (e.Verb == "watch") != (e.Stage == "ResponseStarted") {
		return
	}
	r := Right{account, e.Verb, e.ObjectRef.APIGroup, e.ObjectRef.Resource}
	if e.ObjectRef.Subresource != "" {
		r.Resource += "/" + e.ObjectRef.Subresource
	}
	switch n := asked[r]; {
	case e.Annotations["authorization.k8s.io/decision"] == "forbid":
		n.Refused++
		asked[r] = n
		return
	case !strings.Contains(e.Annotations["authorization.k8s.io/reason"], `"kf-tasks-`):
		return // a right that everybody has, or one that Knative gave
	default:
		n.Used++
		asked[r] = n
	}
	for _, owner := range e.RequestObject.Metadata.OwnerReferences {
		if owner.BlockOwnerDeletion == nil || !*owner.BlockOwnerDeletion {
			continue
		}
		group, _, _ := strings.Cut(owner.APIVersion, "/")
		r := Right{account, "update", group, strings.ToLower(owner.Kind) + "s/finalizers"}
		n := asked[r]
		if strings.Contains(e.ResponseStatus.Message, "cannot set blockOwnerDeletion") {
			n.Refused++
		} else {
			n.Used++
		}
		asked[r] = n
	}
}
