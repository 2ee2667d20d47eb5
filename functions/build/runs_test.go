package main

import (
	"context"
	"fmt"
	"testing"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonfake "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/fake"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
	"github.com/kf-tasks/kf-tasks/shared/space"
)

// TestALateDeliveryCancelsNoNewerBuild: of two pushes in one second the deliveries overtake each other. The run of the later push is there
// when that of the earlier is created.
func TestALateDeliveryCancelsNoNewerBuild(t *testing.T) {
	ctx := t.Context()
	late := fromSource()
	late.Namespace = "team"
	late.Spec.Build.Spec.Params = []v1alpha1.BuildParam{{Name: v1alpha1.ParamSourceImage, Value: "registry.example/src-team.shop:1"}}
	now := late.DeepCopy()
	now.Spec.Build.UpdateRequests++
	runs := runsOf(now)
	for _, app := range []*v1alpha1.App{now, late} {
		if news, err := runs.Take(ctx, app, nil, Next(app)); err != nil || news.Began != Build {
			t.Fatalf("%+v %v", news, err)
		}
	}
	for name, cancelled := range map[string]bool{build.Name(now): false, build.Name(late): true} {
		run, err := runs.Tekton.PipelineRuns("team").Get(ctx, name, metav1.GetOptions{})
		if err != nil || (run.Spec.Status == tekton.PipelineRunSpecStatusCancelled) != cancelled {
			t.Errorf("%s: %v %v, cancelled: want %t", name, run.Spec.Status, err, cancelled)
		}
	}
}

// TestABuildKeepsToTheSpacesRegistries: no builder or base comes from elsewhere by a parameter of the App.
func TestABuildKeepsToTheSpacesRegistries(t *testing.T) {
	of := &v1alpha1.Space{}
	of.Spec.Build.AllowedRegistries = []string{"registry.example"}
	for image, want := range map[string]string{"evil.example/run:1": v1alpha1.ReasonInvalidBuild, "registry.example/run:1": v1alpha1.ReasonBuilding} {
		app := fromSource()
		app.Namespace = "team"
		app.Spec.Build.Spec.Params = []v1alpha1.BuildParam{
			{Name: v1alpha1.ParamSourceImage, Value: "registry.example/src-team.shop:1"}, {Name: v1alpha1.ParamRunImage, Value: image},
		}
		if news, err := runsOf(app).Take(t.Context(), app, of, Next(app)); err != nil || news.Reason != want {
			t.Errorf("%s: %+v %v", image, news, err)
		}
	}
}

// TestNoRunIsDeletedByMistake: an operator who keeps many, and mistypes something else, loses none; nor does who gives an App an image.
func TestNoRunIsDeletedByMistake(t *testing.T) {
	ctx, ref := t.Context(), "registry.example/shop:1"
	for name, test := range map[string]struct {
		settings map[string]string
		image    *string
		want     int
	}{
		"many are kept":      {map[string]string{"keep": "20"}, nil, 10},
		"few are kept":       {map[string]string{"keep": "3"}, nil, 3},
		"settings are wrong": {map[string]string{"keep": "20", "timeout": "soon"}, nil, 10},
		"an image":           {map[string]string{"keep": "20"}, &ref, 10},
	} {
		app := fromSource()
		app.Namespace = "team"
		note(app, Began(Build, build.Name(app)))
		app.Spec.Build.Image = test.image
		runs := runsOf(app)
		settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kf-tasks", Name: build.ConfigMap}, Data: test.settings}
		runs.Core = fake.NewClientset(settings).CoreV1()
		for i := range 10 {
			run := &tekton.PipelineRun{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("shop-build-", i), Namespace: "team", Labels: build.Labels("shop"),
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("App"))}}}
			if i == 0 {
				run.Name = build.Name(app)
			}
			run.Status.Conditions = duckv1.Conditions{{Type: apis.ConditionSucceeded, Status: "False", Reason: "Failed"}}
			if _, err := runs.Tekton.PipelineRuns("team").Create(ctx, run, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := runs.Take(ctx, app, nil, Next(app)); err != nil {
			t.Fatal(err)
		}
		left, err := runs.Tekton.PipelineRuns("team").List(ctx, metav1.ListOptions{})
		if err != nil || len(left.Items) != test.want {
			t.Errorf("%s: %d are left, want %d: %v", name, len(left.Items), test.want, err)
		}
	}
}

// runsOf are the runs of a cluster that is set up to build, where an App stands so.
func runsOf(app *v1alpha1.App) *Runs {
	return &Runs{
		Tekton: tektonfake.NewSimpleClientset().TektonV1(), Namespace: "kf-tasks", StepImage: "registry.example/step:1",
		Core: fake.NewClientset(
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "default"}},
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kf-tasks", Name: build.ConfigMap},
				Data: map[string]string{"containerRegistry": "registry.example/kf", "builderImage": "registry.example/builder:1"}},
		).CoreV1(),
		Rules: func(context.Context, string, string) (space.Rules, error) {
			return space.Rules{Namespace: &corev1.Namespace{}, Account: true}, nil
		},
		App: func(context.Context, *v1alpha1.App) (*v1alpha1.App, error) { return app, nil },
	}
}
