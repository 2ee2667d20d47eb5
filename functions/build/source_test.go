package main

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
)

// fromSource is an App with source that nobody has built yet.
func fromSource() *v1alpha1.App {
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: "shop", UID: "u", Generation: 1}}
	app.Spec.Build.Spec = &v1alpha1.BuildSpec{BuildTaskRef: v1alpha1.BuildTaskRef{Name: v1alpha1.BuildpackV3Task}}
	return app
}

// note notes news of the next step, as the handler does.
func note(app *v1alpha1.App, n News) {
	n.Note(app, Next(app), func(c metav1.Condition) { v1alpha1.SetCondition(app, &app.Status.Conditions, c, time.Unix(1, 0)) })
	SyncStatus(app, nil, time.Unix(1, 0))
}

func TestNext(t *testing.T) {
	const image = "registry.example/app-team.shop@sha256:1"
	ref := "registry.example/shop:1"
	began := func(a *v1alpha1.App) { note(a, Began(Build, build.Name(a))) }
	built := func(a *v1alpha1.App) { began(a); note(a, Ended(a, Next(a), build.Outcome{Image: image})) }
	failed := func(a *v1alpha1.App) { began(a); note(a, Ended(a, Next(a), build.Outcome{Failure: "x"})) }
	rebasing := func(a *v1alpha1.App) {
		built(a)
		a.Spec.Build.RebaseRequests = 1
		note(a, Began(Rebase, build.RebaseName(a)))
	}
	for name, test := range map[string]struct {
		app  func(*v1alpha1.App)
		want Action
		run  func(*v1alpha1.App) string
	}{
		"new":                        {func(*v1alpha1.App) {}, Build, build.Name},
		"waits":                      {func(a *v1alpha1.App) { note(a, Waiting("x")) }, Build, build.Name},
		"began":                      {began, Watch, build.Name},
		"built":                      {built, Nothing, nil},
		"failed":                     {failed, Nothing, nil},
		"invalid":                    {func(a *v1alpha1.App) { note(a, Invalid(Build, "x")) }, Nothing, nil},
		"pushed again":               {func(a *v1alpha1.App) { built(a); a.Spec.Build.UpdateRequests++ }, Build, build.Name},
		"pushed while it is built":   {func(a *v1alpha1.App) { began(a); a.Spec.Build.UpdateRequests++ }, Build, build.Name},
		"failed, and pushed again":   {func(a *v1alpha1.App) { failed(a); a.Spec.Build.UpdateRequests++ }, Build, build.Name},
		"to be rebased":              {func(a *v1alpha1.App) { built(a); a.Spec.Build.RebaseRequests = 1 }, Rebase, build.RebaseName},
		"to be rebased when built":   {func(a *v1alpha1.App) { began(a); a.Spec.Build.RebaseRequests = 1 }, Watch, build.Name},
		"to be rebased, never built": {func(a *v1alpha1.App) { failed(a); a.Spec.Build.RebaseRequests = 1 }, Nothing, nil},
		"rebasing":                   {rebasing, Watch, build.RebaseName},
		"rebased":                    {func(a *v1alpha1.App) { rebasing(a); note(a, Ended(a, Next(a), build.Outcome{Image: image})) }, Nothing, nil},
		"pushed while it is rebased": {func(a *v1alpha1.App) { rebasing(a); a.Spec.Build.UpdateRequests++ }, Build, build.Name},
		"rebase that failed":         {func(a *v1alpha1.App) { rebasing(a); note(a, Ended(a, Next(a), build.Outcome{Failure: "x"})) }, Nothing, nil},
		"an image from now on":       {func(a *v1alpha1.App) { built(a); a.Spec.Build.Image = &ref }, Drop, nil},
		"dropped":                    {func(a *v1alpha1.App) { built(a); a.Spec.Build.Image = &ref; note(a, News{Drop: true}) }, Nothing, nil},
		"no source from now on":      {func(a *v1alpha1.App) { built(a); a.Spec.Build.Spec = nil }, Drop, nil},
	} {
		app := fromSource()
		test.app(app)
		want := Step{Action: test.want}
		if test.run != nil {
			want.Run = test.run(app)
		}
		if got := Next(app); got != want {
			t.Errorf("%s: %+v, want %+v; %+v", name, got, want, app.Status)
		}
	}
}

// TestOldNewsAreNotNoted: what was decided of an App that has been pushed again since is nobody's.
func TestOldNewsAreNotNoted(t *testing.T) {
	app := fromSource()
	note(app, Began(Build, build.Name(app)))
	step := Next(app)
	app.Spec.Build.UpdateRequests++
	Ended(app, step, build.Outcome{Image: "old@sha256:1"}).Note(app, step, func(metav1.Condition) { t.Error("noted") })
	if app.Status.Image != "" {
		t.Errorf("the image of a build that is superseded: %s", app.Status.Image)
	}
}

// TestReadyOfAnAppFromSource: True as long as there is an image, whatever becomes of builds.
func TestReadyOfAnAppFromSource(t *testing.T) {
	app := fromSource()
	for _, step := range []struct {
		news  func() News
		ready string
		image string
	}{
		{func() News { return Waiting("x") }, "Unknown BuildNotStarted", ""},
		{func() News { return Began(Build, build.Name(app)) }, "Unknown Building", ""},
		{func() News { return Ended(app, Next(app), build.Outcome{Failure: "x"}) }, "False BuildFailed", ""},
		{func() News { app.Spec.Build.UpdateRequests++; return Began(Build, build.Name(app)) }, "Unknown Building", ""},
		{func() News { return Ended(app, Next(app), build.Outcome{Image: "a@sha256:1"}) }, "True ImageReady", "a@sha256:1"},
		{func() News { app.Spec.Build.UpdateRequests++; return Invalid(Build, "x") }, "True ImageReady", "a@sha256:1"},
		{func() News { app.Spec.Build.UpdateRequests++; return Began(Build, build.Name(app)) }, "True ImageReady", "a@sha256:1"},
		{func() News { return Ended(app, Next(app), build.Outcome{Failure: "x"}) }, "True ImageReady", "a@sha256:1"},
	} {
		note(app, step.news())
		for _, c := range app.Status.Conditions {
			if c.Type == v1alpha1.ConditionReady && (string(c.Status)+" "+c.Reason != step.ready || app.Status.Image != step.image) {
				t.Errorf("%s %s, image %q; want %s, %q", c.Status, c.Reason, app.Status.Image, step.ready, step.image)
			}
		}
	}
}
