package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
		of := &target{screen: screen{&said, &said}}
		got, err := of.parametersOf(c.parameters, strings.NewReader(c.stdin))
		if string(got) != c.want || (err != nil) != (c.fails != "") || err != nil && (!strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
	var said strings.Builder
	of := &target{screen: screen{&said, &said}}
	if got, err := of.parametersOf(`{"a": "hunter2"}`, nil); err != nil || string(got) != `{"a":"hunter2"}` || !strings.Contains(said.String(), "list of processes") || strings.Contains(said.String(), "hunter2") {
		t.Errorf("%s %v %s", got, err, said.String())
	}
}
