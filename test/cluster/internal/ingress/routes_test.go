package ingress

import (
	"net/http"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
)

func split(service string, percent int) v1alpha1.IngressBackendSplit {
	return v1alpha1.IngressBackendSplit{Percent: percent, AppendHeaders: map[string]string{"Knative-Serving-Revision": service},
		IngressBackend: v1alpha1.IngressBackend{ServiceNamespace: "ns", ServiceName: service, ServicePort: intstr.FromInt32(80)}}
}

func ing(name, host string, paths ...v1alpha1.HTTPIngressPath) *v1alpha1.Ingress {
	return &v1alpha1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}, Spec: v1alpha1.IngressSpec{Rules: []v1alpha1.IngressRule{
		{Hosts: []string{host, host + ".svc"}, HTTP: &v1alpha1.HTTPIngressRuleValue{Paths: paths}}, {Hosts: []string{"without-http"}}}}}
}

func TestRoutes(t *testing.T) {
	table := NewTable()
	table.Set(ing("a", "a.example",
		v1alpha1.HTTPIngressPath{Splits: []v1alpha1.IngressBackendSplit{split("old", 90), split("new", 10)}},
		v1alpha1.HTTPIngressPath{Path: "/api", RewriteHost: "inner", Splits: []v1alpha1.IngressBackendSplit{split("api", 100)}},
		v1alpha1.HTTPIngressPath{Headers: map[string]v1alpha1.HeaderMatch{"Knative-Serving-Tag": {Exact: "t"}}, Splits: []v1alpha1.IngressBackendSplit{split("tagged", 100)}},
	))
	table.Set(ing("empty", "empty.example", v1alpha1.HTTPIngressPath{}))
	for _, c := range []struct {
		host, path, tag string
		roll            int
		want            string
	}{
		{"a.example", "/", "", 0, "old"},
		{"a.example", "/", "", 89, "old"},
		{"a.example", "/", "", 90, "new"},
		{"a.example", "/", "", 99, "new"},
		{"a.example:8080", "/x", "", 0, "old"},
		{"a.example.svc", "/", "", 0, "old"},
		{"a.example", "/api/v1", "", 0, "api"},
		{"a.example", "/", "t", 0, "tagged"},
		{"a.example", "/", "other", 0, "old"},
		{"b.example", "/", "", 0, ""},
		{"without-http", "/", "", 0, ""},
		{"empty.example", "/", "", 0, ""},
	} {
		h := http.Header{}
		if c.tag != "" {
			h.Set("Knative-Serving-Tag", c.tag)
		}
		got, ok := table.Route(c.host, c.path, h, c.roll)
		if got.Service != c.want || ok != (c.want != "") {
			t.Errorf("%s%s tag %q roll %d goes to %q (%v), want %q", c.host, c.path, c.tag, c.roll, got.Service, ok, c.want)
		}
		if ok && got.Headers["Knative-Serving-Revision"] != got.Service {
			t.Errorf("%s: headers %v", c.want, got.Headers)
		}
		if c.want == "api" && got.RewriteHost != "inner" {
			t.Errorf("host %q", got.RewriteHost)
		}
	}
}

func TestRoutesFollowTheirIngress(t *testing.T) {
	table := NewTable()
	to := func(service string) v1alpha1.HTTPIngressPath {
		return v1alpha1.HTTPIngressPath{Splits: []v1alpha1.IngressBackendSplit{split(service, 100)}}
	}
	table.Set(ing("a", "a.example", to("first")))
	table.Set(ing("a", "moved.example", to("second")))
	if _, ok := table.Route("a.example", "/", nil, 0); ok {
		t.Error("the former host is still routed")
	}
	if got, _ := table.Route("moved.example", "/", nil, 0); got.Service != "second" {
		t.Errorf("%+v", got)
	}
	table.Delete("ns", "a")
	if _, ok := table.Route("moved.example", "/", nil, 0); ok {
		t.Error("a deleted Ingress is still routed")
	}
}
