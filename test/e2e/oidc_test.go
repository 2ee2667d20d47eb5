package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	authn "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

var (
	sinks    = schema.GroupVersionResource{Group: "sinks.knative.dev", Version: "v1alpha1", Resource: "jobsinks"}
	policies = schema.GroupVersionResource{Group: "eventing.knative.dev", Version: "v1alpha1", Resource: "eventpolicies"}
)

// oidc says whether the cluster's Eventing asks who sends.
func (w *world) oidc(t *testing.T) bool {
	t.Helper()
	features, err := w.Kube.CoreV1().ConfigMaps("knative-eventing").Get(ctx, "config-features", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return features.Data["authentication-oidc"] == "enabled"
}

// newOIDCWorld is a world on our own cluster with OIDC on, as it is unless somebody turns it off.
func newOIDCWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	if os.Getenv("CLUSTER") == "existing" {
		t.Skip("the cluster is not ours, and its Services may not be reached from here")
	}
	if !w.oidc(t) {
		t.Skip("Eventing's OIDC is off (make e2e OIDC=off): whoever reaches the Broker may post")
	}
	return w
}

// audience is whom a token for an addressable is for; "" with OIDC off.
func (w *world) audience(t *testing.T, gvr schema.GroupVersionResource, namespace, name string) string {
	t.Helper()
	o, err := w.dynamic(t).Resource(gvr).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	audience, _, _ := unstructured.NestedString(o.Object, "status", "address", "audience")
	return audience
}

// token is an account's for an audience; for none, it is one that nobody asks for.
func (w *world) token(t *testing.T, namespace, account, audience string) string {
	t.Helper()
	if audience == "" {
		return "none"
	}
	r, err := w.Kube.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account,
		&authn.TokenRequest{Spec: authn.TokenRequestSpec{Audiences: []string{audience}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Status.Token
}

// policy lets senders post to an addressable of the Space.
func (w *world) policy(t *testing.T, kind, version, name string, senders ...string) {
	t.Helper()
	var from []any
	for _, s := range senders {
		from = append(from, map[string]any{"sub": s})
	}
	put(t, w.dynamic(t), policies, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "eventing.knative.dev/v1alpha1", "kind": "EventPolicy", "metadata": map[string]any{"name": "to-" + name, "namespace": w.space},
		"spec": map[string]any{"to": []any{map[string]any{"ref": map[string]any{"apiVersion": version, "kind": kind, "name": name}}}, "from": from},
	}})
}

// trigger makes a Broker of the Space and a Trigger on it that sends to a function of ours with a token for it. What it could not
// deliver is kept.
func (w *world) trigger(t *testing.T, function string) (broker string) {
	t.Helper()
	d := w.dynamic(t)
	w.keep(t)
	put(t, d, brokers, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "metadata": map[string]any{"name": "own", "namespace": w.space},
	}})
	put(t, d, triggers, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "metadata": map[string]any{"name": "commands", "namespace": w.space},
		"spec": map[string]any{
			"broker":     "own",
			"subscriber": map[string]any{"uri": "http://" + function + ".kf-tasks.svc.cluster.local", "audience": "kf-tasks-" + function},
			"delivery":   map[string]any{"retry": int64(5), "backoffPolicy": "linear", "backoffDelay": "PT1S", "deadLetterSink": w.keeper()},
		},
	}})
	return w.space + "/own"
}

// ownBroker is a Broker of the Space whose Trigger may command it, as docs/events.md shows.
func (w *world) ownBroker(t *testing.T) string {
	t.Helper()
	if _, err := w.Kube.RbacV1().Roles(w.space).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "commands"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"kf.dev"}, Resources: []string{"tasks"}, Verbs: []string{"create", "patch"}},
	}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Kube.RbacV1().RoleBindings(w.space).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "commands"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "commands"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "commands-oidc-eventing.knative.dev-trigger", Namespace: w.space}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return w.trigger(t, "command")
}

// post sends an event to a Service of the cluster, by its name, with a token or without, and returns the answer's status.
func (w *world) post(t *testing.T, host, path, token string, e cloudevents.Event) int {
	t.Helper()
	name, namespace := "kf-ingress", "knative-serving" // where the names of Knative Services lead
	if strings.HasPrefix(host, "broker-ingress.") {
		name, namespace = "broker-ingress", "knative-eventing"
	}
	service, err := w.Kube.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := cehttp.NewHTTPRequestFromEvent(ctx, "http://"+net.JoinHostPort(service.Spec.ClusterIP, "80")+path, e)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var said bytes.Buffer
	_, _ = said.ReadFrom(answer.Body) // for the log alone
	t.Logf("%s%s: %s %s", host, path, answer.Status, said.String())
	return answer.StatusCode
}

const ingress = "broker-ingress.knative-eventing.svc.cluster.local"

// TestTheBrokerAsksWhoSends: each sender of ours may post what it has to say, and nothing else; others nothing at all.
func TestTheBrokerAsksWhoSends(t *testing.T) {
	w := newOIDCWorld(t)
	forged := harness.Updated("Task", harness.NewTask(w.space, "shop", "none"))
	command := harness.Ping("resync")
	command.SetType(events.TaskRun)
	fact := harness.Ping("resync")
	fact.SetType(events.TaskPruned)
	audience := w.audience(t, brokers, harness.SystemNamespace, "default")
	clock, facts := "resync-oidc-sources.knative.dev-pingsource", "facts-oidc-sources.knative.dev-sinkbinding"
	for _, c := range []struct {
		what, namespace, account, audience string
		event                              cloudevents.Event
		want                               int
	}{
		{"no token", "", "", "", forged, 401},
		{"a token for another audience", harness.SystemNamespace, clock, "kf-tasks-status", harness.Ping("resync"), 401},
		{"another namespace's account", w.space, "default", audience, forged, 403},
		{"the clock, with what the source of objects says", harness.SystemNamespace, clock, audience, forged, 403},
		{"the clock, with a fact", harness.SystemNamespace, clock, audience, fact, 403},
		{"a function, with a command", harness.SystemNamespace, facts, audience, command, 403},
		{"a function, with a ping", harness.SystemNamespace, facts, audience, harness.Ping("resync"), 403},
		{"the clock, with a ping", harness.SystemNamespace, clock, audience, harness.Ping("resync"), 202},
		{"a function, with a fact", harness.SystemNamespace, facts, audience, fact, 202},
	} {
		token := ""
		if c.account != "" {
			token = w.token(t, c.namespace, c.account, c.audience)
		}
		if got := w.post(t, ingress, "/kf-tasks/default", token, c.event); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}

	// What a function refuses for good goes on to deadletter, with a token for that.
	bad := harness.Ping("resync")
	bad.SetType(events.TaskSucceeded)
	for k, v := range map[string]string{"apiversion": "kf.dev/v1alpha1", "kind": "App", "namespace": w.space, "name": "shop"} {
		bad.SetExtension(k, v)
	}
	if err := bad.SetData(cloudevents.ApplicationJSON, "nothing that prune can read"); err != nil {
		t.Fatal(err)
	}
	if got := w.post(t, ingress, "/kf-tasks/default", w.token(t, harness.SystemNamespace, facts, audience), bad); got != http.StatusAccepted {
		t.Errorf("a bad fact: %d", got)
	}
	harness.Eventually(t, 2*time.Minute, func() error {
		list, err := w.Kube.CoreV1().Events(w.space).List(ctx, metav1.ListOptions{FieldSelector: "reason=EventNotDelivered"})
		if err != nil || len(list.Items) != 1 || list.Items[0].InvolvedObject.Name != "shop" {
			return fmt.Errorf("lost events shown: %v", err)
		}
		return nil
	})
}

// TestFunctionsTakeEventsOfOurTriggersOnly: posted straight to a function, an event is refused unless it comes with the token that
// this function's own Trigger would send; and by a tenant's own Trigger, which can have a token for the function, too.
func TestFunctionsTakeEventsOfOurTriggersOnly(t *testing.T) {
	w := newOIDCWorld(t)
	for _, function := range []string{"archive", "bind", "build", "deadletter", "prune", "runtask", "space", "start", "status", "terminate", "tick"} {
		trigger := strings.ReplaceAll(function, "deadletter", "status") + "-oidc-eventing.knative.dev-trigger" // which brings what it could not deliver
		for _, c := range []struct {
			what, token string
			want        int
		}{
			{"no token", "", 401},
			{"no JWT", "none", 401},
			{"its Trigger's, for another function", w.token(t, harness.SystemNamespace, trigger, "kf-tasks-command"), 401},
			{"a tenant's, for this function", w.token(t, w.space, "default", "kf-tasks-"+function), 403},
			{"its Trigger's", w.token(t, harness.SystemNamespace, trigger, "kf-tasks-"+function), 200},
		} {
			if got := w.post(t, function+".kf-tasks.svc.cluster.local", "/", c.token, harness.Ping("resync")); got != c.want {
				t.Errorf("%s, %s: %d, want %d", function, c.what, got, c.want)
			}
		}
	}

	broker := w.trigger(t, "status")
	forged := harness.Deleted("PipelineRun", harness.NewTask(w.space, "shop", "none"))
	token := w.token(t, w.space, "default", w.audience(t, brokers, w.space, "own"))
	if got := w.post(t, ingress, "/"+broker, token, forged); got != http.StatusAccepted {
		t.Fatalf("the tenant's own Broker: %d", got)
	}
	harness.Eventually(t, 3*time.Minute, func() error {
		kept := w.kept(t)
		if len(kept) != 1 || fmt.Sprint(kept[0].Extensions()["knativeerrorcode"]) != "403" {
			return fmt.Errorf("refused events that the tenant has back: %v", kept)
		}
		return nil
	})
}
