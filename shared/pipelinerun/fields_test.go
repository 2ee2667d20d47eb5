package pipelinerun

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// TestEveryFieldIsHonouredRefusedOrListed: a field that a new version of Kubernetes brings fails this test until somebody has
// decided what becomes of it, and docs/tasks.md says so.
func TestEveryFieldIsHonouredRefusedOrListed(t *testing.T) {
	docs, err := os.ReadFile("../../docs/tasks.md")
	if err != nil {
		t.Fatal(err)
	}
	for of, fields := range map[reflect.Type]map[string]Treatment{
		reflect.TypeFor[corev1.PodSpec](): PodFields, reflect.TypeFor[corev1.Container](): ContainerFields,
	} {
		there := map[string]bool{}
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			there[name] = true
			if fields[name] == "" {
				t.Errorf("%s.%s: what becomes of it in a Task? Say so in PodFields or ContainerFields", of.Name(), name)
			}
			if !strings.Contains(string(docs), "`"+name+"`") {
				t.Errorf("%s.%s: docs/tasks.md does not say what becomes of it", of.Name(), name)
			}
		}
		for name := range fields {
			if !there[name] {
				t.Errorf("%s has no %s", of.Name(), name)
			}
		}
	}
}

// TestWhatIsHonouredIsInTheRun, and what is refused is told: each field by itself, with something in it.
func TestWhatIsHonouredIsInTheRun(t *testing.T) {
	// Of the App's container its name is given, and its image is spec.build's; its ports make CF_INSTANCE_PORT.
	not := map[string]bool{"containers": true, "name": true, "image": true}
	for name, treatment := range PodFields {
		if !not[name] {
			oneField(t, "spec.template.spec", name, treatment, func(a *v1alpha1.App) any { return &a.Spec.Template.Spec })
		}
	}
	for name, treatment := range ContainerFields {
		if !not[name] {
			oneField(t, "spec.template.spec.containers[0]", name, treatment, func(a *v1alpha1.App) any { return &a.Spec.Template.Spec.Containers[0] })
		}
		oneField(t, "spec.template.spec.initContainers[0]", name, treatment, func(a *v1alpha1.App) any {
			a.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "init:1", Command: []string{"init"}}}
			return &a.Spec.Template.Spec.InitContainers[0]
		})
	}
}

func oneField(t *testing.T, at, name string, treatment Treatment, of func(*v1alpha1.App) any) {
	t.Helper()
	render := func(set bool) (string, error) {
		a := app(nil)
		if v := reflect.ValueOf(of(a)).Elem(); set {
			fill(v.FieldByIndex(named(t, v.Type(), name)))
		}
		run, err := For(a, task(nil), 1, Options{})
		if err != nil {
			return "", err
		}
		b, err := json.Marshal(run)
		if err != nil {
			t.Fatal(err)
		}
		return string(b), nil
	}
	without, err := render(false)
	if err != nil {
		t.Fatal(err)
	}
	with, err := render(true)
	var unfit *UnfitApp
	told := errors.As(err, &unfit) && strings.Contains(err.Error(), at+"."+name)
	changed := err == nil && with != without
	if told != (treatment == Refused) || treatment == Honoured && !changed && !(name == "ports" && strings.Contains(at, "init")) || treatment == Meaningless && changed {
		t.Errorf("%s.%s is %s: the run changed by it: %v, error %v", at, name, treatment, changed, err)
	}
}

func named(t *testing.T, of reflect.Type, name string) []int {
	for i := range of.NumField() {
		if tag, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ","); tag == name {
			return of.Field(i).Index
		}
	}
	t.Fatalf("%s has no %s", of, name)
	return nil
}

// fill puts something into a value.
func fill(v reflect.Value) {
	switch special := v.Addr().Interface().(type) {
	case *corev1.ResourceList:
		*special = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
		return
	case *corev1.ResourceRequirements:
		special.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
		return
	case *corev1.Lifecycle:
		special.PostStart = &corev1.LifecycleHandler{}
		return
	case *corev1.ContainerRestartPolicy:
		*special = corev1.ContainerRestartPolicyAlways
		return
	case *[]corev1.Container:
		*special = []corev1.Container{{Name: "x", Image: "x:1", Command: []string{"x"}}}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() && (f.Kind() == reflect.String || f.Kind() == reflect.Bool || f.Kind() == reflect.Int32) {
				fill(f)
			}
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(7)
	}
}

func TestWhatAnAppCantHaveIsSaid(t *testing.T) {
	int64p := func(i int64) *int64 { return &i }
	amount := func(memory string) corev1.ResourceRequirements {
		return corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(memory)}}
	}
	for name, test := range map[string]struct {
		change func(*corev1.PodSpec)
		want   string
	}{
		"nothing":             {func(*corev1.PodSpec) {}, ""},
		"a sidecar":           {func(p *corev1.PodSpec) { p.Containers = append(p.Containers, corev1.Container{Name: "proxy"}) }, "containers[1] (proxy)"},
		"a sidecar before it": {func(p *corev1.PodSpec) { p.Containers = append([]corev1.Container{{Name: "proxy"}}, p.Containers...) }, "containers[0] (proxy)"},
		"Kubernetes' grace":   {func(p *corev1.PodSpec) { p.TerminationGracePeriodSeconds = int64p(30) }, ""},
		"a grace of its own":  {func(p *corev1.PodSpec) { p.TerminationGracePeriodSeconds = int64p(60) }, "terminationGracePeriodSeconds"},
		"preStop": {func(p *corev1.PodSpec) {
			p.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{}}
		}, ""},
		"two things":         {func(p *corev1.PodSpec) { p.HostPID, p.NodeName = true, "n" }, "hostPID is nothing that a Task can have; spec.template.spec.nodeName"},
		"init without image": {func(p *corev1.PodSpec) { p.InitContainers = []corev1.Container{{Name: "a"}} }, "has no image"},
		"init with its name": {func(p *corev1.PodSpec) { p.InitContainers = []corev1.Container{{Name: "user-container", Image: "i"}} }, "a name of its own"},
		"init with args alone": {func(p *corev1.PodSpec) {
			p.InitContainers = []corev1.Container{{Name: "a", Image: "i", Args: []string{"x"}}}
		}, "say its command"},
		"half a byte":        {func(p *corev1.PodSpec) { p.Containers[0].Resources = amount("512m") }, "resources.limits.memory"},
		"half a KiB":         {func(p *corev1.PodSpec) { p.Containers[0].Resources = amount("512") }, "say a unit"},
		"less than nothing":  {func(p *corev1.PodSpec) { p.Containers[0].Resources = amount("-1G") }, "-1G"},
		"NUL in an argument": {func(p *corev1.PodSpec) { p.Containers[0].Args = []string{"a\x00"} }, "args[0]: it holds a NUL"},
		"a long variable": {func(p *corev1.PodSpec) {
			p.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: strings.Repeat("x", 128<<10)}}
		}, "env[0]"},
		"many variables": {func(p *corev1.PodSpec) {
			p.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: strings.Repeat("x", 100<<10)}, {Name: "B", Value: strings.Repeat("x", 100<<10)},
				{Name: "C", Value: strings.Repeat("x", 100<<10)}, {Name: "D", Value: strings.Repeat("x", 100<<10)}}
		}, "do not fit into a run"},
	} {
		a := app(nil)
		test.change(&a.Spec.Template.Spec)
		_, err := For(a, task(nil), 1, Options{})
		var unfit *UnfitApp
		if got := errors.As(err, &unfit); got != (test.want != "") || got && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
