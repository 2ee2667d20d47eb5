// Package drift compares things that are written in two places.
package drift

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

func read(t *testing.T, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{harness.Root()}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func functions(t *testing.T) (names []string) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(harness.Root(), "functions", "*", "main.go"))
	if err != nil || len(dirs) == 0 {
		t.Fatal("no functions found", err)
	}
	for _, d := range dirs {
		names = append(names, filepath.Base(filepath.Dir(d)))
	}
	return names
}

var triggerType = regexp.MustCompile(`type: ([a-z0-9.]+)`)

func TestTriggersFilterOnTypesOfTheCatalogue(t *testing.T) {
	known := append(slices.Collect(maps.Keys(events.Catalogue)),
		events.ResourceAdded, events.ResourceUpdated, events.ResourceDeleted, events.Ping)
	files, _ := filepath.Glob(filepath.Join(harness.Root(), "config", "sources", "trigger-*.yaml"))
	if len(files) == 0 {
		t.Fatal("no Triggers found")
	}
	for _, f := range files {
		for _, m := range triggerType.FindAllStringSubmatch(read(t, "config", "sources", filepath.Base(f)), -1) {
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s filters on %s, which shared/events does not have", filepath.Base(f), m[1])
			}
		}
	}
}

var setting = regexp.MustCompile("envconfig:\"([A-Z0-9_]+)\"")

// settings are the environment variables that the Go files of a folder read.
func settings(t *testing.T, dir ...string) (names []string) {
	t.Helper()
	sources, _ := filepath.Glob(filepath.Join(append(append([]string{harness.Root()}, dir...), "*.go")...))
	if len(sources) == 0 {
		t.Fatalf("no Go files in %v", dir)
	}
	for _, s := range sources {
		for _, m := range setting.FindAllStringSubmatch(read(t, append(dir, filepath.Base(s))...), -1) {
			names = append(names, m[1])
		}
	}
	return names
}

var variable = regexp.MustCompile(`\{name: ([A-Z0-9_]+), value`)

// TestSettingsAreDocumented: a setting of a function stands in its README and, set or as a comment, in its YAML; what the
// YAML sets is a setting. What all functions have stands in a table of docs/operate.md, with its default.
func TestSettingsAreDocumented(t *testing.T) {
	ofAll := settings(t, "shared", "receiver")
	for _, s := range ofAll {
		if !strings.Contains(read(t, "docs", "operate.md"), "| `"+s+"` |") {
			t.Errorf("no table of docs/operate.md has %s, which every function has", s)
		}
	}
	for _, name := range functions(t) {
		readme, yaml := read(t, "functions", name, "README.md"), read(t, "config", "knative", name+".yaml")
		own := settings(t, "functions", name)
		for _, s := range own {
			if !strings.Contains(readme, s) {
				t.Errorf("functions/%s/README.md does not mention the setting %s", name, s)
			}
			if !strings.Contains(yaml, s) && s != "HOSTNAME" { // which Kubernetes sets
				t.Errorf("config/knative/%s.yaml does not mention the setting %s", name, s)
			}
		}
		for _, m := range variable.FindAllStringSubmatch(yaml, -1) {
			if !slices.Contains(own, m[1]) && !slices.Contains(ofAll, m[1]) {
				t.Errorf("config/knative/%s.yaml sets %s, which the function does not read", name, m[1])
			}
		}
	}
}

// listed are the files of a folder of config/. It fails unless its kustomization lists them, and nothing else.
func listed(t *testing.T, folder string) (files []string) {
	t.Helper()
	var k struct{ Resources []string }
	if err := yaml.Unmarshal([]byte(read(t, "config", folder, "kustomization.yaml")), &k); err != nil {
		t.Fatal(err)
	}
	paths, _ := filepath.Glob(filepath.Join(harness.Root(), "config", folder, "*.yaml"))
	for _, p := range paths {
		if f := filepath.Base(p); f != "kustomization.yaml" {
			files = append(files, f)
		}
	}
	slices.Sort(k.Resources)
	if !slices.Equal(files, k.Resources) {
		t.Errorf("config/%s has %v, its kustomization lists %v", folder, files, k.Resources)
	}
	return files
}

var (
	subscriber = regexp.MustCompile(`kind: Service, name: ([a-z]+)`)
	pingSource = regexp.MustCompile(`kind: PingSource\nmetadata: \{name: ([a-z-]+)`)
	ping       = regexp.MustCompile(`pingsources/([a-z-]+)`)
	account    = regexp.MustCompile(`serviceAccountName: ([a-z]+)`)
)

// all are what a pattern finds in files of config/sources.
func all(t *testing.T, pattern *regexp.Regexp, files []string) (found []string) {
	t.Helper()
	for _, f := range files {
		for _, m := range pattern.FindAllStringSubmatch(read(t, "config", "sources", f), -1) {
			found = append(found, m[1])
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func TestEveryFunctionHasItsPlaceInTheCluster(t *testing.T) {
	crds, services, rights, sources := listed(t, "crd"), listed(t, "knative"), listed(t, "rbac"), listed(t, "sources")
	if len(crds) == 0 {
		t.Error("no CRDs")
	}
	reached := all(t, subscriber, sources) // by a Trigger, or as the place of what was given up
	for _, name := range functions(t) {
		if !slices.Contains(services, name+".yaml") {
			t.Errorf("config/knative has no %s.yaml", name)
			continue
		}
		if !slices.Contains(rights, name+".yaml") {
			t.Errorf("config/rbac has no %s.yaml", name)
		}
		if m := account.FindStringSubmatch(read(t, "config", "knative", name+".yaml")); m == nil || m[1] != name {
			t.Errorf("config/knative/%s.yaml runs as %v, not as its own account", name, m)
		}
		if !slices.Contains(reached, name) && name != "logs" && name != "wait" && name != "web" && name != "webhook" { // which answer requests of people and of other systems
			t.Errorf("no Trigger in config/sources has %s as its subscriber: it would never hear of anything", name)
		}
	}
	for _, name := range reached {
		if !slices.Contains(functions(t), name) {
			t.Errorf("config/sources sends events to %s, which is no function", name)
		}
	}
}

// TestFunctionsAreConfined: what Pod Security "restricted" demands, and a read-only root and a bound of memory besides.
func TestFunctionsAreConfined(t *testing.T) {
	if !strings.Contains(read(t, "config", "knative", "namespace.yaml"), "pod-security.kubernetes.io/enforce: restricted") {
		t.Error("the functions' namespace does not enforce restricted")
	}
	for _, name := range functions(t) {
		var service struct {
			Spec struct{ Template struct{ Spec corev1.PodSpec } }
		}
		if err := yaml.Unmarshal([]byte(read(t, "config", "knative", name+".yaml")), &service); err != nil {
			t.Fatal(err)
		}
		for _, c := range service.Spec.Template.Spec.Containers {
			yes, no := true, false
			want := &corev1.SecurityContext{RunAsNonRoot: &yes, AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
			if !reflect.DeepEqual(c.SecurityContext, want) {
				t.Errorf("config/knative/%s.yaml: securityContext %+v", name, c.SecurityContext)
			}
			if c.Resources.Limits.Memory().IsZero() {
				t.Errorf("config/knative/%s.yaml: no limit of memory", name)
			}
		}
	}
}

// TestPingsAreSentAndHeard: a Trigger on a PingSource that is not there would wait for ever.
func TestPingsAreSentAndHeard(t *testing.T) {
	files := listed(t, "sources")
	sent, heard := all(t, pingSource, files), all(t, ping, files)
	if len(sent) == 0 || !slices.Equal(sent, heard) {
		t.Errorf("PingSources %v, Triggers filter on %v", sent, heard)
	}
}

// TestReasonsAreInTheDocs: a user who reads a reason finds in a table what to do.
func TestReasonsAreInTheDocs(t *testing.T) {
	source := read(t, "shared", "api", "v1alpha1", "reasons.go")
	file, err := parser.ParseFile(token.NewFileSet(), "reasons.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, decl := range file.Decls {
		block, ok := decl.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		page := "tasks.md"
		switch doc := block.Doc.Text(); {
		case strings.Contains(doc, "of a Job"):
			page = "jobs.md"
		case strings.Contains(doc, "BuildReady"):
			page = "build.md"
		case strings.Contains(doc, "of a service"):
			page = "services.md"
		}
		if strings.Contains(block.Doc.Text(), "of a Space") {
			page = "spaces.md"
		}
		var rows strings.Builder
		for line := range strings.Lines(read(t, "docs", page)) {
			if strings.HasPrefix(line, "|") {
				rows.WriteString(line)
			}
		}
		for _, spec := range block.Specs {
			for _, value := range spec.(*ast.ValueSpec).Values {
				reason, err := strconv.Unquote(value.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				found++
				if !strings.Contains(rows.String(), "`"+reason+"`") {
					t.Errorf("no table of docs/%s has the reason %s", page, reason)
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d reasons found in reasons.go", found)
	}
}

// TestNoHandlerDecodesAHint: of an event about an object a handler gets events.Hint, so that it can't believe the rest. Only
// what commands say is data, and deadletter looks for whom to tell.
func TestNoHandlerDecodesAHint(t *testing.T) {
	decodes := regexp.MustCompile(`\.Data\(\)|\.DataAs\(|json\.(Unmarshal|NewDecoder)`)
	for _, name := range functions(t) {
		if name == "command" || name == "deadletter" {
			continue
		}
		sources, _ := filepath.Glob(filepath.Join(harness.Root(), "functions", name, "*.go"))
		for _, s := range sources {
			if strings.HasSuffix(s, "_test.go") {
				continue
			}
			if found := decodes.FindString(read(t, "functions", name, filepath.Base(s))); found != "" {
				t.Errorf("functions/%s/%s has %s: read where to look with events.About, and the rest from the API server", name, filepath.Base(s), found)
			}
		}
	}
}

// TestOIDCHoldsForEveryFunction: a function that is left out of config/options/oidc takes anybody's events, or none at all.
func TestOIDCHoldsForEveryFunction(t *testing.T) {
	var all, option struct {
		Resources []string
		Patches   []struct{ Target struct{ Name string } }
	}
	for file, into := range map[string]any{"kustomization.yaml": &all, "options/oidc/kustomization.yaml": &option} {
		if err := yaml.Unmarshal([]byte(read(t, "config", file)), into); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range all.Resources {
		if !slices.Contains(option.Resources, "../../"+folder) {
			t.Errorf("config/options/oidc leaves out config/%s", folder)
		}
	}
	asks := strings.Split(option.Patches[0].Target.Name, "|")
	for _, name := range functions(t) {
		if name == "command" || name == "logs" || name == "wait" || name == "web" || name == "webhook" { // which ask each sender themselves
			continue
		}
		if !slices.Contains(asks, name) {
			t.Errorf("config/options/oidc does not name %s: it takes events of anybody", name)
		}
		if !strings.Contains(read(t, "config", "options", "oidc", "rbac.yaml"), "name: "+name+",") {
			t.Errorf("config/options/oidc gives %s no right to ask whose a token is", name)
		}
	}
	for _, f := range listed(t, "sources") {
		lines := strings.Split(read(t, "config", "sources", f), "\n")
		for i, line := range lines {
			if m := subscriber.FindStringSubmatch(line); m != nil && !strings.Contains(lines[i+1], "audience: kf-tasks-"+m[1]) {
				t.Errorf("config/sources/%s: what it sends to %s has no token for it", f, m[1])
			}
		}
	}
	for _, m := range regexp.MustCompile(`name: ([a-z-]+), namespace: kf-tasks`).FindAllStringSubmatch(read(t, "config", "options", "oidc", "policies.yaml"), -1) {
		if m[1] > "facts" { // of several that name a sender the first by name counts, and facts is for all accounts of the namespace
			t.Errorf("the EventPolicy %s would never be asked: it comes after facts", m[1])
		}
	}
}

// TestDoctorKnowsEveryFunction: one that it leaves out could lack, and it would say that all is well.
func TestDoctorKnowsEveryFunction(t *testing.T) {
	list := regexp.MustCompile(`(?ms)^var functions = \[\]string\{(.*?)\}$`).FindStringSubmatch(read(t, "cmd", "kf", "doctor.go"))
	if list == nil {
		t.Fatal("cmd/kf/doctor.go has no list of functions")
	}
	var known []string
	for _, quoted := range regexp.MustCompile(`"([a-z]+)"`).FindAllStringSubmatch(list[1], -1) {
		known = append(known, quoted[1])
	}
	want := functions(t)
	slices.Sort(want)
	if !slices.Equal(known, want) {
		t.Errorf("doctor knows %v, want %v", known, want)
	}
}

// TestADeployLeavesTheBuilder: what hack/builder.sh has set of the ConfigMap build, no file of config/ sets, else each deploy would empty it.
func TestADeployLeavesTheBuilder(t *testing.T) {
	script := read(t, "hack", "builder.sh")
	set := []string{"containerRegistry", "insecureRegistries", "builderImage", "runImage"}
	for _, key := range set {
		if !strings.Contains(script+read(t, "builder", "cmd", "builder", "main.go"), key+": ") {
			t.Errorf("hack/builder.sh does not set %s", key)
		}
	}
	files, _ := filepath.Glob(filepath.Join(harness.Root(), "config", "*", "*.yaml"))
	if len(files) == 0 {
		t.Fatal("no configuration found")
	}
	for _, f := range files {
		for doc := range strings.SplitSeq(read(t, "config", filepath.Base(filepath.Dir(f)), filepath.Base(f)), "\n---") {
			var m corev1.ConfigMap
			if err := yaml.Unmarshal([]byte(doc), &m); err != nil || m.Kind != "ConfigMap" || m.Name != "build" {
				continue
			}
			for _, key := range set {
				if _, has := m.Data[key]; has {
					t.Errorf("%s sets %s: write it as a comment", filepath.Base(f), key)
				}
			}
		}
	}
}
