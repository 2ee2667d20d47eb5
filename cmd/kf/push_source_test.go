package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/kf-tasks/kf-tasks/shared/manifest"
)

// TestPushSaysHowAnImageIsBuilt: as Kf's CLI writes it, as a merge patch; what is not said stays, and the same build is not asked for twice.
func TestPushSaysHowAnImageIsBuilt(t *testing.T) {
	const kind = `name: buildpackv3, kind: KfBuiltinTask, apiVersion: builtin.kf.dev/v1alpha1`
	const built = `{spec: {build: {updateRequests: 3, spec: {` + kind + `, nodeSelector: {disk: fast}, env: [{name: A, value: "1"}],
	  params: [{name: SOURCE_IMAGE, value: "r/s@1"}, {name: BUILDPACK, value: b}, {name: THEIRS, value: kept}]}}}`
	for name, c := range map[string]struct {
		source        source
		present, want string
	}{
		"a new App": {source{image: "r/s@1"}, ``, `{updateRequests: 1, spec: {` + kind + `, params: [{name: SOURCE_IMAGE, value: "r/s@1"}]}}`},
		"with everything": {source{image: "r/s@1", buildpacks: []string{"a", "b"}, builder: "r/b:1", runImage: "r/r:1", env: []string{"A=$x", "B="}}, ``,
			`{updateRequests: 1, spec: {` + kind + `, params: [{name: SOURCE_IMAGE, value: "r/s@1"}, {name: BUILDPACK, value: "a,b"}, {name: BUILDER_IMAGE, value: "r/b:1"},
			  {name: RUN_IMAGE, value: "r/r:1"}], env: [{name: A, value: "$x"}, {name: B, value: ""}]}}`},
		"another source": {source{image: "r/s@2"}, built + `}`, `{updateRequests: 4, spec: {` + kind + `, nodeSelector: {disk: fast}, env: [{name: A, value: "1"}],
			params: [{name: SOURCE_IMAGE, value: "r/s@2"}, {name: BUILDPACK, value: b}, {name: THEIRS, value: kept}]}}`},
		"the same source": {source{image: "r/s@1"}, built + `}`, `{spec: {` + kind + `, nodeSelector: {disk: fast}, env: [{name: A, value: "1"}],
			params: [{name: SOURCE_IMAGE, value: "r/s@1"}, {name: BUILDPACK, value: b}, {name: THEIRS, value: kept}]}}`},
		"the same source, which failed": {source{image: "r/s@1"}, built + `, status: {conditions: [{type: BuildReady, status: "False", reason: BuildFailed}]}}`,
			`{updateRequests: 4, spec: {` + kind + `, nodeSelector: {disk: fast}, env: [{name: A, value: "1"}],
			params: [{name: SOURCE_IMAGE, value: "r/s@1"}, {name: BUILDPACK, value: b}, {name: THEIRS, value: kept}]}}`},
		"the same source, which failed, and a rebase since": {source{image: "r/s@1", failed: true}, built + `, status: {conditions: [{type: BuildReady, status: "True", reason: Rebased}]}}`,
			`{updateRequests: 4, spec: {` + kind + `, nodeSelector: {disk: fast}, env: [{name: A, value: "1"}],
			params: [{name: SOURCE_IMAGE, value: "r/s@1"}, {name: BUILDPACK, value: b}, {name: THEIRS, value: kept}]}}`},
		"the builder's own buildpacks again": {source{image: "r/s@1", buildpacks: []string{"default"}, env: []string{"A=2"}}, built + `}`,
			`{updateRequests: 4, spec: {` + kind + `, nodeSelector: {disk: fast}, env: [{name: A, value: "2"}],
			params: [{name: SOURCE_IMAGE, value: "r/s@1"}, {name: THEIRS, value: kept}]}}`},
		"a Task of the operator's": {source{image: "r/s@2"}, `{spec: {build: {updateRequests: 1, spec: {name: own, kind: Task, params: [{name: SOURCE_IMAGE, value: "r/s@1"}]}}}}`,
			`{updateRequests: 2, spec: {name: own, kind: Task, params: [{name: SOURCE_IMAGE, value: "r/s@2"}]}}`},
		"an App that had an image": {source{image: "r/s@1"}, `{spec: {build: {image: "i:1", updateRequests: 1, theirs: 1}}}`,
			`{updateRequests: 2, image: null, spec: {` + kind + `, params: [{name: SOURCE_IMAGE, value: "r/s@1"}]}}`},
		"an App that Kf's CLI pushed": {source{image: "r/s@1"}, `{spec: {build: {updateRequests: 1, spec: {name: buildpackv2, kind: KfBuiltinTask,
			  sourcePackage: {name: p}, params: [{name: BUILDPACKS, value: x}], env: [{name: E, value: e}]}}}}`,
			`{updateRequests: 2, spec: {` + kind + `, sourcePackage: null, env: null, params: [{name: SOURCE_IMAGE, value: "r/s@1"}]}}`},
	} {
		o := push{source: c.source}
		var present map[string]any
		if c.present != "" {
			present = object(t, c.present)
		}
		before, _ := json.Marshal(present)
		build, err := o.build(present)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, _ := json.Marshal(build)
		want, _ := json.Marshal(object(t, c.want))
		if string(got) != string(want) {
			t.Errorf("%s:\n%s, want\n%s", name, got, want)
		}
		if _, asked := build["updateRequests"]; asked == o.source.same {
			t.Errorf("%s: asked for: %t, and said to be the same: %t", name, asked, o.source.same)
		}
		if after, _ := json.Marshal(present); string(after) != string(before) {
			t.Errorf("%s: the App that was read is changed: %s", name, after)
		}
	}
}

// TestHowABuildStands: the image of the build before does not make an App ready whose build is under way.
func TestHowABuildStands(t *testing.T) {
	for status, want := range map[string]buildState{
		``:                      buildUnseen,
		`observedGeneration: 7`: buildUnseen,
		`observedGeneration: 7, conditions: [{type: Ready, status: "True"}]`:                                                                                             buildUnseen,
		`observedGeneration: 6, conditions: [{type: BuildReady, status: "True", reason: Built}, {type: Ready, status: "True"}]`:                                          buildUnseen,
		`observedGeneration: 7, conditions: [{type: BuildReady, status: Unknown, reason: BuildNotStarted}, {type: Ready, status: Unknown}]`:                              buildWaiting,
		`observedGeneration: 7, buildName: b, conditions: [{type: BuildReady, status: Unknown, reason: Building}, {type: Ready, status: "True"}]`:                        buildRunning,
		`observedGeneration: 8, buildName: b, conditions: [{type: BuildReady, status: "False", reason: BuildFailed, message: no}, {type: Ready, status: "True"}]`:        buildFailed,
		`observedGeneration: 7, buildName: b, conditions: [{type: BuildReady, status: "True", reason: Built}, {type: Ready, status: Unknown}]`:                           buildWaiting,
		`observedGeneration: 7, buildName: b, conditions: [{type: BuildReady, status: "True", reason: Built}, {type: Ready, status: "False", reason: ImageUnreadable}]`:  buildFailed,
		`observedGeneration: 7, buildName: b, image: i, conditions: [{type: BuildReady, status: "True", reason: Built}, {type: Ready, status: "True"}]`:                  buildReady,
		`observedGeneration: 7, buildName: b, image: i, conditions: [{type: BuildReady, status: "False", reason: RebaseFailed}, {type: Ready, status: "True"}]`:          buildReady,
		`observedGeneration: 7, buildName: b, image: i, conditions: [{type: BuildReady, status: Unknown, reason: Rebasing}, {type: Ready, status: "True", reason: Old}]`: buildWaiting,
	} {
		got := standingOf(object(t, `{status: {`+status+`}}`), 7)
		if got.state != want {
			t.Errorf("%s: %d, want %d", status, got.state, want)
		}
		if want >= buildRunning && got.run != "b" || want == buildReady && got.image != "i" {
			t.Errorf("%s: %+v", status, got)
		}
	}
}

// TestFlagsCountForMoreThanAManifest.
func TestFlagsCountForMoreThanAManifest(t *testing.T) {
	app := manifest.Application{Name: "shop", Path: "src", Memory: "1G", CPU: "1", Command: ptr.To("serve"), Buildpacks: []string{"a"}, Stack: "s",
		Env: []manifest.Variable{{Name: "A", Value: "1"}}, Services: []manifest.Service{{Name: "db"}}}
	image := manifest.Application{Name: "shop", DockerImage: "i:1"}
	for name, c := range map[string]struct {
		flags push
		app   manifest.Application
		want  push
	}{
		"the manifest": {push{}, app, push{name: "shop", command: ptr.To("serve"), env: []string{"A=1"}, resources: resources{memory: "1G", cpu: "1"},
			source: source{dir: "ci/src", buildpacks: []string{"a"}, wished: "s"}, services: app.Services}},
		"flags": {push{command: ptr.To(""), env: []string{"A=2"}, resources: resources{memory: "2G"}, source: source{dir: "other", buildpacks: []string{"b"}}}, app,
			push{name: "shop", command: ptr.To(""), env: []string{"A=1", "A=2"}, resources: resources{memory: "2G", cpu: "1"},
				source: source{dir: "other", buildpacks: []string{"b"}, wished: "s"}, services: app.Services}},
		"a flag's image instead of the manifest's source": {push{image: "i:2"}, app, push{name: "shop", image: "i:2", command: ptr.To("serve"), env: []string{"A=1"},
			resources: resources{memory: "1G", cpu: "1"}, services: app.Services}},
		"the manifest's image":                            {push{}, image, push{name: "shop", image: "i:1"}},
		"a flag's source instead of the manifest's image": {push{source: source{dir: "."}}, image, push{name: "shop", source: source{dir: "."}}},
	} {
		got := c.flags.over(c.app, "ci")
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s:\n%+v, want\n%+v", name, *got, c.want)
		}
	}
}

// TestWhichAppsOfAManifestArePushed.
func TestWhichAppsOfAManifestArePushed(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	writeFile := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writeFile("two/manifest.yml", "applications: [{name: a, memory: ((m))}, {name: b, instances: 2}]")
	writeFile("one.yml", "applications: [{memory: 1G}]")
	writeFile("bad.yml", "applications:\n- name: a\n  nama: b")
	writeFile("vars.yml", "m: 1G")
	writeFile("here/manifest.yaml", "applications: [{name: here}]")
	for name, c := range map[string]struct {
		dir, args, want string // the Apps, or the error
		from            manifestFlags
		flag            string
	}{
		"all":                    {"", "", "a b", manifestFlags{file: "two", vars: []string{"m=1G"}}, ""},
		"one of two":             {"", "b", "b", manifestFlags{file: "two/manifest.yml", varsFiles: []string{"vars.yml"}}, "memory-limit"},
		"a flag for two":         {"", "", "--memory-limit is for one App, and two/manifest.yml has 2", manifestFlags{file: "two", vars: []string{"m=1G"}}, "memory-limit"},
		"none of the name":       {"", "c", `there is no App "c" in it, but a, b; --no-manifest leaves it aside`, manifestFlags{file: "two", vars: []string{"m=1G"}}, ""},
		"a variable's missing":   {"", "", "two/manifest.yml: line 1: the variable ((m)) has no value", manifestFlags{file: "two"}, ""},
		"the name by the flag":   {"", "x", "x", manifestFlags{file: "one.yml"}, ""},
		"no name":                {"", "", "one.yml: line 1: the App has no name", manifestFlags{file: "one.yml"}, ""},
		"wrong":                  {"", "", `bad.yml: line 3: unknown key "nama"`, manifestFlags{file: "bad.yml"}, ""},
		"no file":                {"", "", "no such file", manifestFlags{file: "none.yml"}, ""},
		"no file in a folder":    {"", "", "there is no manifest.yml in .", manifestFlags{file: "."}, ""},
		"that of the folder":     {"here", "", "here", manifestFlags{}, ""},
		"left aside":             {"here", "x", "x", manifestFlags{none: true}, ""},
		"neither name nor file":  {"", "", "name the App", manifestFlags{}, ""},
		"variables for nothing":  {"", "x", "--var and --vars-file are for a manifest", manifestFlags{vars: []string{"a=b"}}, ""},
		"with and without":       {"", "x", "each other's opposite", manifestFlags{file: "x", none: true}, ""},
		"no file of variables":   {"", "", "--vars-file none: ", manifestFlags{file: "two", varsFiles: []string{"none"}}, ""},
		"a variable without one": {"", "", `--var "x": write NAME=VALUE`, manifestFlags{file: "two", vars: []string{"x"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(filepath.Join(dir, c.dir))
			var said bytes.Buffer
			o := push{target: &target{screen: screen{&said, &said}}}
			flags := pflag.NewFlagSet("", pflag.ContinueOnError)
			flags.String("memory-limit", "", "")
			if c.flag != "" {
				if err := flags.Set(c.flag, "1G"); err != nil {
					t.Fatal(err)
				}
			}
			apps, err := o.apps(flags, strings.Fields(c.args), c.from)
			var got []string
			for _, app := range apps {
				got = append(got, app.name)
			}
			if err == nil && strings.Join(got, " ") != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v %v, want %s", got, err, c.want)
			}
			if name == "all" && !strings.Contains(said.String(), "Warning: two/manifest.yml: line 1: instances is not heeded: ") {
				t.Errorf("said %q", said.String())
			}
		})
	}
}

// TestSettingsOfBuilds: the Space's registry before the cluster's; a stack's images unless flags name others.
func TestSettingsOfBuilds(t *testing.T) {
	settings := &unstructured.Unstructured{Object: object(t, `{data: {containerRegistry: " r/kf ", insecureRegistries: "a:5000, b,"}}`)}
	space := &unstructured.Unstructured{Object: object(t, `{status: {buildConfig: {containerRegistry: own/kf, stacksV3: [{name: s, buildImage: b:1, runImage: r:1}]}}}`)}
	if s := readBuildSettings(nil, nil); !reflect.DeepEqual(s, buildSettings{}) {
		t.Errorf("of nothing: %+v", s)
	}
	if s := readBuildSettings(settings, nil); s.registry != "r/kf" || strings.Join(s.insecure, "|") != "a:5000|b" {
		t.Errorf("of the cluster: %+v", s)
	}
	s := readBuildSettings(settings, space)
	if s.registry != "own/kf" || !reflect.DeepEqual(s.stacks, []stack{{"s", "b:1", "r:1"}}) {
		t.Errorf("of the Space: %+v", s)
	}
	var said bytes.Buffer
	for name, c := range map[string]struct {
		source                  source
		builder, run, err, said string
	}{
		"none":                   {source{}, "", "", "", ""},
		"there":                  {source{stack: "s"}, "b:1", "r:1", "", ""},
		"the manifest's":         {source{wished: "s"}, "b:1", "r:1", "", ""},
		"flags":                  {source{stack: "s", builder: "x"}, "x", "r:1", "", ""},
		"not there":              {source{stack: "t"}, "", "", `there is no stack "t" in Space "", but s: leave it out`, ""},
		"the manifest's and not": {source{wished: "t"}, "", "", "", `Warning: there is no stack "t"`},
	} {
		said.Reset()
		o := push{target: &target{screen: screen{&said, &said}}, source: c.source}
		err := o.chooseStack(s.stacks)
		if o.source.builder != c.builder || o.source.runImage != c.run || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %+v %v", name, o.source, err)
		}
		if (said.Len() == 0) != (c.said == "") || !strings.Contains(said.String(), c.said) {
			t.Errorf("%s: said %q", name, said.String())
		}
	}
}

// TestSizesAreForPeople.
func TestSizesAreForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 999: "999 bytes", 1000: "1.0 kB", 1_500_000: "1.5 MB", 2 << 30: "2.1 GB", 5e15: "5000.0 TB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// TestWhatABuildWaitsFor: a Pod that does not run says why, and one that is only being made says nothing.
func TestWhatABuildWaitsFor(t *testing.T) {
	waiting := func(reason, message string) []corev1.ContainerStatus {
		return []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}
	}
	for name, test := range map[string]struct {
		status corev1.PodStatus
		want   string
	}{
		"no room": {corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available: 1 Insufficient cpu."}}},
			"0/1 nodes are available: 1 Insufficient cpu."},
		"no image":   {corev1.PodStatus{ContainerStatuses: waiting("ImagePullBackOff", "not found")}, "ImagePullBackOff: not found"},
		"being made": {corev1.PodStatus{InitContainerStatuses: waiting("PodInitializing", "")}, ""},
		"runs":       {corev1.PodStatus{Phase: corev1.PodRunning}, ""},
	} {
		if got := podWaits(&corev1.Pod{Status: test.status}); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
