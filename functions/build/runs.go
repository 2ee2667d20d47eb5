package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/space"
)

// Runs makes and watches the PipelineRuns of Apps that are built from source.
type Runs struct {
	Tekton    tektonclient.TektonV1Interface
	Core      corev1client.CoreV1Interface
	Namespace string // the functions'
	StepImage string
	// Rules reads what a Space asks of its Pods, and whether a service account is there.
	Rules func(ctx context.Context, namespace, account string) (space.Rules, error)
	// App reads an App again, nil if it is gone.
	App func(context.Context, *v1alpha1.App) (*v1alpha1.App, error)
}

// Settings reads an operator's settings, as they hold in a Space (nil if there is none). A badSettings says what is wrong with them.
func (r *Runs) Settings(ctx context.Context, of *v1alpha1.Space) (build.Settings, error) {
	found, err := client.Find(ctx, r.Core.ConfigMaps(r.Namespace), r.Namespace, build.ConfigMap)
	if err != nil {
		return build.Defaults(), err
	}
	s := build.Defaults()
	if found != nil {
		s, err = build.ReadSettings(found.Data)
	}
	if err == nil {
		s, err = s.In(of)
	}
	if err != nil {
		return build.Defaults(), badSettings{err}
	}
	return s, nil
}

type badSettings struct{ error }

// Take takes an App's build one step on, and says what there is to note of it.
func (r *Runs) Take(ctx context.Context, app *v1alpha1.App, of *v1alpha1.Space, step Step) (News, error) {
	switch step.Action {
	case Build, Rebase:
		return r.begin(ctx, app, of, step)
	case Watch:
		return r.watch(ctx, app, of, step)
	case Drop:
		return News{Drop: true}, r.retain(ctx, app, keepAll)
	}
	return News{}, nil
}

// begin creates a run, whose name is the lock, and cancels those that it supersedes. Killed in between, the next delivery finds the run
// there and goes on.
func (r *Runs) begin(ctx context.Context, app *v1alpha1.App, of *v1alpha1.Space, step Step) (News, error) {
	settings, err := r.Settings(ctx, of)
	if wrong := (badSettings{}); errors.As(err, &wrong) {
		return Waiting(wrong.Error()), nil
	}
	if err != nil {
		return News{}, err
	}
	if why := space.BuildNotAllowed(app, of, settings.BuilderImage, settings.RunImage); why != "" {
		return Invalid(step.Action, why+": push the App with another builder or run image, or again when the Space allows it"), nil
	}
	run, waits, err := r.render(ctx, app, step, settings)
	switch {
	case waits != "":
		return Waiting(waits), nil
	case errors.Is(err, errInvalid):
		return Invalid(step.Action, err.Error()), nil
	case err != nil:
		return News{}, err
	}
	there, err := client.CreateOnce(ctx, r.Tekton.PipelineRuns(app.Namespace), run)
	switch {
	case err != nil:
		return refused(step, run, err)
	case there != nil && !build.Owned(there, app):
		why := fmt.Sprintf("a PipelineRun %q that is not this App's is in the way: delete it, and push again", run.Name)
		return Invalid(step.Action, why), nil
	}
	logging.FromContext(ctx).Infow("began", "app", app.Namespace+"/"+app.Name, "action", step.Action, "run", run.Name)
	return Began(step.Action, run.Name), r.retain(ctx, app, settings.Keep)
}

// refused is the news of a run that the API server, or Tekton, does not take. An error may pass.
func refused(step Step, run *tekton.PipelineRun, err error) (News, error) {
	switch client.RefusalOf(err) {
	case client.MayYet:
		return Waiting(err.Error()), nil
	case client.NoRefusal:
		return News{}, fmt.Errorf("create PipelineRun %s/%s: %w", run.Namespace, run.Name, err)
	}
	return Invalid(step.Action, err.Error()), nil
}

// errInvalid is what is the user's to mend.
var errInvalid = errors.New("spec.build.spec can't be built")

// render renders a run as the rules of the Space let it run; waits says what for it can't yet.
func (r *Runs) render(
	ctx context.Context, app *v1alpha1.App, step Step, settings build.Settings,
) (run *tekton.PipelineRun, waits string, err error) {
	name := settings.ServiceAccountOf(app)
	account, err := client.Find(ctx, r.Core.ServiceAccounts(app.Namespace), app.Namespace, name)
	if err != nil {
		return nil, "", err
	}
	if account == nil { // that of a new namespace takes a moment
		return nil, fmt.Sprintf("there is no service account %q in the namespace", name), nil
	}
	options := build.Options{Settings: settings, StepImage: r.StepImage, Namespace: r.Namespace,
		PullSecrets: secretNames(app.Spec.Template.Spec.ImagePullSecrets, account.ImagePullSecrets)}
	render := build.Render
	if step.Action == Rebase {
		render = build.Rebase
	}
	run, err = render(app, options)
	switch {
	case errors.Is(err, build.ErrNotSet):
		return nil, err.Error(), nil
	case err != nil:
		return nil, "", fmt.Errorf("%w: %w", errInvalid, err)
	}
	rules, err := r.Rules(ctx, app.Namespace, name)
	if err != nil {
		return nil, "", err
	}
	if rules.Terminating() {
		return nil, "the namespace is being deleted", nil
	}
	if run.Spec.PipelineSpec.Tasks[0].TaskSpec != nil {
		rules.Fit(&run.Spec)
	}
	return run, "", nil
}

func secretNames(lists ...[]corev1.LocalObjectReference) (names []string) {
	for _, ref := range slices.Concat(lists...) {
		if !slices.Contains(names, ref.Name) && client.ValidName(ref.Name) {
			names = append(names, ref.Name)
		}
	}
	return names
}

// watch looks what has become of a run.
func (r *Runs) watch(ctx context.Context, app *v1alpha1.App, of *v1alpha1.Space, step Step) (News, error) {
	run, err := client.Find(ctx, r.Tekton.PipelineRuns(app.Namespace), app.Namespace, step.Run)
	switch {
	case err != nil:
		return News{}, err
	case run == nil || !build.Owned(run, app):
		gone := fmt.Sprintf("its PipelineRun %q was deleted before it was noted how it ended: push again", step.Run)
		return Ended(app, step, build.Outcome{Failure: gone}), nil
	case !run.IsDone():
		return News{}, nil
	}
	taskRun, err := r.taskRun(ctx, run)
	if err != nil {
		return News{}, err
	}
	settings, err := r.Settings(ctx, of)
	keep := settings.Keep
	if wrong := (badSettings{}); errors.As(err, &wrong) {
		keep = keepAll // until an operator has mended what may have said to keep more
	} else if err != nil {
		return News{}, err
	}
	return Ended(app, step, build.OutcomeOf(run, taskRun)), r.retain(ctx, app, keep, app.Status.BuildName, app.Status.RebaseName)
}

// taskRun reads the TaskRun of a run that has failed: it has what the step that failed said.
func (r *Runs) taskRun(ctx context.Context, run *tekton.PipelineRun) (*tekton.TaskRun, error) {
	if run.IsSuccessful() || len(run.Status.ChildReferences) == 0 {
		return nil, nil
	}
	return client.Find(ctx, r.Tekton.TaskRuns(run.Namespace), run.Namespace, run.Status.ChildReferences[0].Name)
}

// keepAll is how many runs are kept where it is not known how many are to be: none is deleted.
const keepAll = math.MaxInt

// retain cancels the runs that are in vain, and deletes those that are too many, but none of noted. In vain is what the App does not ask
// for when the runs are listed: this delivery may be a late one, and the run that a push of since has begun is not in vain.
func (r *Runs) retain(ctx context.Context, app *v1alpha1.App, keep int, noted ...string) error {
	runs := r.Tekton.PipelineRuns(app.Namespace)
	all, err := client.Collect(client.All[*tekton.PipelineRun](ctx, runs, build.Of(app.Name)))
	if err != nil {
		return err
	}
	now, err := r.App(ctx, app) // after the list, so that it asks for the newest in it
	if err != nil || now == nil {
		return err
	}
	cancel, remove := build.Retain(now, all, keep, append(noted, Next(now).Run)...)
	for _, run := range cancel {
		if _, err := pipelinerun.Cancel(ctx, r.Tekton, run); err != nil {
			return fmt.Errorf("PipelineRun %s/%s, which is superseded: %w", run.Namespace, run.Name, err)
		}
	}
	for _, run := range remove {
		err := runs.Delete(ctx, run.Name, client.Exactly(run))
		if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) { // what has changed since is looked at again another time
			return fmt.Errorf("delete PipelineRun %s/%s: %w", run.Namespace, run.Name, err)
		}
	}
	return nil
}
