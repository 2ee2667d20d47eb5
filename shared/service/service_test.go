package service

import (
	"encoding/json"
	"strings"
	"testing"
)

const userProvided = "user-provided"

// TestBindingsAreAsCloudFoundryHasThem, and what others wrote of theirs stays.
func TestBindingsAreAsCloudFoundryHasThem(t *testing.T) {
	v, err := ReadVCAP([]byte(`{"sql": [{"name": "their", "instance_name": "their", "label": "sql", "tags": ["x"], "plan": "p", "credentials": {"host": "h"}, "volume_mounts": [{"mode": "ro"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	credentials := Credentials{"uri": json.RawMessage(`"postgres://u:p@h/d"`)}
	name := "primary"
	v.Bind(Service{InstanceName: "mail", Name: "mail", Label: userProvided, Tags: []string{}})
	v.Bind(Service{InstanceName: "db", Name: "db", Label: userProvided, Tags: []string{"sql"}, Credentials: credentials})
	v.Bind(Service{InstanceName: "db", Name: name, BindingName: &name, Label: userProvided, Tags: []string{"sql"}, Credentials: credentials})
	env, err := v.Environment()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"sql":[{"instance_name":"their","name":"their","label":"sql","tags":["x"],"plan":"p","credentials":{"host":"h"},"volume_mounts":[{"mode":"ro"}]}],` +
		`"user-provided":[{"instance_name":"mail","name":"mail","label":"user-provided","tags":[],"credentials":null},` +
		`{"binding_name":"primary","instance_name":"db","name":"primary","label":"user-provided","tags":["sql"],"credentials":{"uri":"postgres://u:p@h/d"}}]}`
	if got := string(env["VCAP_SERVICES"]); got != want || string(env["DATABASE_URL"]) != "postgres://u:p@h/d" {
		t.Errorf("%s\nwant %s\n%s", got, want, env["DATABASE_URL"])
	}
	if !v.Unbind("db") || v.Unbind("db") || !v.Unbind("mail") {
		t.Error("unbind does not say what it found")
	}
	if env, _ = v.Environment(); env["DATABASE_URL"] != nil || strings.Contains(string(env["VCAP_SERVICES"]), userProvided) {
		t.Errorf("%s is left", env)
	}
	if _, err := ReadVCAP([]byte(`[]`)); err == nil {
		t.Error("a list is taken")
	}
}

// TestACredentialIsAFile that says what it is; type and provider are there, whoever says them.
func TestACredentialIsAFile(t *testing.T) {
	c, err := ReadCredentials([]byte(`{"uri": "postgres://u:p@h/d", "port": 5432, "hosts": ["a", "b"], "on": true, "no": null, "a name": "x", "type": "postgresql"}`))
	if err != nil {
		t.Fatal(err)
	}
	c = c.With(Credentials{"port": json.RawMessage(`"5433"`), "role": json.RawMessage(`"reader"`)})
	files := c.Files(userProvided)
	want := map[string]string{"uri": "postgres://u:p@h/d", "port": "5433", "hosts": `["a", "b"]`, "on": "true", "no": "null", "type": "postgresql", "provider": userProvided, "role": "reader"}
	for name, value := range want {
		if string(files[name]) != value {
			t.Errorf("%s: %q, want %q", name, files[name], value)
		}
	}
	if len(files) != len(want) {
		t.Errorf("%d files, want %d", len(files), len(want))
	}
	if got := string(c.KfForm()["uri"]); got != `"postgres://u:p@h/d"` {
		t.Errorf("in Kf's form it is %s", got)
	}
	if got := c.Unnamed(); len(got) != 1 || got[0] != "a name" {
		t.Errorf("%q can be no files", got)
	}
	for _, text := range []string{"", "null", "[]", `"hunter2"`, `{"a": hunter2}`} {
		if _, err := ReadCredentials([]byte(text)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
