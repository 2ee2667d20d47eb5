package space

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// list reads "memory=1Gi cpu=1".
func list(text string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for _, part := range strings.Fields(text) {
		name, value, _ := strings.Cut(part, "=")
		out[corev1.ResourceName(name)] = resource.MustParse(value)
	}
	return out
}

func text(l corev1.ResourceList) string {
	var parts []string
	for _, name := range []corev1.ResourceName{"cpu", "memory", "ephemeral-storage"} {
		if q, ok := l[name]; ok {
			parts = append(parts, string(name)+"="+q.String())
		}
	}
	return strings.Join(parts, " ")
}

func TestResourcesWithinTheRules(t *testing.T) {
	quota := func(hard string) Rules {
		return Rules{Quotas: []corev1.ResourceQuota{{Spec: corev1.ResourceQuotaSpec{Hard: list(hard)}}}}
	}
	limits := func(limit, request, ratio string) Rules {
		return Rules{Limits: []corev1.LimitRange{{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer,
			Default: list(limit), DefaultRequest: list(request), MaxLimitRequestRatio: list(ratio)}}}}}}
	}
	both := limits("memory=128Mi", "memory=64Mi", "")
	both.Quotas = quota("limits.memory=1Gi requests.memory=1Gi").Quotas
	bestEffort := quota("pods=3 limits.memory=1Gi")
	bestEffort.Quotas[0].Spec.Scopes = []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort}
	two := quota("limits.memory=2Gi")
	two.Quotas = append(two.Quotas, quota("limits.memory=512Mi").Quotas...)
	for name, test := range map[string]struct {
		rules                              Rules
		requests, limits, requests2, want2 string
	}{
		"no rules":                           {Rules{}, "memory=1Gi", "", "memory=1Gi", ""},
		"nothing said, no rules":             {Rules{}, "", "", "", ""},
		"a default below the request":        {limits("memory=128Mi", "memory=128Mi", ""), "memory=256Mi", "", "memory=256Mi", "memory=256Mi"},
		"a default above the request":        {limits("memory=512Mi", "memory=128Mi", ""), "memory=256Mi", "", "memory=256Mi", ""},
		"a default too far above":            {limits("memory=512Mi", "memory=512Mi", "memory=1"), "memory=256Mi", "", "memory=256Mi", "memory=256Mi"},
		"a default request above the limit":  {limits("memory=512Mi", "memory=512Mi", ""), "", "memory=64Mi", "memory=64Mi", "memory=64Mi"},
		"nothing said":                       {limits("memory=128Mi", "memory=64Mi", ""), "", "", "", ""},
		"what is said stays":                 {limits("memory=128Mi", "", ""), "memory=256Mi", "memory=1Gi", "memory=256Mi", "memory=1Gi"},
		"a quota asks for memory":            {quota("limits.memory=2Gi requests.memory=2Gi"), "", "", "memory=1Gi", "memory=1Gi"},
		"a quota below the default":          {quota("limits.memory=512Mi"), "", "", "", "memory=512Mi"},
		"a quota, and a request":             {quota("limits.memory=1Gi requests.memory=1Gi"), "memory=256Mi", "", "memory=256Mi", "memory=256Mi"},
		"a quota asks for CPU":               {quota("requests.cpu=4 limits.cpu=4"), "", "", "cpu=1", "cpu=1"},
		"a quota asks for requests":          {quota("cpu=4 memory=4Gi"), "", "", "cpu=100m memory=1Gi", ""},
		"a quota that a LimitRange provides": {both, "", "", "", ""},
		"a quota of counts":                  {quota("pods=0 count/pipelineruns.tekton.dev=3 requests.storage=1Gi"), "", "", "", ""},
		"a quota of those that ask nothing":  {bestEffort.ForPods(""), "", "", "", ""},
		"a quota of disk":                    {quota("limits.ephemeral-storage=10Gi"), "", "", "", ""},
		"two quotas":                         {two, "", "", "", "memory=512Mi"},
		"a ratio, and a request":             {limits("", "", "memory=2"), "memory=256Mi", "", "memory=256Mi", "memory=256Mi"},
		"a ratio, and nothing said":          {limits("", "", "memory=2"), "", "", "memory=1Gi", "memory=1Gi"},
		"a ratio, and a default request":     {limits("", "memory=64Mi", "memory=2"), "", "", "memory=64Mi", "memory=64Mi"},
	} {
		got := test.rules.Resources(corev1.ResourceRequirements{Requests: list(test.requests), Limits: list(test.limits)}, 1)
		if text(got.Requests) != test.requests2 || text(got.Limits) != test.want2 {
			t.Errorf("%s: requests %q limits %q, want %q %q", name, text(got.Requests), text(got.Limits), test.requests2, test.want2)
		}
	}
	if got := (Rules{}).Resources(corev1.ResourceRequirements{}, 1); got.Limits != nil || got.Requests != nil {
		t.Errorf("where nothing is said and no rule is, something is rendered: %+v", got)
	}
}

func TestSecurityWithinTheRules(t *testing.T) {
	yes, no := true, false
	restricted := Rules{Namespace: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{enforce: "restricted"}}}}
	if got := (Rules{}).Security(nil, nil); got != nil {
		t.Errorf("in a Space without rules: %+v", got)
	}
	got := restricted.Security(nil, nil)
	if *got.AllowPrivilegeEscalation || !*got.RunAsNonRoot || got.Capabilities.Drop[0] != "ALL" || got.SeccompProfile == nil {
		t.Errorf("%+v", got)
	}
	got = restricted.Security(&corev1.SecurityContext{AllowPrivilegeEscalation: &yes}, &corev1.PodSecurityContext{RunAsNonRoot: &no})
	if !*got.AllowPrivilegeEscalation || got.RunAsNonRoot != nil {
		t.Errorf("what the App says was changed, which would only hide why it is refused: %+v", got)
	}
}

// TestAQuotaIsSharedByThePodsContainers: each would else have all of it, and the Pod too much.
func TestAQuotaIsSharedByThePodsContainers(t *testing.T) {
	rules := Rules{Quotas: []corev1.ResourceQuota{{Spec: corev1.ResourceQuotaSpec{Hard: list("limits.memory=1Gi limits.cpu=1")}}}}
	got := rules.Resources(corev1.ResourceRequirements{}, 4)
	if want := "cpu=250m memory=256Mi"; text(got.Limits) != want {
		t.Errorf("%q, want %q", text(got.Limits), want)
	}
}

func TestQuotasOfOtherPodsAskNothing(t *testing.T) {
	expression := func(operator corev1.ScopeSelectorOperator, values ...string) corev1.ResourceQuotaSpec {
		return corev1.ResourceQuotaSpec{ScopeSelector: &corev1.ScopeSelector{MatchExpressions: []corev1.ScopedResourceSelectorRequirement{
			{ScopeName: corev1.ResourceQuotaScopePriorityClass, Operator: operator, Values: values}}}}
	}
	scope := func(s corev1.ResourceQuotaScope) corev1.ResourceQuotaSpec {
		return corev1.ResourceQuotaSpec{Scopes: []corev1.ResourceQuotaScope{s}}
	}
	for name, test := range map[string]struct {
		quota  corev1.ResourceQuotaSpec
		class  string
		counts bool
	}{
		"all":                       {corev1.ResourceQuotaSpec{}, "", true},
		"those that end":            {scope(corev1.ResourceQuotaScopeTerminating), "", true},
		"those that do not":         {scope(corev1.ResourceQuotaScopeNotTerminating), "", false},
		"those that name resources": {scope(corev1.ResourceQuotaScopeNotBestEffort), "", true},
		"those that do not name":    {scope(corev1.ResourceQuotaScopeBestEffort), "", false},
		"of its class":              {expression(corev1.ScopeSelectorOpIn, "high", "batch"), "batch", true},
		"of another class":          {expression(corev1.ScopeSelectorOpIn, "high"), "batch", false},
		"not of another class":      {expression(corev1.ScopeSelectorOpNotIn, "high"), "batch", true},
		"of any class":              {expression(corev1.ScopeSelectorOpExists), "", false},
		"of none":                   {expression(corev1.ScopeSelectorOpDoesNotExist), "", true},
	} {
		rules := Rules{Quotas: []corev1.ResourceQuota{{Spec: test.quota}}}
		if got := len(rules.ForPods(test.class).Quotas) == 1; got != test.counts {
			t.Errorf("%s: counts %t, want %t", name, got, test.counts)
		}
	}
}
