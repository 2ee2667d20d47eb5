package main

import (
	"context"
	"testing"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonfake "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/fake"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

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
