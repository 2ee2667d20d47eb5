package events

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/jsonschema-go/jsonschema"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the schemas and the EventType objects")

func all() []string {
	var names []string
	for t := range Catalogue {
		names = append(names, t)
	}
	slices.Sort(names)
	return names
}

// schema is the JSON schema of a type's data. Facts may get more fields without a new version; commands with a field
// that they don't have are refused.
func schema(t *testing.T, eventType string) *jsonschema.Schema {
	t.Helper()
	text := func(format, pattern string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Format: format, Pattern: pattern}
	}
	data := reflect.TypeOf(Catalogue[eventType].Data)
	s, err := jsonschema.ForType(data, &jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[metav1.Time]():       text("date-time", ""),
		reflect.TypeFor[metav1.MicroTime]():  text("date-time", ""),
		reflect.TypeFor[resource.Quantity](): text("", `^[0-9.]+([numkMGTPE]|[KMGTPE]i)?$`),
		reflect.TypeFor[metav1.Duration]():   text("", `^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(Catalogue[eventType].Description, "asks") {
		open(s)
	}
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title, s.Description = eventType, "data of an event that says: "+Catalogue[eventType].Description
	return s
}

func open(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	s.AdditionalProperties = nil
	for _, p := range s.Properties {
		open(p)
	}
	open(s.Items)
}

func golden(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the catalogue says: go test ./shared/events -update (%v)", path, err)
	}
}

func TestSchemasAreThoseOfTheTypes(t *testing.T) {
	for _, eventType := range all() {
		b, err := json.MarshalIndent(schema(t, eventType), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("schemas", eventType+".json"), append(b, '\n'))
	}
	files, _ := filepath.Glob("schemas/*.json")
	if len(files) != len(Catalogue) {
		t.Errorf("%d schemas of %d types", len(files), len(Catalogue))
	}
}

// TestEventTypes: Knative's catalogue shows what can be had from the Broker, and what it takes.
func TestEventTypes(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# Generated from shared/events by go test ./shared/events -update. An EventType can't be changed once it is applied.\n")
	for _, eventType := range all() {
		source := "{source}"
		if reflect.TypeOf(Catalogue[eventType].Data) == reflect.TypeFor[TaskFact]() {
			source = "/apis/kf.dev/v1alpha1/namespaces/{namespace}/tasks/{task}"
		}
		fmt.Fprintf(&b, `---
apiVersion: eventing.knative.dev/v1beta3
kind: EventType
metadata: {name: %s, namespace: kf-tasks, labels: {app.kubernetes.io/part-of: kf-tasks}}
spec:
  reference: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: default, namespace: kf-tasks}
  description: %q
  attributes:
  - {name: type, required: true, value: %s}
  - {name: source, required: true, value: %q}
  - {name: id, required: true}
  - {name: specversion, required: true, value: "1.0"}
`, eventType, Catalogue[eventType].Description, eventType, source)
	}
	golden(t, "../../config/sources/eventtypes.yaml", b.Bytes())
}

var example = regexp.MustCompile("(?s)```json\n(.*?)```")

// TestExamplesInTheDocs: what a user copies from docs/ is accepted.
func TestExamplesInTheDocs(t *testing.T) {
	seen := map[string]bool{}
	files, _ := filepath.Glob("../../docs/*.md")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range example.FindAllSubmatch(b, -1) {
			var e cloudevents.Event
			if err := json.Unmarshal(m[1], &e); err != nil {
				t.Errorf("%s: %v in %s", f, err, m[1])
				continue
			}
			if _, ok := Catalogue[e.Type()]; !ok {
				t.Errorf("%s: an example of %s, which the catalogue does not have", f, e.Type())
				continue
			}
			seen[e.Type()] = true
			if err := valid(t, e); err != nil {
				t.Errorf("%s: example of %s: %v", f, e.Type(), err)
			}
		}
	}
	page, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, eventType := range all() {
		command := strings.Contains(Catalogue[eventType].Description, "asks")
		if command && !seen[eventType] || !bytes.Contains(page, []byte("`"+eventType+"`")) {
			t.Errorf("docs/events.md does not show %s", eventType)
		}
	}
}

func valid(t *testing.T, e cloudevents.Event) error {
	t.Helper()
	if err := e.Validate(); err != nil {
		return err
	}
	resolved, err := schema(t, e.Type()).Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var data any
	if err := json.Unmarshal(e.Data(), &data); err != nil {
		return err
	}
	return resolved.Validate(data)
}

func TestFactOfATask(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{
		Namespace: "space", Name: "shop-1", UID: "u-1", Labels: map[string]string{v1alpha1.HandledLabel: "u-1", v1alpha1.VersionLabel: "7"},
	}}
	task.Spec.AppRef.Name = "shop"
	task.Status = v1alpha1.TaskStatus{
		StartTime: &at, CompletionTime: &at, Duration: &metav1.Duration{Duration: time.Minute}, ExitCode: new(int32),
		Conditions: []metav1.Condition{{
			Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue, Reason: "Succeeded", LastTransitionTime: at,
		}},
		Termination: &v1alpha1.Termination{RequestedAt: at, Log: v1alpha1.LogNone}}
	first, again := NewTaskFact(TaskSucceeded, "status", task), NewTaskFact(TaskSucceeded, "status", task)
	if err := valid(t, *first); err != nil {
		t.Error(err)
	}
	if first.ID() != again.ID() || first.Source() != again.Source() {
		t.Errorf("one fact told twice has ids %s and %s", first.ID(), again.ID())
	}
	if other := NewTaskFact(TaskPruned, "prune", task); other.ID() == first.ID() {
		t.Errorf("two facts of one Task have the id %s", other.ID())
	}
	var data TaskFact
	if err := first.DataAs(&data); err != nil || data.ID != 7 || data.App != "shop" {
		t.Errorf("%+v %v", data, err)
	}
}

func TestCommandsWithMistakesAreRefused(t *testing.T) {
	for data, ok := range map[string]bool{
		`{"namespace":"n","app":"a","timeout":"10m","retries":2}`: true,
		`{"namespace":"n","app":"a","comand":"x"}`:                false,
		`{"namespace":"n","app":7}`:                               false,
		`{"namespace":"n"} {}`:                                    false,
		`{"namespace":"n","app":"a","namespace":"m"}`:             false,
		`{"Namespace":"n","app":"a"}`:                             false,
		`[]`:                                                      false,
		``:                                                        false,
	} {
		e := cloudevents.NewEvent()
		e.SetType(TaskRun)
		_ = e.SetData(cloudevents.ApplicationJSON, []byte(data))
		var cmd RunTask
		if err := Command(e, &cmd); (err == nil) != ok {
			t.Errorf("%s: %v", data, err)
		}
	}
}

// FuzzCommand: what is taken for a command says the same to any reader of its JSON, and what is not is refused in one short row.
func FuzzCommand(f *testing.F) {
	for _, seed := range []string{
		`{"namespace":"n","app":"a","name":"x","command":"c","cpu":"1","memory":"1Gi","disk":"1Gi","timeout":"10m","retries":2}`,
		`{"namespace":"n","task":"t","id":7}`, `{"namespace":"n","job":"j"}`, `{"Namespace":"n"}`, `{"namespace":"n","namespace":"m"}`,
		`{"namespace":"n","app":"a","args":["x"],"labels":{"team":"a"},"notBefore":"2026-11-28T10:00:00.5Z","expires":"2026-11-28T10:00:02Z"}`,
		`{"namespace":"n","job":"j","run":{"source":"s","id":"1"}}`,
		`{"namespace":null,"timeout":"1e9h"}`, `{"id":1e3}`, `{"retries":99999999999}`, "{\"namespace\":\"\xff\\ud800\\u001b[2J\"}", `[]`, `{} {}`, `{"\u001b":1}`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for kind, cmd := range map[string]any{TaskRun: &RunTask{}, TaskTerminate: &TerminateTask{}, JobRun: &RunJob{}, JobSuspend: &SuspendJob{}} {
			e := cloudevents.NewEvent()
			e.SetType(kind)
			_ = e.SetData(cloudevents.ApplicationJSON, data)
			if err := Command(e, cmd); err != nil {
				if len(err.Error()) > 2500 || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
					t.Errorf("%s: %d bytes: %q", data, len(err.Error()), err)
				}
				continue
			}
			b, err := json.Marshal(cmd)
			if err != nil {
				t.Fatal(err)
			}
			var said, understood map[string]any
			if json.Unmarshal(data, &said) != nil || json.Unmarshal(b, &understood) != nil {
				t.Fatalf("%q is taken for a command", data)
			}
			for _, amount := range []string{"cpu", "memory", "disk", "notBefore", "expires"} {
				delete(said, amount) // written as Kubernetes reads it: TestAmountsHaveOneMeaning
			}
			for name, value := range said {
				if got := understood[name]; !reflect.DeepEqual(got, value) && value != nil && name != "timeout" && got != nil {
					t.Errorf("%s: %s is %v, understood as %v", data, name, value, got)
				}
			}
			again := reflect.New(reflect.TypeOf(cmd).Elem()).Interface()
			_ = e.SetData(cloudevents.ApplicationJSON, b)
			if err := Command(e, again); err != nil || !reflect.DeepEqual(again, cmd) {
				t.Errorf("%s became %s: %v", data, b, err)
			}
		}
	})
}
