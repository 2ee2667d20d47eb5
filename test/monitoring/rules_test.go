// Package monitoring holds config/options/monitoring to what Prometheus does with it: its alerts to series that fire them, and the queries of
// the dashboard to a real Prometheus that has read real functions. And it draws the trace of one Task.
package monitoring

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

func option(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(harness.Root(), "config", "options", "monitoring", file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// group is of rules, as Prometheus has it.
type group struct {
	Name  string           `json:"name"`
	Rules []map[string]any `json:"rules"`
}

// ruleFile is the rules as a file of Prometheus' own, without one alert, "" for none.
func ruleFile(t *testing.T, without string) (file string, alerts []string) {
	t.Helper()
	var r struct {
		Spec struct {
			Groups []group `json:"groups"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(option(t, "rules.yaml"), &r); err != nil {
		t.Fatal(err)
	}
	for i, g := range r.Spec.Groups {
		kept := []map[string]any{}
		for _, rule := range g.Rules {
			name, _ := rule["alert"].(string)
			alerts = append(alerts, name)
			if name != without {
				kept = append(kept, rule)
			}
		}
		r.Spec.Groups[i].Rules = kept
	}
	b, err := yaml.Marshal(r.Spec)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, alerts
}

// promtool runs it beside a file of rules.
func promtool(t *testing.T, rules string) (string, error) {
	t.Helper()
	tests, err := os.ReadFile("testdata/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(rules), "tests.yaml"), tests, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-ec", "promtool check rules rules.yaml; promtool test rules tests.yaml") // make test-monitoring installs it
	cmd.Dir = filepath.Dir(rules)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestAlertsFireWhenTheyAreToAndOnlyThen, each of them: without any one the test fails.
func TestAlertsFireWhenTheyAreToAndOnlyThen(t *testing.T) {
	rules, alerts := ruleFile(t, "")
	if out, err := promtool(t, rules); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, alert := range alerts {
		rules, _ := ruleFile(t, alert)
		if out, err := promtool(t, rules); err == nil || !strings.Contains(out, alert) {
			t.Errorf("no test fires %s: %v", alert, err)
		}
	}
}

// queries are those of the dashboard, by panel, with Grafana's variables filled in.
func queries(t *testing.T) map[string][]string {
	t.Helper()
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(option(t, "dashboard.json"), &d); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			all[p.Title] = append(all[p.Title], strings.NewReplacer("$__rate_interval", "1m", "$function", ".*").Replace(q.Expr))
		}
	}
	return all
}
