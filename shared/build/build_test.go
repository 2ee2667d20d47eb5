package build

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun/golden"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// app is one that kf push makes from a folder, changed.
func app(change func(*v1alpha1.App)) *v1alpha1.App {
	a := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "shop", UID: "uid-1"}}
	a.Spec.Build.UpdateRequests = 1
	a.Spec.Build.Spec = &v1alpha1.BuildSpec{
		BuildTaskRef: v1alpha1.BuildTaskRef{Name: v1alpha1.BuildpackV3Task, Kind: v1alpha1.BuiltinTaskKind, APIVersion: v1alpha1.BuiltinTaskAPIVersion},
		Params:       []v1alpha1.BuildParam{{Name: v1alpha1.ParamSourceImage, Value: "registry.example/kf/src-team-shop@" + digest}},
	}
	if change != nil {
		change(a)
	}
	return a
}

func param(name, value string) func(*v1alpha1.App) {
	return func(a *v1alpha1.App) {
		a.Spec.Build.Spec.Params = append(a.Spec.Build.Spec.Params, v1alpha1.BuildParam{Name: name, Value: value})
	}
}

func options(t *testing.T, data map[string]string) Options {
	t.Helper()
	all := map[string]string{"containerRegistry": "registry.example/kf/", "builderImage": "registry.example/kf/builder:1"}
	for k, v := range data {
		all[k] = v
	}
	s, err := ReadSettings(all)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Settings: s, StepImage: "registry.example/kf-tasks/step@" + digest, Namespace: "kf-tasks"}
}

// full is an App that says all that it can.
func full(a *v1alpha1.App) {
	param(v1alpha1.ParamBuildpack, "example/ruby@1.2.3, example/procfile")(a)
	param(v1alpha1.ParamRunImage, "registry.example/kf/run:2")(a)
	a.Spec.Build.Spec.Env = []corev1.EnvVar{{Name: "BP_RUBY", Value: "3"}, {Name: "TEXT", Value: "$(params.x) $$(A) `id` \"q\"\n<&>"}}
	a.Spec.Build.Spec.NodeSelector = map[string]string{"disk": "fast"}
	a.Spec.Template.Spec.ServiceAccountName = "shop"
	a.Spec.Template.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "pull"}}
	a.Status.Image = "registry.example/kf/app-team.shop@" + digest
	a.Spec.Build.RebaseRequests = 2
}

func TestRender(t *testing.T) {
	for name, test := range map[string]struct {
		app    func(*v1alpha1.App)
		render func(*v1alpha1.App, Options) (*tekton.PipelineRun, error)
	}{
		"plain":  {nil, Render},
		"full":   {full, Render},
		"rebase": {full, Rebase},
		"own task": {func(a *v1alpha1.App) {
			a.Spec.Build.Spec.BuildTaskRef = v1alpha1.BuildTaskRef{Name: "append", Kind: "Task", APIVersion: "tekton.dev/v1"}
			param("BASE_IMAGE", "registry.example/base:1")(a)
		}, Render},
		"own task of all": {func(a *v1alpha1.App) {
			a.Spec.Build.Spec.BuildTaskRef = v1alpha1.BuildTaskRef{Name: "append", Kind: "ClusterTask"}
		}, Render},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, nil)
			if name == "full" || name == "rebase" {
				o = options(t, map[string]string{"insecureRegistries": "registry.example,10.0.0.1:5000", "timeout": "20m", "memory": "2Gi", "cpu": "1", "userID": "1001"})
				o.PullSecrets = []string{"pull", "of-the-account"}
			}
			run, err := test.render(app(test.app), o)
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, name, run)
			confined(t, run)
		})
	}
}

// confined: what buildpacks and source bring sees no credentials, and can change no program that runs later.
func confined(t *testing.T, run *tekton.PipelineRun) {
	t.Helper()
	for _, task := range run.Spec.PipelineSpec.Tasks {
		if task.TaskSpec == nil {
			continue
		}
		for _, s := range task.TaskSpec.Steps {
			for _, m := range s.VolumeMounts {
				secret := m.Name == "registry" || strings.HasPrefix(m.Name, "credentials-")
				if secret && (s.Name == "detect" || s.Name == "build") {
					t.Errorf("step %s sees %s", s.Name, m.Name)
				}
				if m.Name == "step" && s.Name != "source" && !m.ReadOnly {
					t.Errorf("step %s can change the program of the others", s.Name)
				}
			}
			for _, w := range slices.Concat(s.Command, s.Args) {
				if strings.Contains(strings.NewReplacer(result(ResultLog), "", result(ResultDigest), "").Replace(w), "$") {
					t.Errorf("step %s has %q, which Tekton or Kubernetes reads", s.Name, w)
				}
			}
			for _, e := range s.Env {
				if strings.Contains(e.Value, "$") {
					t.Errorf("step %s has %s=%q, which Tekton or Kubernetes reads", s.Name, e.Name, e.Value)
				}
			}
		}
	}
}

// TestEachInputIsInTheName: another build has another name, and the same one has the same.
func TestEachInputIsInTheName(t *testing.T) {
	changes := map[string]func(*v1alpha1.App){
		"nothing":            nil,
		"another App":        func(a *v1alpha1.App) { a.UID = "uid-2" },
		"asked for again":    func(a *v1alpha1.App) { a.Spec.Build.UpdateRequests++ },
		"another source":     func(a *v1alpha1.App) { a.Spec.Build.Spec.Params[0].Value += "0" },
		"a builder":          param(v1alpha1.ParamBuilderImage, "b"),
		"a run image":        param(v1alpha1.ParamRunImage, "b"),
		"buildpacks":         param(v1alpha1.ParamBuildpack, "b"),
		"a variable":         func(a *v1alpha1.App) { a.Spec.Build.Spec.Env = []corev1.EnvVar{{Name: "A", Value: "b"}} },
		"another variable":   func(a *v1alpha1.App) { a.Spec.Build.Spec.Env = []corev1.EnvVar{{Name: "Ab"}} },
		"another way":        func(a *v1alpha1.App) { a.Spec.Build.Spec.Name = "kaniko" },
		"another kind":       func(a *v1alpha1.App) { a.Spec.Build.Spec.Kind = "Task" },
		"other nodes":        func(a *v1alpha1.App) { a.Spec.Build.Spec.NodeSelector = map[string]string{"a": "b"} },
		"fields in one text": param("BUILDER_IMAGEb", ""),
	}
	seen := map[string]string{}
	for name, change := range changes {
		got := Name(app(change))
		if other, there := seen[got]; there {
			t.Errorf("%s and %s have one name", name, other)
		}
		if seen[got] = name; got != Name(app(change)) || !strings.HasPrefix(got, "shop-build-") || len(got) != len("shop-build-")+12 {
			t.Errorf("%s: %s", name, got)
		}
	}
	twoParams := app(func(a *v1alpha1.App) { param("A", "1")(a); param("B", "2")(a) })
	inOtherOrder := app(func(a *v1alpha1.App) { param("B", "2")(a); param("A", "1")(a) })
	if Name(twoParams) != Name(inOtherOrder) {
		t.Error("a map's order is in the name")
	}
}

func TestNamesOfLongApps(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range []string{strings.Repeat("a", 57), strings.Repeat("a", 56) + "b", strings.Repeat("a", 43) + ".b", strings.Repeat("a", 42) + "-.b", "a"} {
		a := app(func(a *v1alpha1.App) { a.Name = name; a.Spec.Build.RebaseRequests = 1 })
		for _, n := range []string{Name(a), RebaseName(a)} {
			if seen[n] || len(n) > 63 || len(validation.IsDNS1123Subdomain(n)) > 0 {
				t.Errorf("%s: %s", name, n)
			}
			seen[n] = true
			if !strings.HasPrefix(tag(n), "build-") && !strings.HasPrefix(tag(n), "rebase-") {
				t.Errorf("%s: tag %s", n, tag(n))
			}
		}
	}
	if RebaseName(app(nil)) != "" {
		t.Error("a rebase that nobody has asked for has a name")
	}
}

func TestWhatCantBeBuilt(t *testing.T) {
	env := func(name, value string) func(*v1alpha1.App) {
		return func(a *v1alpha1.App) { a.Spec.Build.Spec.Env = []corev1.EnvVar{{Name: name, Value: value}} }
	}
	own := func(change func(*v1alpha1.App)) func(*v1alpha1.App) {
		return func(a *v1alpha1.App) {
			a.Spec.Build.Spec.BuildTaskRef = v1alpha1.BuildTaskRef{Name: "mine", Kind: "Task"}
			change(a)
		}
	}
	for name, test := range map[string]struct {
		app  func(*v1alpha1.App)
		want string
	}{
		"no source":                    {func(a *v1alpha1.App) { a.Spec.Build.Spec.Params = nil }, "there is no source"},
		"no such way":                  {func(a *v1alpha1.App) { a.Spec.Build.Spec.Name = "kaniko" }, `no way to build "kaniko"`},
		"a source of Tekton's":         {func(a *v1alpha1.App) { a.Spec.Build.Spec.Params[0].Value = "$(params.x)" }, "SOURCE_IMAGE"},
		"a source's host of Tekton's":  {func(a *v1alpha1.App) { a.Spec.Build.Spec.Params[0].Value = "$(context.taskRun.name)/foo/bar@" + digest }, "SOURCE_IMAGE"},
		"a builder's host of Tekton's": {param(v1alpha1.ParamBuilderImage, "$(results.LOG.path)/foo/bar"), "BUILDER_IMAGE"},
		"a builder with words":         {param(v1alpha1.ParamBuilderImage, "a b"), "BUILDER_IMAGE"},
		"a run image of Tekton's":      {param(v1alpha1.ParamRunImage, "a$(context.x)"), "RUN_IMAGE"},
		"a buildpack by URL":           {param(v1alpha1.ParamBuildpack, "https://example.com/x"), "not the ID of a buildpack"},
		"a buildpack upwards":          {param(v1alpha1.ParamBuildpack, "a/../../b"), "not the ID of a buildpack"},
		"a variable upwards":           {env("../A", "b"), "variable"},
		"a variable of NUL":            {env("A", "\x00"), "NUL"},
		"too large a variable":         {env("A", strings.Repeat("<", 30000)), "the build's environment"},
		"a kind that is none":          {func(a *v1alpha1.App) { a.Spec.Build.Spec.Kind = "Pod" }, `kind "Pod"`},
		"a Task upwards":               {own(func(a *v1alpha1.App) { a.Spec.Build.Spec.Name = "../x" }), "name of a Tekton Task"},
		"a parameter of Tekton's":      {own(param("X", "$(context.x)")), `parameter "X"`},
		"a Task's environment":         {own(env("A", "b")), "no environment"},
	} {
		_, err := Render(app(test.app), options(t, nil))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), ErrNotSet.Error()) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestWhatCantBeRebased: an image that is not where builds go has no name there that the lifecycle could put another run image under.
func TestWhatCantBeRebased(t *testing.T) {
	elsewhere := func(a *v1alpha1.App) { full(a); a.Status.Image = "old.example/kf/app-team.shop@" + digest }
	own := func(a *v1alpha1.App) {
		full(a)
		a.Spec.Build.Spec.Env = nil
		a.Spec.Build.Spec.BuildTaskRef = v1alpha1.BuildTaskRef{Name: "mine", Kind: "Task"}
	}
	for want, change := range map[string]func(*v1alpha1.App){"push the App again": elsewhere, "only what they build": own} {
		if _, err := Rebase(app(change), options(t, nil)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestWhatAnOperatorHasYetToSet(t *testing.T) {
	for key, want := range map[string]string{"containerRegistry": "set containerRegistry", "builderImage": "set builderImage"} {
		_, err := Render(app(nil), options(t, map[string]string{key: ""}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestReadSettings(t *testing.T) {
	if s, err := ReadSettings(nil); err != nil || fmt.Sprint(s) != fmt.Sprint(Defaults()) {
		t.Errorf("%+v %v", s, err)
	}
	s, err := ReadSettings(map[string]string{"containerRegistry": "r.example:5000/kf/ ", "insecureRegistries": "r.example:5000, 10.0.0.1", "timeout": " ", "keep": "2"})
	if err != nil || s.Repository("a-b", "c") != "r.example:5000/kf/app-a-b.c" || !s.Insecure("r.example:5000/kf/x:1") ||
		s.Insecure("r.example/kf/x:1") || s.Keep != 2 || s.Timeout != time.Hour {
		t.Errorf("%+v %v", s, err)
	}
	if s.Repository("a-b", "c") == s.Repository("a", "b-c") {
		t.Error("two Apps have one repository")
	}
	for key, bad := range map[string][]string{
		"containerRegistry": {"kf", "registry.example/a b", "$(x)", "http://registry.example"}, "builderImage": {"a b"}, "runImage": {"$(x)"},
		"insecureRegistries": {"http://r.example", "a,,b", "r:99999"}, "timeout": {"1", "0s", "-1h"}, "memory": {"lots", "1"}, "cpu": {"0"}, "disk": {"20"},
		"keep": {"0", "x"}, "userID": {"0", "-1", "root"}, "groupID": {"0"}, "unknown": {"x"},
	} {
		for _, value := range bad {
			if _, err := ReadSettings(map[string]string{key: value}); err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("%s %q: %v", key, value, err)
			}
		}
	}
}

// TestSettingsInASpace: what a Space says counts before what holds for all, and what an App says before both.
func TestSettingsInASpace(t *testing.T) {
	of := &v1alpha1.Space{}
	of.Name = "team"
	of.Spec.BuildConfig.ContainerRegistry = "r.example/team"
	of.Spec.BuildConfig.ServiceAccount = "builds"
	of.Spec.BuildConfig.Env = []v1alpha1.SpaceEnvVar{{EnvVar: v1alpha1.EnvVar{Name: "BP_RUBY", Value: "2"}}, {EnvVar: v1alpha1.EnvVar{Name: "PROXY", Value: "p"}}}
	of.Spec.Build.BuilderImage = "r.example/builder:2"
	all := options(t, map[string]string{"runImage": "r.example/run:1"}).Settings
	if s, err := all.In(nil); err != nil || s.ContainerRegistry != all.ContainerRegistry || s.ServiceAccountOf(app(nil)) != "default" {
		t.Errorf("no Space: %+v %v", s, err)
	}
	s, err := all.In(of)
	if err != nil || s.Repository("team", "shop") != "r.example/team/app-team.shop" || s.ServiceAccountOf(app(nil)) != "builds" || s.ServiceAccountOf(app(full)) != "shop" {
		t.Errorf("%+v %v", s, err)
	}
	for name, want := range map[string]struct {
		app               *v1alpha1.App
		builder, run, env string
	}{
		"silent": {app(nil), "r.example/builder:2", "r.example/run:1", "map[BP_RUBY:2 PROXY:p]"},
		"own": {app(func(a *v1alpha1.App) {
			param(v1alpha1.ParamBuilderImage, "r.example/builder:3")(a)
			a.Spec.Build.Spec.Env = []corev1.EnvVar{{Name: "BP_RUBY", Value: "3"}}
		}), "r.example/builder:3", "r.example/run:1", "map[BP_RUBY:3 PROXY:p]"},
	} {
		in, err := InputsOf(want.app, s)
		if err != nil || in.Builder != want.builder || in.Run != want.run || fmt.Sprint(in.Env) != want.env {
			t.Errorf("%s: %+v %v", name, in, err)
		}
	}
	of.Spec.Build.RunImage = "a b"
	if _, err := all.In(of); err == nil || !strings.Contains(err.Error(), "Space team: runImage") {
		t.Errorf("%v", err)
	}
}

// ended is a run as Tekton leaves it.
func ended(status corev1.ConditionStatus, reason, message string) *tekton.PipelineRun {
	run := &tekton.PipelineRun{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.ImageAnnotation: "r.example:5000/kf/app-team.shop:build-1"}}}
	run.Spec.Timeouts = &tekton.TimeoutFields{Pipeline: &metav1.Duration{Duration: time.Hour}}
	run.Status.Conditions = duckv1.Conditions{{Type: apis.ConditionSucceeded, Status: status, Reason: reason, Message: message}}
	return run
}

func TestOutcomeOf(t *testing.T) {
	made := func(d string) *tekton.PipelineRun {
		run := ended("True", "Succeeded", "")
		run.Status.Results = []tekton.PipelineRunResult{{Name: ResultDigest, Value: *tekton.NewStructuredValues(d)}}
		return run
	}
	failed := ended("False", "Failed", "Tasks Completed: 1 (Failed: 1)")
	told := &tekton.TaskRun{}
	told.Status.Results = []tekton.TaskRunResult{{Name: ResultLog, Value: *tekton.NewStructuredValues("detect failed with exit code 20:\nno buildpack\n")}}
	silent := &tekton.TaskRun{}
	silent.Status.Steps = []tekton.StepState{{Name: "build", ContainerState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}}}}
	evicted := &tekton.TaskRun{}
	evicted.Status.Conditions = duckv1.Conditions{{Type: apis.ConditionSucceeded, Status: "False", Message: "The node was low on resource: memory"}}
	for name, test := range map[string]struct {
		run     *tekton.PipelineRun
		taskRun *tekton.TaskRun
		image   string
		failure string
	}{
		"an image":                {made(digest + "\n"), nil, "r.example:5000/kf/app-team.shop@" + digest, ""},
		"no digest":               {made("latest"), nil, "", `its result IMAGE_DIGEST is "latest"`},
		"another's digest":        {made("x@" + digest), nil, "", "IMAGE_DIGEST"},
		"a phase that has failed": {failed, told, "", "detect failed with exit code 20: | no buildpack"},
		"out of memory":           {failed, silent, "", "build: exit code 137, out of memory"},
		"evicted":                 {failed, evicted, "", "low on resource"},
		"its TaskRun is gone":     {failed, nil, "", "Failed: 1"},
		"too long":                {ended("False", "PipelineRunTimeout", ""), told, "", "longer than 1h0m0s"},
		"cancelled":               {ended("False", "Cancelled", ""), nil, "", "cancelled"},
	} {
		got := OutcomeOf(test.run, test.taskRun)
		if got.Image != test.image || (got.Failure == "") != (test.failure == "") || !strings.Contains(got.Failure, test.failure) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestRetain: superseded builds are cancelled, and the newest kept; what runs, or is the App's, or another's, is never deleted.
func TestRetain(t *testing.T) {
	owner := app(nil)
	run := func(name string, age int, change func(*tekton.PipelineRun)) *tekton.PipelineRun {
		r := ended("True", "Succeeded", "")
		r.Name, r.CreationTimestamp = name, metav1.NewTime(time.Unix(int64(1000-age), 0))
		r.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, v1alpha1.GroupVersion.WithKind("App"))}
		if change != nil {
			change(r)
		}
		return r
	}
	goesOn := func(r *tekton.PipelineRun) { r.Status.Conditions = nil }
	others := func(r *tekton.PipelineRun) { r.OwnerReferences[0].UID = types.UID("other") }
	for name, test := range map[string]struct {
		runs           []*tekton.PipelineRun
		cancel, remove string
	}{
		"few":              {[]*tekton.PipelineRun{run("a", 1, nil), run("b", 2, nil)}, "", ""},
		"many":             {[]*tekton.PipelineRun{run("d", 4, nil), run("a", 1, nil), run("c", 3, nil), run("b", 2, nil)}, "", "c d"},
		"an old one runs":  {[]*tekton.PipelineRun{run("a", 1, nil), run("b", 2, nil), run("c", 3, goesOn)}, "c", ""},
		"the App's is old": {[]*tekton.PipelineRun{run("a", 1, nil), run("b", 2, nil), run("current", 9, nil)}, "", "b"},
		"the App's runs":   {[]*tekton.PipelineRun{run("current", 1, goesOn), run("b", 2, goesOn), run("c", 3, nil)}, "b", "c"},
		"another's":        {[]*tekton.PipelineRun{run("a", 1, others), run("b", 2, others), run("c", 3, others)}, "", ""},
		"of one second":    {[]*tekton.PipelineRun{run("d", 1, nil), run("e", 1, nil), run("current", 1, nil)}, "", "d"},
		"of an age":        {[]*tekton.PipelineRun{run("a", 1, nil), run("c", 1, nil), run("b", 1, nil)}, "", "a"},
	} {
		cancel, remove := Retain(owner, test.runs, 2, "current")
		if c, r := names(cancel), names(remove); c != test.cancel || r != test.remove {
			t.Errorf("%s: cancel %q, delete %q; want %q, %q", name, c, r, test.cancel, test.remove)
		}
	}
}

func names(runs []*tekton.PipelineRun) string {
	var all []string
	for _, r := range runs {
		all = append(all, r.Name)
	}
	return strings.Join(all, " ")
}
