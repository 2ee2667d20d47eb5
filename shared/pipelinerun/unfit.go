package pipelinerun

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

// Tekton keeps what a run says twice in one object, of which etcd takes 1.5 MiB: so large the run may be, as JSON. An App leaves
// room in it for a Task's command.
const (
	maxRun      = 640 << 10
	maxTemplate = 384 << 10
)

func small(run *tekton.PipelineRun) error {
	if b, err := json.Marshal(run.Spec); err == nil && len(b) > maxRun {
		return fmt.Errorf("App and command make a run of %d KiB, and Tekton can't keep one of more than %d KiB", len(b)>>10, maxRun>>10)
	}
	return nil
}

// UnfitApp is why no Task of an App can run until the App is changed.
type UnfitApp struct{ Why []string }

func (e *UnfitApp) Error() string { return strings.Join(e.Why, "; ") }

// Fit says whether Tasks can have what the App asks for: the error is an UnfitApp.
func Fit(app *v1alpha1.App) error {
	p := app.Spec.Template.Spec
	why := refusedFields(p)
	for i, c := range p.Containers {
		why = append(why, unfitContainer(fmt.Sprintf("spec.template.spec.containers[%d]", i), c)...)
	}
	for i, c := range p.InitContainers {
		why = append(why, unfitContainer(fmt.Sprintf("spec.template.spec.initContainers[%d]", i), c)...)
	}
	if b, err := json.Marshal(app.Spec.Template); err == nil && len(b) > maxTemplate {
		why = append(why, fmt.Sprintf("spec.template has %d KiB: more than %d KiB do not fit into a run", len(b)>>10, maxTemplate>>10))
	}
	if len(why) > 0 {
		slices.Sort(why) // the same words each time: they are a status
		return &UnfitApp{why}
	}
	return nil
}

func unfitContainer(at string, c corev1.Container) (why []string) {
	for i, e := range c.Env {
		if unfit := verbatim.UnfitVariable(e.Name, e.Value); unfit != "" {
			why = append(why, fmt.Sprintf("%s.env[%d]: %s", at, i, unfit))
		}
	}
	for field, all := range map[string][]string{"command": c.Command, "args": c.Args} {
		for i, s := range all {
			if unfit := verbatim.Unfit(s); unfit != "" {
				why = append(why, fmt.Sprintf("%s.%s[%d]: %s", at, field, i, unfit))
			}
		}
	}
	for field, amounts := range map[string]corev1.ResourceList{"requests": c.Resources.Requests, "limits": c.Resources.Limits} {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
			if q, given := amounts[name]; given && q.Cmp(leastOf[name]) < 0 && !q.IsZero() {
				least := leastOf[name]
				why = append(why, fmt.Sprintf("%s.resources.%s.%s: %s is less than %s: say a unit, as in 512Mi",
					at, field, name, q.String(), least.String()))
			}
		}
	}
	if len(c.Resources.Claims) > 0 {
		why = append(why, at+".resources.claims is nothing that a Task can have")
	}
	return why
}

// leastOf is what is too little to be meant: 512m of memory is half a byte.
var leastOf = map[corev1.ResourceName]resource.Quantity{
	corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("1Mi"),
	corev1.ResourceEphemeralStorage: resource.MustParse("1Mi"),
}
