package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	authv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// systemNamespace is where the functions are.
const systemNamespace = "kf-tasks"

// finding is what became of one check.
type finding struct {
	part, state, advice string
}

// States of a finding. Who may not look at a part learns that, and nothing of the part.
const (
	stateOK     = "ok"
	stateFails  = "FAILS"
	stateUnseen = "not seen"
)

// checks are the parts of an installation in the order in which one needs the other.
var checks = []struct {
	part  string
	check func(*doctor, context.Context) []finding
}{
	{"the cluster answers", (*doctor).cluster},
	{"the kinds that it must know", (*doctor).kinds},
	{"what the API server refuses", (*doctor).policies},
	{"the functions", (*doctor).functions},
	{"what brings events to them", (*doctor).events},
	{"the Space", (*doctor).inSpace},
	{"your rights in it", (*doctor).rights},
}

// doctor looks at an installation.
type doctor struct {
	*target
	kube    kubernetes.Interface
	objects dynamic.Interface
}

func newDoctor(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check the installation part by part, and say what to do",
		Long: `doctor looks at all that a Task needs on its way: the cluster, the kinds that it must know, the functions, what brings
events to them, the Space, and your rights in it. It changes nothing, and exits with 1 if a part fails.`,
		Example: `  kf doctor
  kf doctor -n shop-production`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			d := &doctor{target: t}
			if err := t.connect(); err != nil {
				return err
			}
			if d.kube, err = kubernetes.NewForConfig(t.cfg); err != nil {
				return err
			}
			if d.objects, err = dynamic.NewForConfig(t.cfg); err != nil {
				return err
			}
			return d.look(cmd.Context())
		},
	}
}

func (d *doctor) look(ctx context.Context) error {
	rows, failed := [][]string{{"Part", "State", "What to do"}}, 0
	var whole []finding // what a table cuts
	for _, c := range checks {
		found := c.check(d, ctx)
		for _, f := range found {
			if f.state == stateFails {
				failed++
			}
			if inert.Columns(f.advice) > widest {
				whole = append(whole, f)
			}
			rows = append(rows, []string{f.part, f.state, f.advice})
		}
		if c.part == checks[0].part && failed > 0 {
			break // nothing else can be asked
		}
	}
	if err := d.table(rows); err != nil {
		return err
	}
	for _, f := range whole {
		d.printf("\n%s: %s\n", f.part, f.advice)
	}
	if failed == 1 {
		return errors.New("1 part fails")
	}
	if failed > 0 {
		return fmt.Errorf("%d parts fail: begin with the first", failed)
	}
	return nil
}

// of is the finding of a part that an error, or none, was the answer to.
func of(part string, err error, help string) finding {
	switch {
	case err == nil:
		return finding{part, stateOK, ""}
	case apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err):
		return finding{part, stateUnseen, "your rights do not show it; ask who administers the cluster"}
	}
	return finding{part, stateFails, fmt.Sprintf("%v: %s", err, help)}
}

// cluster: the API server is there, and new enough to select by fields of custom resources.
func (d *doctor) cluster(context.Context) []finding {
	info, err := d.kube.Discovery().ServerVersion()
	if err == nil {
		var has *version.Version
		if has, err = version.ParseGeneric(info.GitVersion); err == nil && has.LessThan(version.MustParseGeneric("1.32")) {
			err = fmt.Errorf("Kubernetes is %s", info.GitVersion)
		}
	}
	return []finding{of("Kubernetes 1.32 or newer", err, "set the right context (kubectl config get-contexts), or update the cluster")}
}

// kinds: each API that the functions use is served.
func (d *doctor) kinds(context.Context) (found []finding) {
	for _, need := range []struct{ group, kinds, help string }{
		{"kf.dev/v1alpha1", "apps tasks taskschedules webhooks spaces", "install kf-tasks: make deploy, or kubectl apply -f kf-tasks.yaml"},
		{"tekton.dev/v1", "pipelineruns taskruns", "install Tekton Pipelines 1.0 or newer"},
		{"serving.knative.dev/v1", "services", "install Knative Serving 1.15 or newer, with an ingress"},
		{"eventing.knative.dev/v1", "brokers triggers", "install Knative Eventing 1.15 or newer, with a Broker class"},
		{"sources.knative.dev/v1", "pingsources apiserversources", "install Knative Eventing 1.15 or newer"},
	} {
		list, err := d.kube.Discovery().ServerResourcesForGroupVersion(need.group)
		for _, kind := range strings.Fields(need.kinds) {
			if err == nil && !slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == kind }) {
				err = fmt.Errorf("there are no %s", kind)
			}
		}
		found = append(found, of(need.group, err, need.help))
	}
	return found
}

// policies: without them nothing is refused, and nobody would notice.
func (d *doctor) policies(ctx context.Context) []finding {
	for _, name := range []string{
		"kf-tasks-one-start", "kf-tasks-marked", "kf-tasks-app-unfit", "kf-tasks-requested-by", "kf-tasks-space-namespaces",
	} {
		_, err := d.kube.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(ctx, name, metav1.GetOptions{})
		if err == nil {
			_, err = d.kube.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Get(ctx, name, metav1.GetOptions{})
		}
		if err != nil {
			return []finding{of("ValidatingAdmissionPolicy "+name, err, "install kf-tasks: make deploy, or kubectl apply -f kf-tasks.yaml")}
		}
	}
	return []finding{of("ValidatingAdmissionPolicies", nil, "")}
}

// functions of this project, which test/drift holds to the folder of their name.
var functions = []string{
	"archive", "bind", "build", "command", "deadletter", "logs", "prune", "runtask", "space", "start", "status", "terminate", "tick",
	"wait", "web", "webhook",
}

// functions: each is deployed and Ready.
func (d *doctor) functions(ctx context.Context) []finding {
	return d.ready(ctx, "function", schema.GroupVersionResource{Group: "serving.knative.dev", Version: "v1", Resource: "services"},
		functions,
		"kubectl -n kf-tasks describe ksvc NAME; its Pods' log says more")
}

// events: each source, Broker and Trigger is Ready.
func (d *doctor) events(ctx context.Context) (found []finding) {
	for _, kind := range []struct{ group, version, resource, name string }{
		{"eventing.knative.dev", "v1", "brokers", "Broker"},
		{"eventing.knative.dev", "v1", "triggers", "Trigger"},
		{"sources.knative.dev", "v1", "pingsources", "PingSource"},
		{"sources.knative.dev", "v1", "apiserversources", "ApiServerSource"},
	} {
		resource := schema.GroupVersionResource{Group: kind.group, Version: kind.version, Resource: kind.resource}
		found = append(found, d.ready(ctx, kind.name, resource, nil, "kubectl -n kf-tasks describe "+kind.resource+" NAME")...)
	}
	return found
}

// ready is a finding for each object of a kind in the system's namespace that is not Ready, or for all of them if they are;
// and one for each that must be there and is not.
func (d *doctor) ready(ctx context.Context, what string, kind schema.GroupVersionResource, must []string, help string) (found []finding) {
	list, err := d.objects.Resource(kind).Namespace(systemNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return []finding{of(what+"s", err, "install kf-tasks: make deploy")}
	}
	there := map[string]bool{}
	for _, o := range list.Items {
		there[o.GetName()] = true
		if why := notReady(o); why != "" {
			found = append(found, of(what+" "+o.GetName(), errors.New(why), strings.ReplaceAll(help, "NAME", o.GetName())))
		}
	}
	for _, name := range must {
		if !there[name] {
			found = append(found, of(what+" "+name, errors.New("it is not there"), "install kf-tasks: make deploy"))
		}
	}
	if len(list.Items) == 0 && must == nil {
		found = append(found, of(what+"s", errors.New("there are none"), "install kf-tasks: make deploy"))
	}
	if len(found) == 0 {
		found = append(found, finding{fmt.Sprintf("%ss (%d)", what, len(list.Items)), stateOK, ""})
	}
	return found
}

// notReady is what keeps an object of Knative's from being Ready, in its own words.
func notReady(o unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		if condition["type"] != "Ready" {
			continue
		}
		if condition["status"] == "True" {
			return ""
		}
		reason, _ := condition["reason"].(string)
		message, _ := condition["message"].(string)
		return cmp.Or(strings.TrimSpace(reason+" "+message), "it is not Ready")
	}
	return "nobody has looked at it yet"
}

// inSpace: the namespace is there and is not about to go, and its Apps are settled.
func (d *doctor) inSpace(ctx context.Context) (found []finding) {
	space, err := d.kube.CoreV1().Namespaces().Get(ctx, d.space, metav1.GetOptions{})
	if err == nil && space.DeletionTimestamp != nil {
		err = errors.New("it is being deleted")
	}
	found = append(found, of("Space "+d.space, err, "kf target SPACE chooses another; kubectl create namespace makes one"))
	settings, err := client.Find(ctx, d.kf.Spaces(), "", d.space)
	if err == nil && settings != nil {
		if why := whyNotReady(settings.Status.Conditions, "space"); why != "" {
			err = errors.New(why)
		}
	}
	found = append(found, of("its settings", err, "kf space "+d.space))
	apps, err := d.kf.Apps(d.space).List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		return append(found, of("its Apps", err, "is kf-tasks installed?"))
	}
	ready := 0
	for _, app := range apps.Items {
		if why := whyNotReady(app.Status.Conditions, "build"); why != "" {
			found = append(found, of("App "+app.Name, errors.New(why), "kf push "+app.Name+" --task --docker-image IMAGE"))
		} else {
			ready++
		}
	}
	return append(found, finding{fmt.Sprintf("its Apps that can run Tasks (%d)", ready), stateOK, ""})
}

// whyNotReady is what an App or a Space says of itself; "" if it can be used. The function is the one that looks at it.
func whyNotReady(conditions []metav1.Condition, function string) string {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case c == nil:
		return "the function " + function + " has not looked at it"
	case c.Status == metav1.ConditionTrue:
		return ""
	}
	return c.Reason + " " + c.Message
}

// rights: what the commands of this program need.
func (d *doctor) rights(ctx context.Context) (found []finding) {
	var lacks []string
	for _, right := range []authv1.ResourceAttributes{
		{Verb: "create", Group: "kf.dev", Resource: "tasks"}, {Verb: "patch", Group: "kf.dev", Resource: "tasks"},
		{Verb: "create", Group: "kf.dev", Resource: "taskschedules"}, {Verb: "patch", Group: "kf.dev", Resource: "apps"},
		{Verb: "get", Resource: "pods", Subresource: "log"},
	} {
		right.Namespace = d.space
		answer, err := d.kube.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx,
			&authv1.SelfSubjectAccessReview{Spec: authv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &right}}, metav1.CreateOptions{})
		if err != nil {
			return []finding{of("your rights", err, "can they be asked for?")}
		}
		if !answer.Status.Allowed {
			lacks = append(lacks, strings.TrimSuffix(right.Verb+" "+right.Resource+"/"+right.Subresource, "/"))
		}
	}
	if lacks == nil {
		return []finding{{"your rights in " + d.space, stateOK, ""}}
	}
	return []finding{of("your rights in "+d.space, fmt.Errorf("you may not %s", strings.Join(lacks, ", ")),
		fmt.Sprintf("kubectl -n %s create rolebinding NAME --clusterrole=edit --user=YOU, by who administers it", d.space))}
}
