package manifest

import (
	"encoding/json"
	"strings"
	"testing"
)

func read(t testing.TB, text string, files, pairs []string) (*Manifest, error) {
	t.Helper()
	vars := Vars{}
	for _, file := range files {
		if err := vars.AddFile([]byte(file)); err != nil {
			t.Fatal(err)
		}
	}
	for _, pair := range pairs {
		if err := vars.Add(pair); err != nil {
			t.Fatal(err)
		}
	}
	return Parse([]byte(text), vars)
}

// TestManifest has what Cloud Foundry's documentation shows, as far as Tasks use it.
func TestManifest(t *testing.T) {
	for name, c := range map[string]struct {
		text         string
		files, pairs []string
		want         string // the applications, without their lines
	}{
		"everything": {`
version: 1
applications:
- name: shop
  path: src
  memory: 256M
  disk_quota: 1G
  cpu: 500m
  command: bin/serve
  stack: cflinuxfs4
  buildpacks: [a/b, c]
  env: {B: 010, A: true, C: "x y", D: 1.50}
  services:
  - db
  - {name: mail, binding_name: post}
`, nil, nil, `[{"Name": "shop", "Path": "src", "Memory": "256M", "Disk": "1G", "CPU": "500m", "Command": "bin/serve", "Stack": "cflinuxfs4", "Buildpacks": ["a/b", "c"],
			"Env": [{"Name": "A", "Value": "true"}, {"Name": "B", "Value": "010"}, {"Name": "C", "Value": "x y"}, {"Name": "D", "Value": "1.50"}],
			"Services": [{"Name": "db"}, {"Name": "mail", "BindingName": "post"}]}]`},
		"an image":                    {"applications: [{name: a, docker: {image: i:1}, command: null}]", nil, nil, `[{"Name": "a", "DockerImage": "i:1", "Command": ""}]`},
		"the default command":         {"applications: [{command: default}]", nil, nil, `[{"Command": ""}]`},
		"a process of its own":        {"applications: [{memory: 1G, processes: [{type: task, command: run, memory: 2G, disk_quota: 3G}]}]", nil, nil, `[{"Command": "run", "Memory": "2G", "Disk": "3G"}]`},
		"the process before the App":  {"applications: [{processes: [{type: task, memory: 2G}], memory: 1G}]", nil, nil, `[{"Memory": "2G"}]`},
		"the old word for buildpacks": {"applications: [{buildpack: b}, {name: a, buildpack: null}]", nil, nil, `[{"Buildpacks": ["b"]}, {"Name": "a"}]`},
		"a merge": {`
defaults: &d
  memory: 1G
  env: &e {A: 1}
applications:
- <<: *d
  name: a
  env: {<<: *e, B: 2}
- <<: [{memory: 3G}, *d]
  name: b
`, nil, nil, `[{"Name": "a", "Memory": "1G", "Env": [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "2"}]},
			{"Name": "b", "Memory": "3G", "Env": [{"Name": "A", "Value": "1"}]}]`},
		"an alias for a value": {"x: [&m 1G]\napplications: [{memory: *m}]", nil, nil, `[{"Memory": "1G"}]`},
		"variables": {"applications: [{name: ((name))-((n)), memory: ((m)), services: ((list)), env: {((key)): 'a ((m)) ((deep.er.est))'}, buildpacks: [((b))]}]",
			[]string{"m: 1G\nlist: [a, b]\ndeep: {er: {est: d}}\nb: one", "m: 2G"}, []string{"name=shop", "n=1", "key=K", "b=two=2"},
			`[{"Name": "shop-1", "Memory": "2G", "Services": [{"Name": "a"}, {"Name": "b"}], "Env": [{"Name": "K", "Value": "a 2G d"}], "Buildpacks": ["two=2"]}]`},
		"a value is not looked at again": {"applications: [{command: ((a))}]", nil, []string{"a=((b))"}, `[{"Command": "((b))"}]`},
		"a variable with an anchor":      {"x: &x ((a))\napplications: [{command: *x}]", nil, []string{"a=run"}, `[{"Command": "run"}]`},
		"no variable":                    {"applications: [{command: 'echo $((1+1)) ((  ))'}]", nil, nil, `[{"Command": "echo $((1+1)) ((  ))"}]`},
		"an empty value":                 {"applications: [{env: {A: ((a)), B: ''}}]", nil, []string{"a="}, `[{"Env": [{"Name": "A"}, {"Name": "B"}]}]`},
	} {
		m, err := read(t, c.text, c.files, c.pairs)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var want []Application
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		for i := range m.Applications {
			m.Applications[i].Line = 0
		}
		got, _ := json.Marshal(m.Applications)
		wanted, _ := json.Marshal(want)
		if string(got) != string(wanted) || len(m.Warnings) > 0 {
			t.Errorf("%s: %s %q\nwant %s", name, got, m.Warnings, wanted)
		}
	}
}

// TestWhatIsNotHeededIsNamed, with its line.
func TestWhatIsNotHeededIsNamed(t *testing.T) {
	m, err := read(t, `applications:
- name: shop
  instances: 3
  routes:
  - route: shop.example
  health-check-type: http
  timeout: 60
  random-route: true
  sidecars: []
  docker: {image: i, username: u}
  services: [{name: db, parameters: {a: 1}}]
  metadata: {labels: {a: b}}
  processes:
  - type: web
    instances: 2
  - type: task
    health-check-type: none
`, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"line 3: instances ", "line 4: routes ", "line 6: health-check-type ", "line 7: timeout ", "line 8: random-route ", "line 9: sidecars ",
		"line 10: username ", "line 11: parameters ", "line 12: metadata ", `line 14: the process "web" `, "line 17: health-check-type "}
	if len(m.Warnings) != len(want) {
		t.Fatalf("%q", m.Warnings)
	}
	for i, w := range want {
		if !strings.HasPrefix(m.Warnings[i], w) || strings.HasSuffix(m.Warnings[i], ": ") {
			t.Errorf("%q, want %q", m.Warnings[i], w)
		}
	}
}

// TestWhatIsWrongIsSaid, with its line.
func TestWhatIsWrongIsSaid(t *testing.T) {
	for text, want := range map[string]string{
		"":                                               "it is empty",
		"# nothing":                                      "it is empty",
		"a: [":                                           "line ",
		"[]":                                             "line 1: the manifest has to be a mapping (key: value), and is a list",
		"version: 1":                                     "line 1: it has no applications",
		"applications: 1":                                "line 1: applications has to be a list (- item), and is text",
		"applications: []":                               "line 1: it has no applications",
		"applications:\n- 1":                             "line 2: an application has to be a mapping",
		"version: 2\napplications: [{}]":                 "line 1: version can be 1",
		"app: {}\napplications: [{}]":                    `line 1: unknown key "app"`,
		"inherit: x\napplications: [{}]":                 "line 1: Cloud Foundry has no inherit any more",
		"applications:\n- name: a\n  nama: b":            `line 3: unknown key "nama" of an application`,
		"applications:\n- name: a\n  name: b":            "line 3: name stands at line 2 already",
		"applications:\n- name: a\n- name: a":            `line 3: the App "a" stands at line 2 already`,
		"applications:\n- name: [a]":                     "line 2: name has to be text, and is a list",
		"applications:\n- name:\n":                       "line 2: name has no value",
		"applications:\n- name: ''\n":                    "line 2: name is empty",
		"applications:\n- env:\n    A: {b: c}":           "line 3: A has to be text, and is a mapping",
		"applications:\n- env:\n    A:\n":                "line 3: A has no value",
		"applications:\n- env:\n    A=B: x":              `line 3: "A=B" is no name of a variable`,
		"applications:\n- env: [A=B]":                    "line 2: env has to be a mapping",
		"applications:\n- env:\n    A: 1\n    A: 2":      "line 4: A stands at line 3 already",
		"applications:\n- buildpacks: [[a]]":             "line 2: an item of buildpacks has to be text",
		"applications:\n- services: [{nama: a}]":         `line 2: unknown key "nama" of a service`,
		"applications:\n- services: [{binding_name: a}]": "line 2: a service needs a name",
		"applications:\n- docker: {}":                    "line 2: docker needs an image",
		"applications:\n- docker: {image: i}\n  path: .": "line 2: the App has both an image",
		"applications:\n- processes: [{memory: 1G}]":     "line 2: a process needs a type",
		"applications:\n- processes:\n  - type: task\n  - type: task": `line 4: there is another process of type "task"`,
		"applications:\n- processes: [{type: task, path: x}]":         `line 2: unknown key "path" of a process`,
		"applications:\n- command: ((a))":                             "line 2: the variable ((a)) has no value: give it one by --var a=VALUE",
		"applications:\n- command: x ((a.b)) y":                       "line 2: the variable ((a.b)) has no value",
		"applications:\n- command: x\n- name: b\n---\na: b":           "there is more than one document",
		"applications:\n- command: ((map))":                           "line 2: command has to be text, and is a mapping",
		"applications:\n- command: x ((map))":                         "line 2: ((map)) is a mapping, and stands within text",
		"applications:\n- command: ((map.y))":                         `line 2: ((map.y)): there is no key "y" in its value`,
		"applications:\n- <<: 1":                                      "line 2: what is merged (<<) has to be a mapping",
		"a: &a {<<: *a}\napplications: [*a]":                          "merges are nested more than 100 deep",
		"applications: &a\n- *a":                                      "an application has to be a mapping",
		"applications:\n- *nowhere":                                   "unknown anchor",
		"applications:\n- ? [a]\n  : b":                               "a key has to be text",
		strings.Repeat(" ", MaxSize+1):                                "it has more than",
		"x: &a {a: 1}\ny: &b {<<: [" + stars("*a") + "]}\nz: &c {<<: [" + stars("*b") + "]}\napplications: [{<<: [" + stars("*c") + "]}]": "say too much",
	} {
		if _, err := read(t, text, []string{"map: {x: 1}"}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.200q: %v, want %q", text, err, want)
		}
	}
	for _, pair := range []string{"a", "=b", "a b=c", "((a))=b", "a=[", "a=&x [*x"} {
		if err := (Vars{}).Add(pair); err == nil {
			t.Errorf("--var %s is taken", pair)
		}
	}
	if err := (Vars{}).AddFile([]byte("- a")); err == nil || !strings.Contains(err.Error(), "line 1: a file of variables has to be a mapping") {
		t.Errorf("a list of variables: %v", err)
	}
}

// stars is a hundred aliases.
func stars(alias string) string { return strings.TrimSuffix(strings.Repeat(alias+", ", 100), ", ") }

// FuzzParse: whatever a manifest says, it is read in little time, and what is wrong with it is one line.
func FuzzParse(f *testing.F) {
	f.Add("applications: [{name: a, env: {A: ((v))}, <<: {memory: 1G}}]", "v: 1")
	f.Add("x: &x {<<: *x}\napplications: [*x]", "v: &v [*v]")
	f.Add("applications:\n- processes: [{type: task, command: ((v.a.b))}]", "v: {a: {b: c}}")
	f.Fuzz(func(t *testing.T, text, file string) {
		vars := Vars{}
		_ = vars.AddFile([]byte(file))
		_ = vars.Add(file)
		m, err := Parse([]byte(text), vars)
		if (m == nil) == (err == nil) {
			t.Errorf("%v %v", m, err)
		}
	})
}

// TestAManifestOfVariablesWithoutValues ends soon, and says so in a few lines.
func TestAManifestOfVariablesWithoutValues(t *testing.T) {
	_, err := Parse([]byte("applications:\n- name: "+strings.Repeat("((x))", MaxSize/6)), Vars{})
	if err == nil || len(err.Error()) > 2000 || !strings.Contains(err.Error(), "((x)) has no value") {
		t.Errorf("%.200v", err)
	}
}
