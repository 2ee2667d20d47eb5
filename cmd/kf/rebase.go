package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
)

// rebaseWithin is how long a rebase may take that waits for no build: a Pod has to start for it.
const rebaseWithin = 10 * time.Minute

type rebase struct {
	*target
	all, async bool
}

func newRebase(t *target) *cobra.Command {
	o := &rebase{target: t}
	c := &cobra.Command{
		Use:   "rebase [APP_NAME]",
		Short: "Put the newest run image under an App, without a build",
		Long: `rebase gives the image that buildpacks have built for an App the newest run image, as after a security update of it. That
takes seconds, for nothing is built: the App's own layers stay as they are. Its next Tasks run the new image.`,
		Example: `  kf rebase shop
  kf rebase --all --async`,
		Args: cobra.MaximumNArgs(1),
		RunE: o.run,
	}
	c.Flags().BoolVar(&o.all, "all", false, "all Apps of the Space that are built from source")
	asyncFlag(c, &o.async, "the App has the new image")
	return c
}

func (o *rebase) run(cmd *cobra.Command, args []string) error {
	if o.all == (len(args) == 1) {
		return errors.New("name an App, or say --all")
	}
	if err := o.connect(); err != nil {
		return err
	}
	apps, err := o.apps(cmd.Context(), args)
	if err != nil {
		return err
	}
	var asked []*v1alpha1.App // all of them before the first is waited for: they are rebased side by side
	var failed []error        // one that fails costs itself
	for _, app := range apps {
		now, err := o.ask(cmd.Context(), app.Name)
		if err != nil {
			failed = append(failed, fmt.Errorf("rebase App %s: %w", app.Name, err))
			continue
		}
		asked = append(asked, now)
	}
	for _, app := range asked {
		if o.async {
			o.printf("App %s is to be rebased.\n", app.Name)
		} else if err := o.rebased(cmd.Context(), app); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// apps are those that are meant.
func (o *rebase) apps(ctx context.Context, args []string) (apps []*v1alpha1.App, err error) {
	if !o.all {
		app, err := o.app(ctx, args[0])
		if err != nil {
			return nil, err
		}
		if !app.FromSource() {
			return nil, fmt.Errorf("App %s is not built from source: push it with a newer image", app.Name)
		}
		if app.Status.Image == "" {
			return nil, fmt.Errorf("App %s has no image yet that could be rebased: kf build-logs %[1]s shows what became of its build, "+
				"and kf push %[1]s --task builds it on the newest run image", app.Name)
		}
		return []*v1alpha1.App{app}, nil
	}
	for app, err := range client.All[*v1alpha1.App](ctx, o.kf.Apps(o.space), metav1.ListOptions{}) {
		if err != nil {
			return nil, err
		}
		if app.FromSource() && app.Status.Image != "" {
			apps = append(apps, app)
		}
	}
	if len(apps) == 0 {
		o.progress("No App of the Space was built from source.")
	}
	return apps, nil
}

// ask asks for the rebase of an App.
func (o *rebase) ask(ctx context.Context, name string) (asked *v1alpha1.App, err error) {
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		now, err := o.app(ctx, name)
		if err != nil {
			return err
		}
		change := map[string]any{"build": map[string]any{"rebaseRequests": now.Spec.Build.RebaseRequests + 1}}
		asked, err = client.Merge(ctx, o.kf.Apps(o.space), now, client.Change{Spec: change, IfUnchanged: true})
		return err
	})
	return asked, err
}

// rebased returns when an App has its new image.
func (o *rebase) rebased(ctx context.Context, app *v1alpha1.App) error {
	wanted := build.RebaseName(app)
	p := patience{
		every: lookEvery, limit: rebaseWithin,
		say:     func() { o.progress("waiting for App %s to be rebased", app.Name) },
		stopped: fmt.Sprintf("no longer waiting; App %s is rebased all the same", app.Name),
		late:    fmt.Sprintf("App %s was not rebased within %s: kubectl -n %s describe app.kf.dev %[1]s", app.Name, rebaseWithin, o.space),
	}
	return o.await(ctx, p, func(ctx context.Context) (bool, error) {
		now, err := o.kf.Apps(o.space).Get(ctx, app.Name, metav1.GetOptions{})
		if err != nil {
			return false, fmt.Errorf("get App %s: %w", app.Name, err)
		}
		c := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionBuildReady)
		if now.Spec.Build.RebaseRequests > app.Spec.Build.RebaseRequests { // somebody has asked since: the newer one is as good
			wanted = build.RebaseName(now)
		}
		if c == nil || now.Status.RebaseName != wanted || c.Status == metav1.ConditionUnknown {
			return false, nil
		}
		if c.Status == metav1.ConditionFalse {
			return false, fmt.Errorf("App %s keeps its image: %s: %s", app.Name, c.Reason, c.Message)
		}
		o.printf("App %s has the image %s.\n", app.Name, now.Status.Image)
		return true, nil
	})
}
