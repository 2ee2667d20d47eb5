// build keeps App.status up to date: the image that Tasks run, and how that image runs a command.
package main

import (
	"context"
	"errors"
	"time"

	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/coalesce"
	"github.com/kf-tasks/kf-tasks/shared/image"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/registry"
	"github.com/kf-tasks/kf-tasks/shared/space"
)

type config struct {
	receiver.Env
	// Patience is how long one inspection of an image may take.
	Patience time.Duration `envconfig:"LOOK_PATIENCE" default:"30s"`
	// StepImage is the image of the program in the steps of a build; without it none starts.
	StepImage string `envconfig:"STEP_IMAGE"`
	// Namespace is where the ConfigMap with the settings of builds is.
	Namespace string `envconfig:"SETTINGS_NAMESPACE" default:"kf-tasks"`
}

func main() {
	var cfg config
	ctx, kube := receiver.Setup("build", &cfg, &cfg.Env)
	k8s := receiver.Must(kubernetes.NewForConfig(kube))
	reach := registry.Transport()
	kf := receiver.Must(client.New(kube))
	runs := &Runs{
		Tekton: receiver.Must(tektonclient.NewForConfig(kube)), Core: k8s.CoreV1(), Namespace: cfg.Namespace, StepImage: cfg.StepImage,
		Rules: func(ctx context.Context, namespace, account string) (space.Rules, error) {
			return space.Read(ctx, k8s, namespace, account)
		},
		App: func(ctx context.Context, app *v1alpha1.App) (*v1alpha1.App, error) {
			return client.FindAgain(ctx, kf.Apps(app.Namespace), app)
		},
	}
	h := &Handler{
		Kf:   kf,
		Runs: runs,
		Inspect: func(ctx context.Context, app *v1alpha1.App) (image.Inspection, error) {
			settings, err := runs.Settings(ctx, nil)
			if wrong := (badSettings{}); err != nil && !errors.As(err, &wrong) {
				return image.Inspection{}, err
			}
			return inspect(ctx, k8s, reach, settings, app)
		},
		Inspections: coalesce.Calls[image.Inspection]{Patience: max(cfg.Patience, time.Second)}, // never without an end
		Now:         time.Now,
	}
	receiver.Serve(ctx, cfg.Env, h.Handle)
}
