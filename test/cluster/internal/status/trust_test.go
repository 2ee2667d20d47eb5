package status

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestTrust: what an operator is to know of who is believed, and what Eventing left behind, each with what to do.
func TestTrust(t *testing.T) {
	object := func(namespace, name string, more map[string]any) []unstructured.Unstructured {
		o := map[string]any{"metadata": map[string]any{"namespace": namespace, "name": name, "uid": name + "-uid"}}
		for k, v := range more {
			o[k] = v
		}
		return []unstructured.Unstructured{{Object: o}}
	}
	annotated := func(name, value string) []unstructured.Unstructured {
		n := object("", name, nil)
		n[0].SetAnnotations(map[string]string{commandsFrom: value})
		return n
	}
	policy := object("kf-tasks", "default-ep", nil)
	subscribed := object("kf-tasks", "chan", map[string]any{"spec": map[string]any{"subscribers": []any{map[string]any{"uid": "live-uid"}}}})
	on, off := map[string]string{"authentication-oidc": "Enabled"}, map[string]string{}
	for name, c := range map[string]struct {
		of   trusting
		want []string
	}{
		"on":                     {trusting{features: on, policies: policy}, []string{"OIDC        on"}},
		"off":                    {trusting{features: off}, []string{"OIDC        off"}},
		"turned off":             {trusting{features: off, policies: policy}, []string{"OIDC        off", "kubectl -n kf-tasks delete eventpolicies.eventing.knative.dev default-ep"}},
		"a Space that is open":   {trusting{features: on, namespaces: append(annotated("shop", "anyone"), annotated("bank", "nobody")...)}, []string{"on", "anyone): shop"}},
		"a live subscriber":      {trusting{features: on, channels: subscribed, subscriptions: object("kf-tasks", "live", nil)}, []string{"on"}},
		"a subscriber that went": {trusting{features: on, channels: subscribed}, []string{"on", "kubectl -n kf-tasks delete inmemorychannels.messaging.knative.dev chan"}},
	} {
		got := c.of.lines()
		if len(got) != len(c.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s: %q, want one with %q", name, got[i], want)
			}
		}
	}
}
