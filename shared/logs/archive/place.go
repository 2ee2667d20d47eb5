package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
	"github.com/kf-tasks/kf-tasks/shared/registry"
	"github.com/kf-tasks/kf-tasks/shared/retention"
)

// keepFor is how long a log is kept where its Space does not say.
const keepFor = 90 * 24 * time.Hour

// Place is where a Space keeps logs, and for how long; retention.Unlimited is for ever.
type Place struct {
	Repository name.Repository
	KeepFor    time.Duration
}

// Of is the place of a Space, nil where it archives none; of is nil where there is no such object. Hosts in insecure are spoken to by
// plain HTTP.
func Of(of *v1alpha1.Space, insecure []string) (*Place, error) {
	if of == nil || of.Spec.Logs.Archive == nil {
		return nil, nil
	}
	if of.Unreadable != "" {
		return nil, fmt.Errorf("the Space %s: %s", of.Name, of.Unreadable)
	}
	said := of.Spec.Logs.Archive
	prefix := said.Registry
	if prefix == "" {
		prefix = of.Status.BuildConfig.ContainerRegistry
	}
	if prefix == "" {
		return nil, fmt.Errorf("no registry is named: set spec.logs.archive.registry of the Space %s", of.Name)
	}
	place := &Place{KeepFor: keepFor}
	var err error
	if said.KeepFor != "" {
		if place.KeepFor, err = retention.ParseDuration(said.KeepFor); err != nil {
			return nil, fmt.Errorf("the Space %s: spec.logs.archive.keepFor: %w", of.Name, err)
		}
	}
	place.Repository, err = registry.Repository(prefix, "log-"+of.Name, insecure)
	return place, err
}

// ErrPlace is met where what a Space says, or the settings of builds, names no place that logs could go to.
var ErrPlace = errors.New("there is no place for logs")

// Places finds the place of each namespace.
type Places struct {
	// Space finds the Space of a namespace, nil if there is no such object.
	Space func(ctx context.Context, namespace string) (*v1alpha1.Space, error)
	// ConfigMaps has, in Namespace, the settings of builds, which say what registries are spoken to by plain HTTP.
	ConfigMaps corev1client.ConfigMapsGetter
	Namespace  string
}

// Of is the place of a namespace, nil where no logs are archived.
func (p Places) Of(ctx context.Context, namespace string) (*Place, error) {
	of, err := p.Space(ctx, namespace)
	if err != nil || of == nil || of.Spec.Logs.Archive == nil {
		return nil, err
	}
	settings := build.Defaults()
	found, err := client.Find(ctx, p.ConfigMaps.ConfigMaps(p.Namespace), p.Namespace, build.ConfigMap)
	if err != nil {
		return nil, err
	}
	if found != nil {
		if settings, err = build.ReadSettings(found.Data); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPlace, err)
		}
	}
	place, err := Of(of, settings.InsecureRegistries)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPlace, err)
	}
	return place, nil
}
