package drift

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/docs/page"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
	"github.com/kf-tasks/kf-tasks/test/transcript"
)

// script is what a block has a shell do; "" if it has it do nothing.
func script(b page.Block) string {
	switch b.Lang {
	case "sh":
		return b.Text
	case "console":
		var lines []string
		for _, s := range transcript.Parse(b.Text) {
			lines = append(lines, s.Command)
		}
		return strings.Join(lines, "\n")
	}
	return ""
}

// checks are how each language of a block is held to what it says. What runs a block stands beside it.
var checks = map[string]func(b page.Block) error{
	"sh":      shell,   // and run: TestTheDocsCommandsRun of test/integration; kf's part is parsed by TestKfTakesWhatTheDocsSay of cmd/kf
	"console": shell,   // and run: TestTutorial of test/e2e, make demo
	"yaml":    objects, // and offered to the API server: TestTheDocsObjectsAreTaken of test/integration
	"json": func(b page.Block) error { // events besides: TestExamplesInTheDocs of shared/events
		return json.Unmarshal([]byte(b.Text), new(any))
	},
	"go":     goCode,
	"python": run,                                   // TestQuickStarts of test/integration
	"js":     run,                                   // the same
	"text":   func(page.Block) error { return nil }, // pictures, and what is printed
}

func run(page.Block) error { return nil }

// goCode is a program (TestQuickStarts compiles it), or statements.
func goCode(b page.Block) error {
	text := b.Text
	if !strings.HasPrefix(text, "package ") {
		text = "package p\nfunc _() {\n" + strings.ReplaceAll(text, "{ ... }", "{}") + "\n}\n"
	}
	_, err := parser.ParseFile(token.NewFileSet(), "block.go", text, 0)
	return err
}

func objects(b page.Block) error {
	for doc := range strings.SplitSeq(b.Text, "\n---") {
		var object map[string]any
		if err := yaml.UnmarshalStrict([]byte(doc), &object); err != nil {
			return err
		}
	}
	return nil
}

func shell(b page.Block) error {
	text := script(b)
	c := exec.Command("bash", "-n")
	c.Stdin = strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("it is no shell: %s", out)
	}
	for _, words := range page.Commands(text) {
		check, is := programs[words[0]]
		if !is {
			continue
		}
		if err := check(words[1:]); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(words, " "), err)
		}
	}
	return nil
}

// programs are those whose command lines are looked at.
var programs = map[string]func(words []string) error{
	"make": made, "kubectl": kubectl, "go": goTool, "curl": posted,
	"$CLUSTER_KUBE": func(words []string) error { return kubectl(words[1:]) },
}

// made are targets of the Makefile.
func made(words []string) error {
	targets := ""
	for _, f := range []string{"Makefile", "test/cluster/cluster.mk"} {
		text, err := os.ReadFile(filepath.Join(harness.Root(), f))
		if err != nil {
			return err
		}
		targets += "\n" + string(text)
	}
	for _, w := range words {
		if !strings.Contains(w, "=") && !strings.HasPrefix(w, "bin/") && !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(w)+`:`).MatchString(targets) {
			return fmt.Errorf("the Makefile has no target %s", w)
		}
	}
	return nil
}

// goTool: the folders of a go test or go run are there.
func goTool(words []string) error {
	for _, w := range words {
		if dir, is := strings.CutPrefix(w, "./"); is && !strings.HasSuffix(dir, "...") {
			if _, err := os.Stat(filepath.Join(harness.Root(), dir)); err != nil {
				return err
			}
		}
	}
	return nil
}

// verbs of kubectl, with what may come next where it is one of a few.
var verbs = map[string][]string{
	"get": nil, "describe": nil, "delete": nil, "patch": nil, "label": nil, "annotate": nil, "apply": nil, "logs": nil, "explain": nil, "wait": nil,
	"port-forward": nil, "top": {"pods"},
	"rollout": {"restart", "status"}, "scale": {"deployment"}, "create": {"role", "rolebinding", "serviceaccount", "token", "secret", "namespace", "configmap"},
}

// kubectl is a command line of it, by the flags that pages use.
func kubectl(words []string) error {
	flags := pflag.NewFlagSet("kubectl", pflag.ContinueOnError)
	for name, short := range map[string]string{"namespace": "n", "output": "o", "selector": "l", "container": "c", "patch": "p", "type": "", "field-selector": "",
		"clusterrole": "", "role": "", "raw": "", "tail": "", "for": "", "timeout": "", "dry-run": "", "replicas": "",
		"docker-server": "", "docker-username": "", "docker-password": ""} {
		flags.StringP(name, short, "", "")
	}
	for name, short := range map[string]string{"audience": "", "serviceaccount": "", "group": "", "user": "", "verb": "", "resource": "", "resource-name": "",
		"filename": "f", "from-literal": "", "from-file": ""} {
		flags.StringSliceP(name, short, nil, "")
	}
	for name, short := range map[string]string{"all-namespaces": "A", "watch": "w", "server-side": "", "follow": "", "overwrite": "", "all": "",
		"previous": "", "prefix": "", "containers": "", "force-conflicts": ""} {
		flags.BoolP(name, short, false, "")
	}
	if len(words) > 0 && words[0] == "kf" {
		return nil // cmd/kf's test reads it
	}
	if slices.Contains(words, "logs") { // whose -f follows
		words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "-f" })
	}
	if err := flags.Parse(words); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return fmt.Errorf("it says nothing to do")
	}
	next, is := verbs[flags.Arg(0)]
	if !is || next != nil && !slices.Contains(next, flags.Arg(1)) {
		return fmt.Errorf("kubectl %s %s is nothing that pages are known to do: if it is right, add it to the table verbs", flags.Arg(0), flags.Arg(1))
	}
	return nil
}

// posted: what a command event of curl says is what its schema says.
func posted(words []string) error {
	eventType, data := "", ""
	for i, w := range words[:max(0, len(words)-1)] {
		name, value, _ := strings.Cut(words[i+1], ":")
		switch {
		case w == "-H" && strings.EqualFold(name, "Ce-Type"):
			eventType = strings.TrimSpace(value)
		case w == "-H" && strings.EqualFold(name, "Ce-Knativeerrorcode"):
			return nil // it shows one that was refused
		case w == "-d" || w == "--data":
			data = words[i+1]
		}
	}
	if strings.HasPrefix(data, "{") && !json.Valid([]byte(data)) {
		return fmt.Errorf("%s is no JSON", data)
	}
	entry, is := events.Catalogue[eventType]
	if !is {
		return nil
	}
	e := cloudevents.NewEvent()
	e.SetType(eventType)
	if err := e.SetData(cloudevents.ApplicationJSON, []byte(data)); err != nil {
		return err
	}
	return events.Command(e, reflect.New(reflect.TypeOf(entry.Data)).Interface())
}

// marker are the comments before a block that mean something to a test.
var marker = regexp.MustCompile(`^(not run: .+|run by: Test\w+|file: \S+|part of: .+|no object: .+|printed by .+)$`)

// TestBlocksSayWhatIsTrue: every fenced block of every page, by its language.
func TestBlocksSayWhatIsTrue(t *testing.T) {
	found, notRun, tests := map[string]int{}, 0, declaredTests(t)
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			found[b.Lang]++
			if b.Marked("not run") != "" {
				notRun++
			}
			if by := b.Marked("run by"); by != "" && !tests[by] {
				t.Errorf("%s:%d: it is run by %s, which is not there", p.Path, b.Line, by)
			}
			if b.Marker != "" && !marker.MatchString(b.Marker) {
				t.Errorf("%s:%d: the comment before the block says nothing that a test knows: write not run:, run by:, file:, part of:, no object: or printed by", p.Path, b.Line)
			}
			check, is := checks[b.Lang]
			if !is {
				t.Errorf("%s:%d: say after the fence which language it is (sh, console, yaml, json, go, or text), and it is checked: %q", p.Path, b.Line, b.Lang)
				continue
			}
			if err := check(b); err != nil {
				t.Errorf("%s:%d: %v", p.Path, b.Line, err)
			}
		}
	}
	t.Logf("blocks: %v; %d are not run, and say why", found, notRun)
	if found["sh"] < 30 || found["yaml"] < 8 || found["json"] < 8 {
		t.Errorf("only %v", found)
	}
}

// TestBlocksAreLookedAt: what is wrong in one is found.
func TestBlocksAreLookedAt(t *testing.T) {
	for _, b := range []page.Block{
		{Lang: "sh", Text: "if true"}, {Lang: "sh", Text: "make nothing"}, {Lang: "sh", Text: "go test ./shared/nothing"}, {Lang: "sh", Text: "kubectl gett pods"},
		{Lang: "sh", Text: "kubectl get pods --namespce x"}, {Lang: "sh", Text: "kubectl create rolebindng x"}, {Lang: "console", Text: "$ kubectl gett pods\nNAME"},
		{Lang: "sh", Text: `curl x -H 'Ce-Type: dev.kf.task.run.v1' -d '{"namespace": "shop", "app": "billing", "comand": "x"}'`}, {Lang: "sh", Text: `curl x -d '{"a"}'`},
		{Lang: "yaml", Text: "a: 1\na: 2"}, {Lang: "json", Text: "{a}"}, {Lang: "go", Text: "x := "},
	} {
		if checks[b.Lang](b) == nil {
			t.Errorf("%s passes", b.Text)
		}
	}
}
