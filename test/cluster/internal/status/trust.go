package status

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// commandsFrom is the annotation by which a Space lets whoever reaches the Broker command it.
const commandsFrom = "kf.dev/commands-from"

// trusting is what a cluster has that says who is believed, and what Eventing can leave behind when that changes.
type trusting struct {
	features                                      map[string]string
	namespaces, policies, channels, subscriptions []unstructured.Unstructured
}

// Trust says, a line each, who may have what done on a cluster, and what is left of another setting and in the way.
func Trust(ctx context.Context, cfg *rest.Config) ([]string, error) {
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	var t trusting
	for gvr, into := range map[schema.GroupVersionResource]*[]unstructured.Unstructured{
		{Version: "v1", Resource: "namespaces"}:                                         &t.namespaces,
		{Group: "eventing.knative.dev", Version: "v1alpha1", Resource: "eventpolicies"}: &t.policies,
		{Group: "messaging.knative.dev", Version: "v1", Resource: "inmemorychannels"}:   &t.channels,
		{Group: "messaging.knative.dev", Version: "v1", Resource: "subscriptions"}:      &t.subscriptions,
	} {
		list, err := client.Resource(gvr).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) { // this cluster has no such kind
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", gvr.Resource, err)
		}
		*into = list.Items
	}
	flags, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace("knative-eventing").
		Get(ctx, "config-features", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil // no Eventing: a lower stage
	}
	if err != nil {
		return nil, fmt.Errorf("get Eventing's features: %w", err)
	}
	t.features, _, _ = unstructured.NestedStringMap(flags.Object, "data")
	return t.lines(), nil
}

// showTrust prints Trust's lines. That they can't be had is one of them: it makes no cluster unfit.
func showTrust(ctx context.Context, cfg *rest.Config, out io.Writer) {
	lines, err := Trust(ctx, cfg)
	if err != nil {
		lines = []string{"trust       not known: " + err.Error()}
	}
	for _, line := range lines {
		fmt.Fprintln(out, line)
	}
}

func (t trusting) lines() (lines []string) {
	on := strings.EqualFold(t.features["authentication-oidc"], "enabled")
	if on {
		lines = append(lines, "OIDC        on: a Broker asks each sender for a token; with config/options/oidc functions take events of our own Triggers only")
	} else {
		lines = append(lines, "OIDC        off: whoever reaches the Broker or a function can post any event (docs/operate.md)")
		for _, p := range t.policies {
			lines = append(lines, fmt.Sprintf("IN THE WAY  EventPolicy %s/%s is of when OIDC was on: what it is for takes no new Triggers and looks ready; "+
				"kubectl -n %[1]s delete eventpolicies.eventing.knative.dev %[2]s", p.GetNamespace(), p.GetName()))
		}
	}
	var open []string
	for _, n := range t.namespaces {
		if n.GetAnnotations()[commandsFrom] == "anyone" {
			open = append(open, n.GetName())
		}
	}
	if len(open) > 0 {
		slices.Sort(open)
		lines = append(lines, "OPEN        Spaces that whoever reaches the Broker may command ("+commandsFrom+": anyone): "+strings.Join(open, ", "))
	}
	live := map[string]bool{}
	for _, s := range t.subscriptions {
		live[string(s.GetUID())] = true
	}
	for _, c := range t.channels {
		subscribers, _, _ := unstructured.NestedSlice(c.Object, "spec", "subscribers")
		if slices.ContainsFunc(subscribers, func(s any) bool {
			of, ok := s.(map[string]any)
			uid, _ := of["uid"].(string)
			return ok && !live[uid]
		}) {
			lines = append(lines, fmt.Sprintf("IN THE WAY  InMemoryChannel %s/%s still has a subscriber that is gone, and tries it for each event; "+
				"kubectl -n %[1]s delete inmemorychannels.messaging.knative.dev %[2]s, which its Broker makes anew", c.GetNamespace(), c.GetName()))
		}
	}
	return lines
}
