package main

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
)

// TestWhatKfsOwnCLIWaitsFor ends, whatever the App is.
func TestWhatKfsOwnCLIWaitsFor(t *testing.T) {
	named := func(ref string) func(*v1alpha1.App) {
		return func(a *v1alpha1.App) { a.Spec.Build.Spec, a.Spec.Build.Image = nil, &ref }
	}
	for name, test := range map[string]struct {
		app             func(*v1alpha1.App)
		build, deployed string
	}{
		"an image":          {named("registry.example/shop:1"), "True ImageReady", "False NotServed"},
		"no image":          {func(a *v1alpha1.App) { a.Spec.Build.Spec = nil }, "False NoImage", "False NotServed"},
		"its placeholder":   {named(v1alpha1.PlaceholderImage), "False NoImage", "False NotServed"},
		"stopped":           {func(a *v1alpha1.App) { a.Spec.Instances.Stopped = true; note(a, Waiting("x")) }, "Unknown BuildNotStarted", "True Stopped"},
		"source":            {func(a *v1alpha1.App) { note(a, Began(Build, build.Name(a))) }, "Unknown Building", "False NotServed"},
		"an image, dropped": {func(a *v1alpha1.App) { note(a, Invalid(Build, "x")); named("a")(a); note(a, News{Drop: true}) }, "True ImageReady", "False NotServed"},
	} {
		app := fromSource()
		test.app(app)
		SyncStatus(app, nil, time.Unix(1, 0))
		SayAwaited(app, time.Unix(1, 0))
		for kind, want := range map[string]string{v1alpha1.ConditionBuildReady: test.build, v1alpha1.ConditionDeploymentReady: test.deployed} {
			if c := meta.FindStatusCondition(app.Status.Conditions, kind); c == nil || string(c.Status)+" "+c.Reason != want {
				t.Errorf("%s: %s %+v, want %s", name, kind, c, want)
			}
		}
		if app.FromSource() != (Next(app).Action != Nothing) {
			t.Errorf("%s: it is in sync, or not: %+v", name, Next(app))
		}
	}
}
