package build

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/tektoncd/pipeline/pkg/apis/pipeline/pod"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// taskName is that of the one task of a run. Its results are the run's.
const taskName = "build"

// Results of the task, and so of the run.
const (
	ResultDigest = "IMAGE_DIGEST" // of the image that was made
	ResultLog    = "LOG"          // of a failure: the phase, its exit code, its last lines
)

// Kinds of a Tekton Task of the operator's: one in the App's namespace, or one in the functions', for all.
const (
	kindTask        = "Task"
	kindClusterTask = "ClusterTask"
)

// Options are what a run is made from besides its App.
type Options struct {
	Settings
	// StepImage is the image of the step program, functions/build/step.
	StepImage string
	// PullSecrets are those of the App and of its service account, by name.
	PullSecrets []string
	// Namespace is the functions'.
	Namespace string
}

// Render renders the PipelineRun that builds an App. The error is the user's to mend, or, if it is ErrNotSet, the operator's.
func Render(app *v1alpha1.App, o Options) (*tekton.PipelineRun, error) {
	in, err := InputsOf(app, o.Settings)
	if err == nil && o.StepImage == "" {
		err = fmt.Errorf("%w: the function build has no STEP_IMAGE", ErrNotSet)
	}
	if err != nil {
		return nil, err
	}
	spec, name := app.Spec.Build.Spec, Name(app)
	run := skeleton(app, name, o)
	task := &run.Spec.PipelineSpec.Tasks[0]
	run.Spec.TaskRunTemplate.PodTemplate.NodeSelector = spec.NodeSelector
	run.Annotations[v1alpha1.SourceAnnotation] = in.Source
	if ownTask(spec) {
		ownTaskOf(task, spec, run.Annotations[v1alpha1.ImageAnnotation], o)
	} else {
		task.TaskSpec = &tekton.EmbeddedTask{TaskSpec: buildTask(in, o, images(app, name, o))}
	}
	return run, nil
}

// Rebase renders the PipelineRun that puts the newest run image under the image that an App has.
func Rebase(app *v1alpha1.App, o Options) (*tekton.PipelineRun, error) {
	in, err := InputsOf(app, o.Settings)
	if err == nil && o.StepImage == "" {
		err = fmt.Errorf("%w: the function build has no STEP_IMAGE", ErrNotSet)
	}
	if err != nil {
		return nil, err
	}
	if ownTask(app.Spec.Build.Spec) {
		return nil, errors.New("buildpacks have not built the App, and only what they build can be rebased")
	}
	if !Built(app, o.Settings) {
		return nil, fmt.Errorf("the App's image %.200s is not in %s, where builds go now: push the App again, "+
			"and it is built on the newest run image", app.Status.Image, o.Repository(app.Namespace, app.Name))
	}
	run := skeleton(app, RebaseName(app), o)
	run.Spec.PipelineSpec.Tasks[0].TaskSpec = &tekton.EmbeddedTask{TaskSpec: rebaseTask(in, o, images(app, run.Name, o))}
	return run, nil
}

// image names what a build writes, and what it builds on.
type image struct {
	output, cache string
	previous      string // "" if the App has none that was built here
}

func images(app *v1alpha1.App, run string, o Options) image {
	repository := o.Repository(app.Namespace, app.Name)
	im := image{output: repository + ":" + tag(run), cache: repository + ":cache"}
	if Built(app, o.Settings) {
		im.previous = app.Status.Image
	}
	return im
}

// Built says whether the image that an App has was built for it.
func Built(app *v1alpha1.App, s Settings) bool {
	return strings.HasPrefix(app.Status.Image, s.Repository(app.Namespace, app.Name)+"@sha256:")
}

// tag is what tells the images of an App's runs apart: the end of the run's name, such as build-0123456789ab. So each has a name
// as long as somebody keeps it, and no registry takes it for garbage while the App runs it.
func tag(run string) string {
	parts := strings.Split(run, "-")
	return strings.Join(parts[len(parts)-2:], "-")
}

func skeleton(app *v1alpha1.App, name string, o Options) *tekton.PipelineRun {
	run := &tekton.PipelineRun{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: app.Namespace, Labels: Labels(app.Name),
		Annotations:     map[string]string{v1alpha1.ImageAnnotation: o.Repository(app.Namespace, app.Name) + ":" + tag(name)},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("App"))},
	}}
	limit := &metav1.Duration{Duration: o.Timeout}
	run.Spec = tekton.PipelineRunSpec{
		PipelineSpec: &tekton.PipelineSpec{
			Tasks: []tekton.PipelineTask{{Name: taskName}},
			Results: []tekton.PipelineResult{
				{Name: ResultDigest, Value: *tekton.NewStructuredValues("$(tasks." + taskName + ".results." + ResultDigest + ")")},
			},
		},
		TaskRunTemplate: tekton.PipelineTaskRunTemplate{ServiceAccountName: o.ServiceAccountOf(app), PodTemplate: podTemplate(app, o)},
		Timeouts:        &tekton.TimeoutFields{Pipeline: limit, Tasks: limit},
	}
	return run
}

// ServiceAccountOf is that of an App's builds: the App's own, else the Space's.
func (s Settings) ServiceAccountOf(app *v1alpha1.App) string {
	p := app.Spec.Template.Spec
	return cmp.Or(p.ServiceAccountName, p.DeprecatedServiceAccount, s.ServiceAccount, "default")
}

// podTemplate passes Pod Security "restricted". What is built is not to act as the App: it gets no token.
func podTemplate(app *v1alpha1.App, o Options) *pod.PodTemplate {
	yes, no, user, group := true, false, o.UserID, o.GroupID
	t := &pod.PodTemplate{
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &group,
			FSGroup:        &group, // in place of a chown of the directories by root
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
		ImagePullSecrets: app.Spec.Template.Spec.ImagePullSecrets, // of the builder image
	}
	return t
}

// ownTaskOf makes the task one of the operator's, which is told what the user has said and where the image is to go.
func ownTaskOf(task *tekton.PipelineTask, spec *v1alpha1.BuildSpec, output string, o Options) {
	task.TaskRef = &tekton.TaskRef{Name: spec.Name, Kind: tekton.NamespacedTaskKind}
	if spec.Kind == kindClusterTask {
		value := func(name, v string) tekton.Param {
			return tekton.Param{Name: name, Value: *tekton.NewStructuredValues(v)}
		}
		task.TaskRef = &tekton.TaskRef{ResolverRef: tekton.ResolverRef{Resolver: "cluster", Params: tekton.Params{
			value("kind", "task"), value("name", spec.Name), value("namespace", o.Namespace),
		}}}
	}
	given := map[string]string{}
	for _, p := range spec.Params {
		given[p.Name] = p.Value
	}
	maps.Copy(given, map[string]string{v1alpha1.ParamDestinationImage: output})
	for _, p := range sortedParams(&v1alpha1.BuildSpec{Params: params(given)}) {
		task.Params = append(task.Params, tekton.Param{Name: p.Name, Value: *tekton.NewStructuredValues(p.Value)})
	}
}

func params(values map[string]string) (all []v1alpha1.BuildParam) {
	for name, value := range values {
		all = append(all, v1alpha1.BuildParam{Name: name, Value: value})
	}
	return all
}
