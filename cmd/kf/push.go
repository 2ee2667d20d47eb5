package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func newPush(t *target) *cobra.Command {
	var (
		r              resources
		image, command string
		env            []string
		task           bool
	)
	c := &cobra.Command{
		Use:   "push APP_NAME --docker-image IMAGE --task",
		Short: "Create or update an App that is there for its Tasks and Jobs",
		Long: `push makes an App from an image. It runs nothing by itself (--task): its Tasks and Jobs do.

Pushed again, it gets what is given; what is not given stays as it is.`,
		Example: `  kf push shop --docker-image registry.example/shop:7 --task -e GREETING=hello -m 256M`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(); err != nil {
				return err
			}
			if !task {
				return errors.New("say --task: this system runs Tasks and Jobs of Apps, not servers")
			}
			change, err := pushed(r, image, command, env)
			if err != nil {
				return err
			}
			_, kf, err := t.connect()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			var app *v1alpha1.App
			err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
				app, err = kf.Apps(t.space).Get(ctx, args[0], metav1.GetOptions{})
				if apierrors.IsNotFound(err) {
					if image == "" {
						return errors.New("a new App needs --docker-image")
					}
					app = &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: args[0], Namespace: t.space}}
					change(app)
					app, err = kf.Apps(t.space).Create(ctx, app, metav1.CreateOptions{})
					return err
				}
				if err != nil {
					return err
				}
				change(app)
				app, err = kf.Apps(t.space).Update(ctx, app, metav1.UpdateOptions{})
				return err
			})
			if err != nil {
				return fmt.Errorf("push App %s: %w", args[0], err)
			}
			if err := waitForImage(ctx, kf, app); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "App %s is ready.\n\nRun a Task on it:\n  kf run-task %s --command \"...\" --space %s\n", app.Name, app.Name, t.space)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&image, "docker-image", "", "image of the App")
	f.BoolVar(&task, "task", false, "the App is there for its Tasks and Jobs, and serves nothing")
	f.StringVarP(&command, "command", "c", "", "start command, which Tasks without a command run")
	f.StringArrayVarP(&env, "env", "e", nil, "environment variable NAME=VALUE; may be given several times")
	r.flags(c)
	return c
}

// pushed returns what makes an App what the flags say.
func pushed(r resources, image, command string, env []string) (func(*v1alpha1.App), error) {
	var vars []corev1.EnvVar
	for _, e := range env {
		name, value, ok := strings.Cut(e, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--env %s: write NAME=VALUE", e)
		}
		vars = append(vars, corev1.EnvVar{Name: name, Value: value})
	}
	return func(app *v1alpha1.App) {
		if image != "" {
			app.Spec.Build.Image = &image
		}
		app.Spec.Build.UpdateRequests++ // a tag may mean another image than before
		app.Spec.Instances.Stopped = true
		if len(app.Spec.Template.Spec.Containers) == 0 {
			app.Spec.Template.Spec.Containers = []corev1.Container{{Name: v1alpha1.UserContainer}}
		}
		c := &app.Spec.Template.Spec.Containers[0]
		if command != "" {
			c.Args = []string{command}
		}
		for _, v := range vars {
			setEnv(c, v)
		}
		for name, quantity := range map[corev1.ResourceName]string{
			corev1.ResourceCPU: r.cpu, corev1.ResourceMemory: r.memory, corev1.ResourceEphemeralStorage: r.disk,
		} {
			if quantity == "" {
				continue
			}
			if c.Resources.Requests == nil {
				c.Resources.Requests = corev1.ResourceList{}
			}
			c.Resources.Requests[name] = resource.MustParse(quantity) // check has parsed it
		}
	}, nil
}

func setEnv(c *corev1.Container, v corev1.EnvVar) {
	for i := range c.Env {
		if c.Env[i].Name == v.Name {
			c.Env[i] = v
			return
		}
	}
	c.Env = append(c.Env, v)
}

// waitForImage returns when the function build has settled the App's image.
func waitForImage(ctx context.Context, kf *client.Client, app *v1alpha1.App) error {
	for began, said := time.Now(), time.Now(); ; {
		now, err := kf.Apps(app.Namespace).Get(ctx, app.Name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("get App %s: %w", app.Name, err)
		}
		c := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionReady)
		switch {
		case c == nil || now.Status.ObservedGeneration < app.Generation:
		case c.Status == metav1.ConditionTrue:
			if now.Status.StartCommands.Error != "" {
				progress("The image could not be looked into (%s): its Tasks are started by /bin/sh.", now.Status.StartCommands.Error)
			}
			return nil
		case c.Status == metav1.ConditionFalse:
			return fmt.Errorf("App %s is there, and can't be used: %s: %s", app.Name, c.Reason, c.Message)
		}
		if time.Since(began) > readyWithin {
			return fmt.Errorf("App %s is there, and nobody has looked at it for %s: is the function build deployed? (kubectl -n kf-tasks get ksvc build)", app.Name, readyWithin)
		}
		if time.Since(said) > 3*time.Second {
			said = time.Now()
			progress("waiting for App %s to become ready", app.Name)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no longer waiting; App %s stays", app.Name)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
