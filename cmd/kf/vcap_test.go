package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBindingsAreAsCloudFoundryHasThem, and what others wrote of theirs stays.
func TestBindingsAreAsCloudFoundryHasThem(t *testing.T) {
	v, err := readVCAP([]byte(`{"sql": [{"name": "their", "instance_name": "their", "label": "sql", "tags": ["x"], "plan": "p", "credentials": {"host": "h"}, "volume_mounts": [{"mode": "ro"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	credentials := map[string]json.RawMessage{"uri": json.RawMessage(`"postgres://u:p@h/d"`)}
	name := "primary"
	v.bind(vcapService{InstanceName: "mail", Name: "mail", Label: userProvided, Tags: []string{}})
	v.bind(vcapService{InstanceName: "db", Name: "db", Label: userProvided, Tags: []string{"sql"}, Credentials: credentials})
	v.bind(vcapService{InstanceName: "db", Name: name, BindingName: &name, Label: userProvided, Tags: []string{"sql"}, Credentials: credentials})
	env, err := v.environment()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"sql":[{"instance_name":"their","name":"their","label":"sql","tags":["x"],"plan":"p","credentials":{"host":"h"},"volume_mounts":[{"mode":"ro"}]}],` +
		`"user-provided":[{"instance_name":"mail","name":"mail","label":"user-provided","tags":[],"credentials":null},` +
		`{"binding_name":"primary","instance_name":"db","name":"primary","label":"user-provided","tags":["sql"],"credentials":{"uri":"postgres://u:p@h/d"}}]}`
	if got := string(env["VCAP_SERVICES"]); got != want || string(env["DATABASE_URL"]) != "postgres://u:p@h/d" {
		t.Errorf("%s\nwant %s\n%s", got, want, env["DATABASE_URL"])
	}
	if !v.unbind("db") || v.unbind("db") || !v.unbind("mail") {
		t.Error("unbind does not say what it found")
	}
	if env, _ = v.environment(); env["DATABASE_URL"] != nil || strings.Contains(string(env["VCAP_SERVICES"]), userProvided) {
		t.Errorf("%s is left", env)
	}
	if _, err := readVCAP([]byte(`[]`)); err == nil {
		t.Error("a list is taken")
	}
}

// TestCredentialsAreRead from where they are not seen, and no error repeats them.
func TestCredentialsAreRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(file, []byte(`{"password": "hunter2"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ parameters, stdin, want, fails string }{
		"a file":                   {file, "", `{"password":"hunter2"}`, ""},
		"standard input":           {"-", `{"password": "hunter2"}`, `{"password":"hunter2"}`, ""},
		"no JSON":                  {"-", `password hunter2`, "", "is no JSON object"},
		"a list":                   {"-", `["hunter2"]`, "", "is no JSON object"},
		"null":                     {"-", `null`, "", "is no JSON object"},
		"too much":                 {"-", strings.Repeat("x", maxCredentials+1), "", "more than"},
		"no file":                  {filepath.Join(t.TempDir(), "none.json"), "", "", "no such file"},
		"names, and nobody to ask": {"user,password", "", "", "nobody to ask"},
	} {
		var said strings.Builder
		o := createService{target: &target{screen: screen{&said, &said}}, parameters: c.parameters}
		got, err := o.read(strings.NewReader(c.stdin))
		if string(got) != c.want || (err != nil) != (c.fails != "") || err != nil && (!strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
	var said strings.Builder
	o := createService{target: &target{screen: screen{&said, &said}}, parameters: `{"a": "hunter2"}`}
	if got, err := o.read(nil); err != nil || string(got) != `{"a":"hunter2"}` || !strings.Contains(said.String(), "list of processes") || strings.Contains(said.String(), "hunter2") {
		t.Errorf("%s %v %s", got, err, said.String())
	}
}
