package space

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func TestWhatAnAppInherits(t *testing.T) {
	space := &v1alpha1.Space{Spec: v1alpha1.SpaceSpec{Defaults: v1alpha1.SpaceDefaults{CPU: "250m", Memory: "512Mi", Disk: "1Gi"}}}
	space.Spec.RuntimeConfig.Env = []v1alpha1.SpaceEnvVar{{EnvVar: v1alpha1.EnvVar{Name: "STAGE", Value: "test"}}, {EnvVar: v1alpha1.EnvVar{Name: "MODE", Value: "space's"}}}
	space.Spec.RuntimeConfig.NodeSelector = map[string]string{"pool": "batch", "zone": "a"}
	space.Labels = map[string]string{v1alpha1.KueueLabel: "batch", "team": "a"}
	app := &v1alpha1.App{}
	app.Spec.Template.Spec.NodeSelector = map[string]string{"zone": "b"}
	app.Spec.Template.Spec.Containers = []corev1.Container{{Name: "sidecar"}, {Name: v1alpha1.UserContainer,
		Env:       []corev1.EnvVar{{Name: "MODE", Value: "App's"}},
		Resources: corev1.ResourceRequirements{Requests: list("memory=64Mi"), Limits: list("ephemeral-storage=2Gi")}}}
	before := app.DeepCopy()

	got := Inherit(app, space)

	c := got.Spec.Template.Spec.Containers[1]
	if text(c.Resources.Requests) != "cpu=250m memory=64Mi" || text(c.Resources.Limits) != "ephemeral-storage=2Gi" {
		t.Errorf("what the App says of a resource, request or limit, stays: %+v", c.Resources)
	}
	if len(c.Env) != 2 || c.Env[0].Value != "test" || c.Env[1].Value != "App's" {
		t.Errorf("environment %+v, want the Space's STAGE and the App's MODE", c.Env)
	}
	if len(got.Labels) != 1 || got.Labels[v1alpha1.KueueLabel] != "batch" || len(app.Labels) != 0 {
		t.Errorf("labels %v, want the Space's queue, and the App as it was", got.Labels)
	}
	app.Labels = map[string]string{v1alpha1.KueueLabel: "own"}
	if of := Inherit(app, space); of.Labels[v1alpha1.KueueLabel] != "own" {
		t.Error("the App's own queue does not win")
	}
	if s := got.Spec.Template.Spec.NodeSelector; s["pool"] != "batch" || s["zone"] != "b" {
		t.Errorf("node selector %v", s)
	}
	if len(got.Spec.Template.Spec.Containers[0].Env) != 0 || before.Spec.Template.Spec.Containers[1].Env[0] != app.Spec.Template.Spec.Containers[1].Env[0] ||
		len(app.Spec.Template.Spec.Containers[1].Env) != 1 || len(app.Spec.Template.Spec.NodeSelector) != 1 {
		t.Error("another container, or the App itself, was changed")
	}
	bare := Inherit(&v1alpha1.App{}, space).Spec.Template.Spec.Containers
	if len(bare) != 1 || text(bare[0].Resources.Limits) != "memory=512Mi ephemeral-storage=1Gi" || text(bare[0].Resources.Requests) != "cpu=250m memory=512Mi ephemeral-storage=1Gi" {
		t.Errorf("an App that says nothing: %+v", bare)
	}
	if Inherit(app, nil) != app || Inherit(nil, space) != nil {
		t.Error("without a Space, or an App, there is nothing to inherit")
	}
}

func TestTheTimeLimitOfASpace(t *testing.T) {
	for name, test := range map[string]struct {
		said *metav1.Duration
		want time.Duration
	}{
		"none":           {nil, time.Hour},
		"a limit":        {&metav1.Duration{Duration: time.Minute}, time.Minute},
		"without limits": {&metav1.Duration{}, 0},
	} {
		space := &v1alpha1.Space{Spec: v1alpha1.SpaceSpec{Defaults: v1alpha1.SpaceDefaults{TaskTimeout: test.said}}}
		if got := TaskTimeout(space, time.Hour); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	if TaskTimeout(nil, time.Hour) != time.Hour {
		t.Error("without a Space it is the cluster's")
	}
}

func TestRetentionOfASpaceIsBeforeItsNamespaces(t *testing.T) {
	namespace := map[string]string{v1alpha1.RetainAnnotation: "9", v1alpha1.RetainForAnnotation: "1h"}
	tasks, jobs := intstr.FromInt32(3), intstr.FromString("unlimited")
	space := &v1alpha1.Space{Spec: v1alpha1.SpaceSpec{Retention: v1alpha1.SpaceRetention{Tasks: &tasks, FailedPerJob: &jobs, PodsFor: "10m"}}}
	got := Retention(space, namespace)
	for annotation, want := range map[string]string{v1alpha1.RetainAnnotation: "3", v1alpha1.RetainForAnnotation: "1h",
		v1alpha1.RetainFailedPerJobAnnotation: "unlimited", v1alpha1.RetainPodsForAnnotation: "10m", v1alpha1.RetainSucceededPerJobAnnotation: ""} {
		if got[annotation] != want {
			t.Errorf("%s is %q, want %q", annotation, got[annotation], want)
		}
	}
	if namespace[v1alpha1.RetainAnnotation] != "9" || Retention(nil, namespace)[v1alpha1.RetainAnnotation] != "9" {
		t.Error("the namespace's own was changed, or lost")
	}
}

func TestAllowedRegistries(t *testing.T) {
	for _, test := range []struct {
		allowed, image string
		refused        bool
	}{
		{"", "elsewhere.example/a:1", false},
		{"registry.example", "registry.example/team/a:1", false},
		{"registry.example/team", "registry.example/team/a@sha256:" + strings.Repeat("a", 64), false},
		{"registry.example/team", "registry.example/team:1", false},
		{"registry.example/team", "registry.example/teammate/a", true},
		{"registry.example/team", "registry.example/other/a", true},
		{"registry.example", "registry.example.evil.example/a", true},
		{"registry.example", "registry.example:5000/shop", true},
		{"registry.example:5000", "registry.example:5000/shop", false},
		{"registry.example", "evil.example/registry.example/a", true},
		{"registry.example/team", "registry.example/team/../other/a", true},
		{"registry.example/team", "registry.example/team/./a", true},
		{"registry.example/team", "registry.example//team/a", true},
		{"docker.io", "busybox", false},
		{"docker.io/library", "busybox:1", false},
		{"docker.io/library", "someone/busybox", true},
		{"registry.example", "not an image", true},
		{"registry.example", "", false},
		{"elsewhere.example", "built.example/kf/app-a:1", false}, // where builds go
	} {
		space, app := &v1alpha1.Space{}, &v1alpha1.App{}
		space.Status.BuildConfig.ContainerRegistry = "built.example/kf"
		if test.allowed != "" {
			space.Spec.Build.AllowedRegistries = []string{test.allowed}
		}
		app.Status.Image = test.image
		if why := NotAllowed(app, space); (why != "") != test.refused {
			t.Errorf("%q where %q is allowed: %q", test.image, test.allowed, why)
		}
		app.Status.Image = ""
		app.Spec.Template.Spec.InitContainers = []corev1.Container{{Image: test.image}}
		if why := NotAllowed(app, space); (why != "") != test.refused {
			t.Errorf("an initContainer of %q where %q is allowed: %q", test.image, test.allowed, why)
		}
	}
	if NotAllowed(&v1alpha1.App{}, nil) != "" || NotAllowed(&v1alpha1.App{}, &v1alpha1.Space{Unreadable: "spec.build can't be read"}) == "" {
		t.Error("without a Space all may; one that can't be read may have said no")
	}
}

// TestAllowedRegistriesOfBuilds: an App's image can't be put on a base from elsewhere, nor be made by a program from there, by a build.
func TestAllowedRegistriesOfBuilds(t *testing.T) {
	const operators = "elsewhere.example/operators:1"
	for image, refused := range map[string]bool{
		"registry.example/run:1": false, "evil.example/run:1": true, "built.example/kf/base": false, operators: false, "": false,
	} {
		for _, param := range []string{v1alpha1.ParamBuilderImage, v1alpha1.ParamRunImage} {
			space, app := &v1alpha1.Space{}, &v1alpha1.App{}
			space.Status.BuildConfig.ContainerRegistry = "built.example/kf"
			app.Spec.Build.Spec = &v1alpha1.BuildSpec{Params: []v1alpha1.BuildParam{{Name: param, Value: image}}}
			if why := BuildNotAllowed(app, space, operators) + BuildNotAllowed(app, nil); why != "" {
				t.Errorf("%s %s where all are allowed: %q", param, image, why)
			}
			space.Spec.Build.AllowedRegistries = []string{"registry.example"}
			if why := BuildNotAllowed(app, space, operators); (why != "") != refused {
				t.Errorf("%s %s: %q", param, image, why)
			}
		}
	}
}
