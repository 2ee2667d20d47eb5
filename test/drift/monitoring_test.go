package drift

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// exported are the names in Prometheus of what shared/telemetry tells, each with its own: suffixes are those of OpenTelemetry's exporter
// (a unit in braces has none).
func exported(t *testing.T) (names map[string]string) {
	t.Helper()
	names = map[string]string{}
	for _, m := range regexp.MustCompile(`= (counter|gauge|histogram)\("([a-z._]+)"`).FindAllStringSubmatch(read(t, "shared", "telemetry", "metrics.go"), -1) {
		base := strings.ReplaceAll(m[2], ".", "_")
		switch m[1] {
		case "counter":
			names[base+"_total"] = m[2]
		case "gauge":
			names[base] = m[2]
		case "histogram":
			for _, of := range []string{"bucket", "count", "sum"} {
				names[base+"_seconds_"+of] = m[2]
			}
		}
	}
	if len(names) < 13 {
		t.Fatalf("only %d metrics found in shared/telemetry: mend this test", len(names))
	}
	return names
}

type rule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	var r struct {
		Spec struct{ Groups []struct{ Rules []rule } }
	}
	if err := yaml.Unmarshal([]byte(read(t, "config", "options", "monitoring", "rules.yaml")), &r); err != nil {
		t.Fatal(err)
	}
	for _, g := range r.Spec.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no alerts found")
	}
	return all
}

// queries are those of the dashboard's panels, by title.
func queries(t *testing.T) map[string]string {
	t.Helper()
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "config", "options", "monitoring", "dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, p := range d.Panels {
		for i, q := range p.Targets {
			all[fmt.Sprintf("panel %q, query %d", p.Title, i)] = q.Expr
		}
	}
	if len(all) == 0 {
		t.Fatal("no panels found")
	}
	return all
}

var (
	metricName = regexp.MustCompile(`\bkf_[a-z_]+`)
	attributes = []string{"kf_outcome", "kf_webhook_provider"}
)

// TestDashboardAndAlertsNameWhatIsExported, and the dashboard shows all of it.
func TestDashboardAndAlertsNameWhatIsExported(t *testing.T) {
	known, shown := exported(t), map[string]bool{}
	all := queries(t)
	for where, q := range all {
		for _, name := range metricName.FindAllString(q, -1) {
			shown[known[name]] = true
			if known[name] == "" && !slices.Contains(attributes, name) {
				t.Errorf("%s asks for %s, which shared/telemetry does not tell", where, name)
			}
		}
	}
	for name, of := range known {
		if !shown[of] {
			t.Errorf("no panel of the dashboard shows %s (%s)", of, name)
		}
	}
	for _, r := range rules(t) {
		for _, name := range metricName.FindAllString(r.Expr, -1) {
			if known[name] == "" && !slices.Contains(attributes, name) {
				t.Errorf("alert %s asks for %s, which shared/telemetry does not tell", r.Alert, name)
			}
		}
	}
}

// TestEachAlertHasItsRunbook: a section with the command that shows the cause and what to do, which the alert leads to; and no section is
// left of an alert that is gone.
func TestEachAlertHasItsRunbook(t *testing.T) {
	sections := map[string]string{}
	for i, s := range strings.Split(read(t, "docs", "runbooks.md"), "\n## ") {
		if title, text, _ := strings.Cut(s, "\n"); i > 0 && strings.HasPrefix(title, "Kf") {
			sections[title] = text
		}
	}
	for _, r := range rules(t) {
		text := sections[r.Alert]
		delete(sections, r.Alert)
		for _, part := range []string{"**Means**", "**Look**", "**Do**", "```sh"} {
			if !strings.Contains(text, part) {
				t.Errorf("docs/runbooks.md has no %s of %s", part, r.Alert)
			}
		}
		if url := r.Annotations["runbook_url"]; !strings.HasSuffix(url, "/docs/runbooks.md#"+strings.ToLower(r.Alert)) {
			t.Errorf("%s leads to %q", r.Alert, url)
		}
		if r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
			t.Errorf("%s lacks a severity or a summary", r.Alert)
		}
	}
	for title := range sections {
		t.Errorf("docs/runbooks.md has a section of %s, which is no alert", title)
	}
}

// TestSizingIsWhatTheYAMLSays: the Pods that the default always has, and what they request.
func TestSizingIsWhatTheYAMLSays(t *testing.T) {
	pods, cpu, memory := 0, resource.Quantity{}, resource.Quantity{}
	for _, name := range functions(t) {
		text := read(t, "config", "knative", name+".yaml")
		var s struct {
			Spec struct {
				Template struct {
					Metadata struct{ Annotations map[string]string }
					Spec     corev1.PodSpec
				}
			}
		}
		if err := yaml.Unmarshal([]byte(strings.Split(text, "\n---\n")[0]), &s); err != nil {
			t.Fatal(err)
		}
		for range int(s.Spec.Template.Metadata.Annotations["autoscaling.knative.dev/min-scale"][0] - '0') {
			requests := s.Spec.Template.Spec.Containers[0].Resources.Requests
			pods++
			cpu.Add(requests[corev1.ResourceCPU])
			memory.Add(requests[corev1.ResourceMemory])
		}
	}
	want := fmt.Sprintf("has %d Pods of functions (`min-scale` of [config/knative](../config/knative)), which request %s of CPU and %s of memory", pods, &cpu, &memory)
	if !strings.Contains(read(t, "docs", "operate.md"), want) {
		t.Errorf("docs/operate.md does not say that the default %s", want)
	}
}
