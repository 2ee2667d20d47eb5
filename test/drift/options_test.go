package drift

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// documents are those of a file that are of one kind, by name.
func documents[T any](t *testing.T, kind string, name func(T) string, elem ...string) map[string]T {
	t.Helper()
	out := map[string]T{}
	for doc := range strings.SplitSeq(read(t, elem...), "\n---\n") {
		var of struct{ Kind string }
		if err := yaml.Unmarshal([]byte(doc), &of); err != nil || of.Kind != kind {
			continue
		}
		var o T
		if err := yaml.UnmarshalStrict([]byte(doc), &o); err != nil {
			t.Fatalf("%v: %v", elem, err)
		}
		out[name(o)] = o
	}
	return out
}

// TestMinimalRunsWhatConfigDoes: each function of config/options/minimal has what config/knative gives it, and is told and let as much.
func TestMinimalRunsWhatConfigDoes(t *testing.T) {
	file := []string{"config", "options", "minimal", "functions.yaml"}
	deployments := documents(t, "Deployment", func(d appsv1.Deployment) string { return d.Name }, file...)
	services := documents(t, "Service", func(s corev1.Service) string { return s.Name }, file...)
	for _, name := range functions(t) {
		var ksvc struct {
			Spec struct {
				Template struct {
					Spec struct {
						corev1.PodSpec
						TimeoutSeconds int64
					}
				}
			}
		}
		if err := yaml.Unmarshal([]byte(read(t, "config", "knative", name+".yaml")), &ksvc); err != nil {
			t.Fatal(err)
		}
		want, has := ksvc.Spec.Template.Spec, deployments[name].Spec.Template.Spec
		if len(has.Containers) != 1 || len(services[name].Spec.Ports) != 1 || services[name].Spec.Selector["serving.knative.dev/service"] != name {
			t.Errorf("config/options/minimal lacks %s or its Service: make generate", name)
			continue
		}
		is, shall := has.Containers[0], want.Containers[0]
		if is.Image != shall.Image || !reflect.DeepEqual(is.Env, shall.Env) || !reflect.DeepEqual(is.Resources, shall.Resources) ||
			!reflect.DeepEqual(is.SecurityContext, shall.SecurityContext) || !reflect.DeepEqual(is.VolumeMounts, shall.VolumeMounts) ||
			!reflect.DeepEqual(has.Volumes, want.Volumes) || has.ServiceAccountName != want.ServiceAccountName {
			t.Errorf("config/options/minimal has not what config/knative/%s.yaml has: make generate", name)
		}
		if *has.TerminationGracePeriodSeconds <= want.TimeoutSeconds {
			t.Errorf("%s may take %d s, and is killed after %d", name, want.TimeoutSeconds, *has.TerminationGracePeriodSeconds)
		}
	}
	if len(deployments) != len(functions(t)) {
		t.Errorf("config/options/minimal has %d Deployments: make generate", len(deployments))
	}
	var all, option struct{ Resources []string }
	for file, into := range map[string]any{"kustomization.yaml": &all, "options/minimal/kustomization.yaml": &option} {
		if err := yaml.Unmarshal([]byte(read(t, "config", file)), into); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range all.Resources {
		if folder != "knative" && !slices.Contains(option.Resources, "../../"+folder) {
			t.Errorf("config/options/minimal leaves out config/%s", folder)
		}
	}
}

// TestEveryFunctionHasABudget: one that is left out of config/options/high-availability may be taken down whole by a drain.
func TestEveryFunctionHasABudget(t *testing.T) {
	budgets := documents(t, "PodDisruptionBudget", func(b policyv1.PodDisruptionBudget) string { return b.Name }, "config", "options", "high-availability", "disruption.yaml")
	for _, name := range functions(t) {
		if b := budgets[name]; b.Spec.Selector == nil || b.Spec.Selector.MatchLabels["serving.knative.dev/service"] != name || b.Spec.MaxUnavailable.IntVal != 1 {
			t.Errorf("config/options/high-availability has no budget for %s", name)
		}
	}
	if len(budgets) != len(functions(t)) {
		t.Errorf("%d budgets for %d functions", len(budgets), len(functions(t)))
	}
}

// TestNoRetryIsWithoutABackoff: with JetStream's channel such a delivery ends the dispatcher (eventing-natss v0.48.1, utils/consumerconfig.go).
func TestNoRetryIsWithoutABackoff(t *testing.T) {
	files := []string{"config/options/jetstream/kustomization.yaml"}
	for _, f := range listed(t, "sources") {
		files = append(files, "config/sources/"+f)
	}
	found := 0
	for _, f := range files {
		text := read(t, f)
		retries := strings.Count(text, " retry: ")
		found += retries
		if strings.Count(text, " backoffPolicy: ") != retries || strings.Count(text, " backoffDelay: ") != retries {
			t.Errorf("%s has a retry without backoffPolicy and backoffDelay", f)
		}
	}
	if found < 4 {
		t.Errorf("only %d deliveries with retries found", found)
	}
}
