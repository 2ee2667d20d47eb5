package migrate

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

// How long names may be: an App's Tasks add a suffix to its name, a Job's the time.
const (
	maxAppName = 57
	maxJobName = 52
)

// What a Job may have, as its schema says.
const (
	maxSchedules = 33
	maxEnv       = 64
	maxValue     = 32768
)

var notDNS = regexp.MustCompile(`[^a-z0-9.-]+`)

// mended is a name that Kubernetes takes, as near to the given one as can be. It is always the same for the same name.
func mended(name string, longest int) string {
	dns := notDNS.ReplaceAllString(strings.ToLower(name), "-")
	labels := strings.FieldsFunc(dns, func(r rune) bool { return r == '.' })
	kept := labels[:0]
	for _, label := range labels {
		if label = strings.Trim(label, "-"); label != "" {
			kept = append(kept, label)
		}
	}
	dns = strings.Join(kept, ".")
	switch {
	case dns == "":
		return "import-" + short(name)
	case len(dns) > longest:
		return strings.TrimRight(dns[:longest-7], "-.") + "-" + short(name)
	}
	return dns
}

// short tells texts apart in a few characters.
func short(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:3])
}

// name is the name of an object for one that has the given name elsewhere; "" if another has it already.
func (r *reader) name(kind, given string, longest int, at place) string {
	name := mended(given, longest)
	other, taken := r.names[kind+" "+name]
	if taken && name != given { // two that are one once they are mended
		name = mended(given+"-"+short(given), longest)
		other, taken = r.names[kind+" "+name]
	}
	if taken {
		r.fault(at, kind+" "+given, "there is another of this name at %s:%d: import one Space at a time, or rename one in the file",
			other.file, other.line)
		return ""
	}
	r.names[kind+" "+name] = at
	if name != given {
		r.remark(at, kind+" "+given, "it is called %s here: a name has lower case letters, digits, '-' and '.', and at most %d of them",
			name, longest)
	}
	return name
}

// forImage is the App of --app and --image, which need not be there yet.
func (r *reader) forImage() {
	if r.App == "" {
		return
	}
	if wrong := validation.IsDNS1123Subdomain(r.App); len(wrong) > 0 || len(r.App) > maxAppName {
		r.fault(place{file: "--app"}, "", "%.80q is no name of an App: lower case letters, digits, '-' and '.', at most "+
			"%d", r.App, maxAppName)
		return
	}
	if r.Image != "" {
		r.names["App "+r.App] = place{file: "--app"}
		r.addApp(newApp(r.App, r.Image), place{file: "--app"})
	}
}

// newApp is an App that is there for its Tasks and Jobs.
func newApp(name, image string) *v1alpha1.App {
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: name}}
	app.Spec.Instances.Stopped = true
	app.Spec.Template.Spec.Containers = []corev1.Container{{Name: v1alpha1.UserContainer}}
	if image != "" {
		app.Spec.Build.Image = &image
	}
	return app
}

// startCommand gives an App a start command: one string, for a shell.
func startCommand(app *v1alpha1.App, command string) {
	app.Spec.Template.StartCommand = command
	app.Spec.Template.Spec.Containers[0].Args = []string{verbatim.Literal(command)}
}

// variables gives an App an environment.
func (r *reader) variable(app *v1alpha1.App, name, value string, at place) {
	if unfit := verbatim.UnfitVariable(name, value); unfit != "" {
		r.remark(at, "App "+app.Name, "variable %.80s is left out: %s", name, unfit)
		return
	}
	c := &app.Spec.Template.Spec.Containers[0]
	c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: verbatim.Literal(value)})
}

// amount gives an App an amount, in Kubernetes' units; of CPU there is no limit in Cloud Foundry.
func amount(app *v1alpha1.App, name corev1.ResourceName, text string) error {
	if text == "" {
		return nil
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return fmt.Errorf("%s %.40q is no quantity", name, text)
	}
	res := &app.Spec.Template.Spec.Containers[0].Resources
	if res.Requests == nil {
		res.Requests, res.Limits = corev1.ResourceList{}, corev1.ResourceList{}
	}
	res.Requests[name] = q
	if name != corev1.ResourceCPU {
		res.Limits[name] = q
	}
	return nil
}

// newJob is a Job without a schedule.
func newJob(name, app string) *v1alpha1.TaskSchedule {
	job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: name}}
	job.Spec.ConcurrencyPolicy = v1alpha1.ConcurrencyAlways
	job.Spec.TaskTemplate.AppRef.Name = app
	return job
}

// schedules gives a Job its schedules. One without any is suspended, as create-job makes it.
func schedules(job *v1alpha1.TaskSchedule, expressions []string) {
	if len(expressions) == 0 {
		job.Spec.Schedule, job.Spec.Suspend = v1alpha1.NeverSchedule, true
		return
	}
	job.Spec.Schedule, job.Spec.Schedules = expressions[0], expressions[1:]
}

// unfit says why no Job can be as it is.
func unfit(job *v1alpha1.TaskSchedule) error {
	t := job.Spec.TaskTemplate
	if why := verbatim.Unfit(t.Command); why != "" {
		return fmt.Errorf("its command can't be run: %s", why)
	}
	if t.Command != "" && strings.TrimSpace(t.Command) == "" {
		return errors.New("its command is blank")
	}
	if n := 1 + len(job.Spec.Schedules); n > maxSchedules {
		return fmt.Errorf("it has %d schedules: a Job can have %d", n, maxSchedules)
	}
	if len(t.Env) > maxEnv {
		return fmt.Errorf("it has %d variables: a Job can have %d", len(t.Env), maxEnv)
	}
	for _, e := range t.Env {
		if len(e.Value) > maxValue {
			return fmt.Errorf("variable %s has %d bytes: a Job's can have %d", e.Name, len(e.Value), maxValue)
		}
	}
	return nil
}

func (r *reader) addJob(job *v1alpha1.TaskSchedule, at place) {
	about := "Job " + job.Name
	if err := unfit(job); err != nil {
		r.fault(at, about, "%v", err)
		return
	}
	job.Labels = v1alpha1.TaskScheduleLabels(job.Spec.Suspend)
	if o := r.object(job, "TaskSchedule", at); o != nil {
		r.plan.Jobs = append(r.plan.Jobs, o)
	}
}

func (r *reader) addApp(app *v1alpha1.App, at place) {
	if app.Spec.Build.Image == nil {
		r.remark(at, "App "+app.Name, "it has no image yet, and its Jobs wait for one: kf push %s --task -p FOLDER builds one of "+
			"its source, "+
			"--docker-image IMAGE names one", app.Name)
	}
	if o := r.object(app, "App", at); o != nil {
		r.plan.Apps = append(r.plan.Apps, o)
	}
}

// object is what is applied: what is said, and no field more, for who applies a field owns it.
func (r *reader) object(typed any, kind string, at place) *unstructured.Unstructured {
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		r.fault(at, kind, "it can't be written as an object: %v", err)
		return nil
	}
	o := &unstructured.Unstructured{Object: m}
	o.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	unstructured.RemoveNestedField(m, "status")
	unstructured.RemoveNestedField(m, "metadata", "creationTimestamp")
	if kind != "App" {
		return o
	}
	unstructured.RemoveNestedField(m, "spec", "template", "updateRequests")
	if build, _, _ := unstructured.NestedMap(m, "spec", "build"); len(build) == 0 {
		unstructured.RemoveNestedField(m, "spec", "build")
	}
	pod, _, _ := unstructured.NestedFieldNoCopy(m, "spec", "template", "spec")
	for _, list := range []string{"containers", "initContainers"} {
		containers, _ := pod.(map[string]any)[list].([]any)
		for _, c := range containers {
			if res, ok := c.(map[string]any)["resources"].(map[string]any); ok && len(res) == 0 {
				delete(c.(map[string]any), "resources")
			}
		}
	}
	return o
}
