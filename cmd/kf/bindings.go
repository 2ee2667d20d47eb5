package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/retry"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

const (
	serviceLabel   = "kf.dev/service-instance" // of the Secret of a service: its name
	serviceTags    = "kf.dev/service-tags"     // annotation: its tags, with commas between
	paramsKey      = "params"                  // as Kf names it: the credentials, one JSON object
	maxCredentials = 512 << 10                 // a Secret holds a MiB, and an App may have several
)

func (t *target) secrets() (corev1client.SecretInterface, error) {
	if err := t.connect(); err != nil {
		return nil, err
	}
	c, err := corev1client.NewForConfig(t.cfg)
	if err != nil {
		return nil, err
	}
	return c.Secrets(t.space), nil
}

// service reads a service as an App will see it.
func (t *target) service(ctx context.Context, secrets corev1client.SecretInterface, name, binding string) (vcapService, error) {
	secret, err := secrets.Get(ctx, "kf-service-"+name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return vcapService{}, notFound("there is no service %q in Space %q; `kf services` lists them", name, t.space)
	}
	if err != nil {
		return vcapService{}, fmt.Errorf("read service %s: %w", name, err)
	}
	s := vcapService{InstanceName: name, Name: name, Label: userProvided, Tags: []string{}}
	if binding != "" {
		s.BindingName, s.Name = &binding, binding
	}
	for tag := range strings.SplitSeq(secret.Annotations[serviceTags], ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			s.Tags = append(s.Tags, tag)
		}
	}
	if json.Unmarshal(secret.Data[paramsKey], &s.Credentials) != nil {
		return vcapService{}, fmt.Errorf("the Secret of service %s holds no JSON object: make it anew", name)
	}
	return s, nil
}

// bindings changes what an App is bound to, in the Secret that goes with the App and that its Tasks read.
func (t *target) bindings(ctx context.Context, secrets corev1client.SecretInterface, app string, change func(vcapServices) error) error {
	of, err := t.app(ctx, app)
	if err != nil {
		return err
	}
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		secret, err := secrets.Get(ctx, v1alpha1.InjectedEnvSecret(app), metav1.GetOptions{})
		fresh := apierrors.IsNotFound(err)
		if err != nil && !fresh {
			return fmt.Errorf("read the bindings of App %s: %w", app, err)
		}
		if fresh {
			secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
				Name:            v1alpha1.InjectedEnvSecret(app),
				Labels:          map[string]string{v1alpha1.NameLabel: app, v1alpha1.ManagedByLabel: v1alpha1.ManagedByKf},
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(of, v1alpha1.GroupVersion.WithKind("App"))},
			}}
		}
		services, err := readVCAP(secret.Data["VCAP_SERVICES"])
		if err != nil {
			return err
		}
		if err := change(services); err != nil {
			return err
		}
		if secret.Data, err = services.environment(); err != nil {
			return err
		}
		for name, value := range secret.Data {
			if unfit := verbatim.UnfitVariable(name, string(value)); unfit != "" {
				return fmt.Errorf("%s of App %s: %s; nothing was changed", name, app, unfit)
			}
		}
		if fresh {
			_, err = secrets.Create(ctx, secret, metav1.CreateOptions{})
		} else {
			_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{})
		}
		return err
	})
}

// boundApps are the Apps that are bound to a service, by its name.
func (t *target) boundApps(ctx context.Context, secrets corev1client.SecretInterface) (map[string][]string, error) {
	apps, err := t.kf.Apps(t.space).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	bound := map[string][]string{}
	for _, app := range apps.Items {
		services, err := t.vcap(ctx, secrets, app.Name)
		if err != nil {
			return nil, err
		}
		for _, of := range services {
			for _, s := range of {
				bound[s.InstanceName] = append(bound[s.InstanceName], app.Name)
			}
		}
	}
	for _, names := range bound {
		slices.Sort(names)
	}
	return bound, nil
}

// vcap is what an App is bound to; nothing if it never was.
func (t *target) vcap(ctx context.Context, secrets corev1client.SecretInterface, app string) (vcapServices, error) {
	secret, err := secrets.Get(ctx, v1alpha1.InjectedEnvSecret(app), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return vcapServices{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the bindings of App %s: %w", app, err)
	}
	return readVCAP(secret.Data["VCAP_SERVICES"])
}
