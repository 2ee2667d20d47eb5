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

// ruleFile is the rules as a file of Prometheus' own.
func ruleFile(t *testing.T) (file string, alerts []string) {
	t.Helper()
	var r struct {
		Spec struct {
			Groups []group `json:"groups"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(option(t, "rules.yaml"), &r); err != nil {
		t.Fatal(err)
	}
	for _, g := range r.Spec.Groups {
		for _, rule := range g.Rules {
			name, _ := rule["alert"].(string)
			alerts = append(alerts, name)
		}
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

// TestAlertsFireWhenTheyAreToAndOnlyThen: promtool compares all that fires with what is to, and each alert is to somewhere.
func TestAlertsFireWhenTheyAreToAndOnlyThen(t *testing.T) {
	rules, alerts := ruleFile(t)
	tests, err := os.ReadFile("testdata/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(rules)
	if err := os.WriteFile(filepath.Join(dir, "tests.yaml"), tests, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-ec", "promtool check rules rules.yaml; promtool test rules tests.yaml") // make test-monitoring installs it
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, alert := range alerts {
		if !strings.Contains(string(tests), "{labels: '{alertname=\""+alert+"\"") {
			t.Errorf("no test has %s fire", alert)
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
