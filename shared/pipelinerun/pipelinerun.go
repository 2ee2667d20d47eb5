// Package pipelinerun renders the one Tekton PipelineRun of a Task. It is pure: the same App, Task and settings give
// the same PipelineRun.
package pipelinerun

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tektoncd/pipeline/pkg/apis/pipeline/pod"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/usage"
)

// Options are the cluster's own settings.
type Options struct {
	// DefaultTimeout stops a Task that names no timeout itself. Zero means no limit, as in Cloud Foundry.
	DefaultTimeout time.Duration
	// CallImage is the image of the program that sends the request of a Task with a call; without it there is none.
	CallImage string
}

// For renders the PipelineRun of a Task that has the given ID. The error says what about the App or Task can't be
// rendered; it is the user's to mend. An UnfitApp is the App's: mended, the Task runs.
func For(app *v1alpha1.App, task *v1alpha1.Task, id int, opts Options) (*tekton.PipelineRun, error) {
	if task.Spec.Call != nil {
		var err error
		if app, task, err = asCall(app, task, opts.CallImage); err != nil {
			return nil, err
		}
	}
	if err := Fit(app); err != nil {
		return nil, err
	}
	podSpec := app.Spec.Template.Spec
	c := corev1.Container{}
	if len(podSpec.Containers) > 0 {
		c = podSpec.Containers[ownContainer(podSpec)]
	}
	command, args, err := startCommand(app, c, task.Spec)
	if err != nil {
		return nil, err
	}
	c.Command, c.Args = command, args
	if c.Resources, err = override(c.Resources, task.Spec); err != nil {
		return nil, err
	}
	c.Name, c.Image = v1alpha1.UserContainer, pinned(app, c.ImagePullPolicy)
	c.Env = environment(app, withTask(c.Env, task.Spec.Env))
	c.EnvFrom = append([]corev1.EnvFromSource{spaceEnv()}, c.EnvFrom...)
	var steps []tekton.Step
	for _, each := range append(slices.Clip(podSpec.InitContainers), c) {
		steps = append(steps, step(project(app, each)))
	}
	run := skeleton(task)
	maps.Copy(run.Labels, app.Labels)
	maps.Copy(run.Labels, task.Labels)
	maps.Copy(run.Labels, ownLabels(task))
	run.Annotations = traced(task)
	for _, l := range []string{v1alpha1.HandledLabel, v1alpha1.StartLabel} { // of a Task, and of a Pod: not of what is in between
		delete(run.Labels, l)
	}
	run.Labels[v1alpha1.VersionLabel] = strconv.Itoa(id)
	run.Spec = tekton.PipelineRunSpec{
		PipelineSpec: &tekton.PipelineSpec{Tasks: []tekton.PipelineTask{{
			Name:    v1alpha1.UserContainer,
			Retries: int(task.Spec.Retries),
			TaskSpec: &tekton.EmbeddedTask{TaskSpec: tekton.TaskSpec{
				Volumes: append(slices.Clip(podSpec.Volumes), bindingVolumes(app)...),
				Steps:   steps,
				Results: results(command),
			}},
		}}},
		TaskRunTemplate: tekton.PipelineTaskRunTemplate{
			ServiceAccountName: ServiceAccount(app),
			PodTemplate:        podTemplate(podSpec),
		},
		Timeouts: timeouts(task, opts),
	}
	awaitReferences(&run.Spec.PipelineSpec.Tasks[0].TaskSpec.TaskSpec)
	return run, small(run)
}

// results are what the relay, where there is one, hands on.
func results(command []string) []tekton.TaskResult {
	if !relayed(command) {
		return nil
	}
	return []tekton.TaskResult{{Name: usage.Result}}
}

// step is a container as a step of Tekton's: they run one after another, as initContainers do, and the App's own last.
func step(c corev1.Container) tekton.Step {
	s := tekton.Step{
		Name:             c.Name,
		Image:            c.Image,
		Command:          c.Command,
		Args:             c.Args,
		WorkingDir:       c.WorkingDir,
		EnvFrom:          c.EnvFrom,
		Env:              slices.Clone(c.Env),
		ComputeResources: c.Resources,
		VolumeMounts:     c.VolumeMounts,
		VolumeDevices:    c.VolumeDevices,
		ImagePullPolicy:  c.ImagePullPolicy,
		SecurityContext:  c.SecurityContext,
	}
	keepDollars(&s)
	return s
}

// pinned is the App's image as it was looked into. A node that has an image of a tag keeps to it (imagePullPolicy IfNotPresent,
// the default of all tags but latest): it would run another than the one whose ENTRYPOINT and shell are known.
func pinned(app *v1alpha1.App, policy corev1.PullPolicy) string {
	image, known := app.Status.Image, app.Status.StartCommands
	_, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	switch {
	case known.Image != image || known.Digest == "" || strings.Contains(image, "@"):
	case policy == corev1.PullIfNotPresent || policy == "" && tag != "" && tag != "latest":
		return image + "@" + known.Digest
	}
	return image
}

// Tombstone is the PipelineRun of a Task that was terminated before it had one. It takes the name, so that nothing can
// be started under it any more, and is born cancelled: Tekton ends it without making a Pod.
func Tombstone(task *v1alpha1.Task) *tekton.PipelineRun {
	run := skeleton(task)
	maps.Copy(run.Labels, task.Labels)
	maps.Copy(run.Labels, ownLabels(task))
	run.Spec = tekton.PipelineRunSpec{
		Status: tekton.PipelineRunSpecStatusCancelled,
		PipelineSpec: &tekton.PipelineSpec{Tasks: []tekton.PipelineTask{{
			Name: v1alpha1.UserContainer,
			TaskSpec: &tekton.EmbeddedTask{TaskSpec: tekton.TaskSpec{
				Steps: []tekton.Step{{Name: v1alpha1.UserContainer, Image: "never-started", Command: []string{"never-started"}}},
			}},
		}}},
	}
	return run
}

// skeleton is what every PipelineRun of a Task has: the Task's name, which is the lock, and the Task as its owner, so
// that the garbage collector removes it with the Task.
func skeleton(task *v1alpha1.Task) *tekton.PipelineRun {
	return &tekton.PipelineRun{
		ObjectMeta: metav1.ObjectMeta{
			Name:      task.Name,
			Namespace: task.Namespace,
			Labels:    map[string]string{},
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(task, v1alpha1.GroupVersion.WithKind("Task")),
			},
		},
	}
}

// spanContext is Tekton's annotation of a run: the trace that its own spans belong to, as a JSON object of W3C's headers
// (tektoncd/pipeline, pkg/reconciler/pipelinerun/tracing.go).
const spanContext = "tekton.dev/pipelinerunSpanContext"

// traced has the run in the trace of its Task, if that is in one.
func traced(task *v1alpha1.Task) map[string]string {
	of := task.Annotations[v1alpha1.TraceParentAnnotation]
	if of == "" {
		return nil
	}
	b, err := json.Marshal(map[string]string{"traceparent": of})
	if err != nil {
		panic(err) // a string: can't fail
	}
	return map[string]string{spanContext: string(b)}
}

// ownLabels are those that nobody may override: the CLI, the NetworkPolicies of the Space and our own sources select by
// them. Tekton hands a run's labels on to its Pod.
func ownLabels(task *v1alpha1.Task) map[string]string {
	l := v1alpha1.TaskLabels(task.Spec.AppRef.Name)
	l[v1alpha1.NetworkPolicyLabel] = v1alpha1.NetworkPolicyApp
	l[v1alpha1.PipelineTaskLabel] = v1alpha1.UserContainer
	l[v1alpha1.TaskLabel] = task.Name
	return l
}

// ServiceAccount is that of the App's Pods. Where none is named it is Kubernetes' default, whatever Tekton's is.
func ServiceAccount(app *v1alpha1.App) string {
	pod := app.Spec.Template.Spec
	return cmp.Or(app.Status.ServiceAccountName, pod.ServiceAccountName, pod.DeprecatedServiceAccount, "default")
}

func podTemplate(p corev1.PodSpec) *pod.PodTemplate {
	t := &pod.PodTemplate{
		NodeSelector:                 p.NodeSelector,
		Tolerations:                  p.Tolerations,
		Affinity:                     p.Affinity,
		SecurityContext:              p.SecurityContext,
		RuntimeClassName:             p.RuntimeClassName,
		AutomountServiceAccountToken: p.AutomountServiceAccountToken,
		DNSConfig:                    p.DNSConfig,
		EnableServiceLinks:           p.EnableServiceLinks,
		SchedulerName:                p.SchedulerName,
		ImagePullSecrets:             p.ImagePullSecrets,
		HostAliases:                  p.HostAliases,
		TopologySpreadConstraints:    p.TopologySpreadConstraints,
		HostNetwork:                  p.HostNetwork,
		HostUsers:                    p.HostUsers,
	}
	if p.DNSPolicy != "" {
		t.DNSPolicy = &p.DNSPolicy
	}
	if p.PriorityClassName != "" {
		t.PriorityClassName = &p.PriorityClassName
	}
	return t
}

// timeouts sets Tekton's, always, that of the pipeline and that of its tasks: what is left out is Tekton's own default, an
// hour or whatever an operator has set, and would end a long batch.
func timeouts(task *v1alpha1.Task, opts Options) *tekton.TimeoutFields {
	d := opts.DefaultTimeout
	if task.Spec.Timeout != nil {
		d = task.Spec.Timeout.Duration
	}
	if d < 0 {
		d = 0 // Kf: 0 or less is no limit
	}
	return &tekton.TimeoutFields{Pipeline: &metav1.Duration{Duration: d}, Tasks: &metav1.Duration{Duration: d}}
}

// override puts the Task's cpu, memory and disk in place of the App's. Of memory and disk it is the limit as well, as in Cloud
// Foundry; a limit of cpu below the new request is raised to it: Kubernetes would refuse the Pod.
func override(app corev1.ResourceRequirements, task v1alpha1.TaskSpec) (corev1.ResourceRequirements, error) {
	r := *app.DeepCopy()
	for _, o := range []struct {
		name  corev1.ResourceName
		field string
		value string
	}{
		{corev1.ResourceCPU, "cpu", task.CPU},
		{corev1.ResourceMemory, "memory", task.Memory},
		{corev1.ResourceEphemeralStorage, "disk", task.Disk},
	} {
		if o.value == "" {
			continue
		}
		q, err := resource.ParseQuantity(o.value)
		if err != nil {
			return r, fmt.Errorf("spec.%s %q is not a quantity", o.field, o.value)
		}
		if r.Requests == nil {
			r.Requests = corev1.ResourceList{}
		}
		if r.Limits == nil {
			r.Limits = corev1.ResourceList{}
		}
		r.Requests[o.name] = q
		if limit, limited := r.Limits[o.name]; o.name != corev1.ResourceCPU || limited && limit.Cmp(q) < 0 {
			r.Limits[o.name] = q
		}
	}
	return r, nil
}
