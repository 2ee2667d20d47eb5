package v1alpha1

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	kjson "k8s.io/apimachinery/pkg/util/json"
)

// TestWhatCantBeDecodedCostsItself: the rest of the object is there, and it says what is not.
func TestWhatCantBeDecodedCostsItself(t *testing.T) {
	for _, c := range []struct{ data, unreadable, command string }{
		{`{"spec":{"command":"c","timeout":"2562048h"}}`,
			`spec.timeout can't be read: time: invalid duration "2562048h"`, "c"},
		{`{"spec":{"command":"c","timeout":7}}`, `spec.timeout can't be read: json: cannot unmarshal number into Go value of type string`, "c"},
		{`{"spec":{"command":"c","retries":"often"}}`, `spec.retries can't be read: json: cannot unmarshal string into Go value of type int32`, "c"},
		{`{"spec":{"command":"c","retries":3000000000}}`,
			`spec.retries can't be read: json: cannot unmarshal number 3000000000 into Go value of type int32`, "c"},
		{`{"spec":{"command":["c"]}}`, `spec.command can't be read: json: cannot unmarshal array into Go value of type string`, ""},
		{`{"spec":"what?"}`, `spec can't be read: json: cannot unmarshal string into Go value of type v1alpha1.TaskSpec`, ""},
		{`{"spec":{"command":"c"},"status":{"id":"x"}}`, "", "c"},
		{`{"spec":{"command":"c"}}`, "", "c"},
	} {
		var task Task
		err := json.Unmarshal([]byte(`{"metadata":{"name":"t","labels":{"a":"b"}},`+c.data[1:]), &task)
		if err != nil || task.Unreadable != c.unreadable || task.Spec.Command != c.command || task.Name != "t" || task.Labels["a"] != "b" {
			t.Errorf("%s:\n %q, want\n %q (%v)", c.data, task.Unreadable, c.unreadable, err)
		}
	}
}

func TestOneBadItemOfAList(t *testing.T) {
	var list TaskScheduleList
	err := json.Unmarshal([]byte(`{"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"bad"},"spec":{"schedule":"@daily",
		"taskTemplate":{"command":"c","timeout":"2562048h"}}},{"metadata":{"name":"z"}}]}`), &list)
	if err != nil || len(list.Items) != 3 || list.Items[0].Unreadable != "" || list.Items[2].Unreadable != "" {
		t.Fatalf("%v %+v", err, list)
	}
	if bad := list.Items[1]; bad.Spec.Schedule != "@daily" || bad.Spec.TaskTemplate.Command != "c" ||
		bad.Unreadable != `spec.taskTemplate.timeout can't be read: time: invalid duration "2562048h"` {
		t.Errorf("%+v", bad)
	}
}

func TestAppWithABadQuantity(t *testing.T) {
	var app App
	err := json.Unmarshal([]byte(`{"metadata":{"name":"shop"},"spec":{"template":{"spec":{"containers":[{"name":"first"},
		{"name":"second","resources":{"requests":{"cpu":"1e1.5","memory":"1Gi"}}}]}}}}`), &app)
	if err != nil || len(app.Spec.Template.Spec.Containers) != 2 {
		t.Fatalf("%v %+v", err, app)
	}
	requests := app.Spec.Template.Spec.Containers[1].Resources.Requests
	if _, there := requests["cpu"]; there || requests.Memory().String() != "1Gi" ||
		!strings.HasPrefix(app.Unreadable, "spec.template.spec.containers[1].resources.requests.cpu can't be read: quantities must match") {
		t.Errorf("%q %v", app.Unreadable, requests)
	}
}

func TestSpaceWithABadDuration(t *testing.T) {
	var space Space
	err := json.Unmarshal([]byte(`{"metadata":{"name":"team"},"spec":{"runtimeConfig":{"env":[{"name":"A","value":"a"},{"name":"B","valueFrom":7}]},
		"defaults":{"memory":"1Gi","taskTimeout":"2562048h"}}}`), &space)
	env := space.Spec.RuntimeConfig.Env
	if err != nil || space.Spec.Defaults.Memory != "1Gi" || len(env) != 2 || env[0].Value != "a" || env[1].Name != "B" || !space.ReadInPart() {
		t.Errorf("%v %q %+v", err, space.Unreadable, space.Spec)
	}
}

func TestMetadataThatCantBeDecodedIsAnError(t *testing.T) {
	for _, data := range []string{`{"metadata":7}`, `{"metadata":{"labels":[]}}`, `[]`, `"x"`} {
		if err := json.Unmarshal([]byte(data), &Task{}); err == nil {
			t.Errorf("%s was decoded", data)
		}
	}
}

// FuzzDecode: what is decoded as a whole is as without the care for what is not, and nothing panics.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"metadata":{"name":"t"},"spec":{"template":{"spec":{"containers":[{"resources":{"requests":{"cpu":"1e1.5"}}}]}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var app App
		if json.Unmarshal(data, &app) != nil || app.Unreadable != "" {
			return
		}
		type plain App
		var whole plain
		if err := kjson.Unmarshal(data, &whole); err == nil && !equality.Semantic.DeepEqual(App(whole), app) {
			t.Errorf("%s: %+v and %+v", data, whole, app)
		}
	})
}
