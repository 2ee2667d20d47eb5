package pipelinerun

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

func app(change func(*v1alpha1.App)) *v1alpha1.App {
	a := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{
		Name: "shop", Namespace: "space", UID: "app-uid", Labels: map[string]string{"team": "web"},
	}}
	a.Status.Image = "registry.example/shop@sha256:1"
	a.Spec.Template.Spec.Containers = []corev1.Container{{Name: v1alpha1.UserContainer}}
	if change != nil {
		change(a)
	}
	return a
}

func task(change func(*v1alpha1.Task)) *v1alpha1.Task {
	t := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "migrate", Namespace: "space", UID: "task-uid"}}
	t.Spec.AppRef.Name = "shop"
	if change != nil {
		change(t)
	}
	return t
}

// fully is an App that sets everything a Task inherits.
func fully(a *v1alpha1.App) {
	yes, no := true, false
	a.Status.ServiceAccountName = "shop-account"
	p := &a.Spec.Template.Spec
	p.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "pull"}}
	p.NodeSelector = map[string]string{"disk": "ssd"}
	p.Tolerations = []corev1.Toleration{{Key: "batch", Operator: corev1.TolerationOpExists}}
	p.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: &yes}
	p.AutomountServiceAccountToken = &no
	p.PriorityClassName = "low"
	claim := &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}
	p.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: claim}}}
	bound := &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "bound"}}
	p.Containers[0] = corev1.Container{
		Name: v1alpha1.UserContainer, Command: []string{"/lifecycle/entrypoint.bash"}, Args: []string{"bin/server --port $(PORT)"},
		Ports:        []corev1.ContainerPort{{ContainerPort: 9000}},
		Env:          []corev1.EnvVar{{Name: "GREETING", Value: "hello"}, {Name: "PORT", Value: "9000"}, {Name: "LANG", Value: "C"}},
		EnvFrom:      []corev1.EnvFromSource{{SecretRef: bound}},
		VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("64Mi"),
			},
			Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("128Mi")},
		},
		LivenessProbe: &corev1.Probe{}, Stdin: true, TTY: true,
	}
}

func TestRenderedPipelineRun(t *testing.T) {
	for name, test := range map[string]struct {
		app  *v1alpha1.App
		task *v1alpha1.Task
		opts Options
	}{
		"plain": {app(nil), task(func(t *v1alpha1.Task) {
			t.Spec.Command = `echo "$GREETING" | tr a-z A-Z; echo $$ $(date)`
		}), Options{}},
		"inherits": {app(fully), task(nil), Options{DefaultTimeout: time.Hour}},
		"overrides": {app(fully), task(func(t *v1alpha1.Task) {
			t.Spec = v1alpha1.TaskSpec{AppRef: t.Spec.AppRef, Command: "bin/migrate", CPU: "2", Memory: "1Gi", Disk: "2Gi", Retries: 3,
				Timeout: &metav1.Duration{Duration: 90 * time.Second}}
			t.Labels = map[string]string{v1alpha1.TaskScheduleLabel: "nightly", v1alpha1.NameLabel: "forged"}
		}), Options{DefaultTimeout: time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			run, err := For(test.app, test.task, 7, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, run)
		})
	}
	t.Run("tombstone", func(t *testing.T) { golden(t, "tombstone", Tombstone(task(nil))) })
}

// golden compares with testdata, and puts the run through Tekton's own defaults and validation.
func golden(t *testing.T, name string, run *tekton.PipelineRun) {
	t.Helper()
	got, err := yaml.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name+".yaml")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Errorf("differs from %s (go test -update writes it anew):\n%s", file, got)
	}
	run.SetDefaults(context.Background())
	if err := run.Validate(context.Background()); err != nil {
		t.Errorf("Tekton would refuse it: %v", err)
	}
}

func TestStartCommand(t *testing.T) {
	known := func(shell v1alpha1.Shell, entrypoint ...string) func(*v1alpha1.App) {
		return func(a *v1alpha1.App) {
			a.Status.StartCommands = v1alpha1.StartCommandStatus{Image: a.Status.Image, Shell: shell, Container: entrypoint}
		}
	}
	for name, test := range map[string]struct {
		app           func(*v1alpha1.App)
		command       string
		wantCommand   []string
		wantArgs      []string
		wantErrorPart string
	}{
		"shell":           {known(v1alpha1.ShellPOSIX, "/entry"), "a | b", []string{"/bin/sh", "-c"}, []string{"a | b"}, ""},
		"not looked into": {nil, "a | b", []string{"/bin/sh", "-c"}, []string{"a | b"}, ""},
		"launcher": {known(v1alpha1.ShellLauncher, "/cnb/lifecycle/launcher"), "a | b",
			[]string{"/cnb/lifecycle/launcher"}, []string{"a | b"}, ""},
		"no shell": {known(v1alpha1.ShellNone, "/app"), `migrate --to "last one"`,
			[]string{"/app"}, []string{"migrate", "--to", "last one"}, ""},
		"no shell, bad quote": {known(v1alpha1.ShellNone, "/app"), `migrate "`, nil, nil, "split into words"},
		"neither":             {known(v1alpha1.ShellNone), "x", nil, nil, "set the App's entrypoint"},
		"App's entrypoint": {func(a *v1alpha1.App) { a.Spec.Template.Spec.Containers[0].Command = []string{"/run"} }, "a | b",
			[]string{"/run"}, []string{"a | b"}, ""},
		"dollars are the shell's": {nil, "echo $$ $(date) ${A}", []string{"/bin/sh", "-c"},
			[]string{"echo $$$$ $$(date) $${A}"}, ""},
		"read from another image": {func(a *v1alpha1.App) {
			known(v1alpha1.ShellNone, "/old")(a)
			a.Status.StartCommands.Image = "older"
		}, "x", []string{"/bin/sh", "-c"}, []string{"x"}, ""},
		"App's own arguments": {func(a *v1alpha1.App) {
			known(v1alpha1.ShellPOSIX, "/entry")(a)
			a.Spec.Template.Spec.Containers[0].Args = []string{"serve", "$(PORT)"}
		}, "", []string{"/entry"}, []string{"serve", "$(PORT)"}, ""},
		"nothing but the image": {nil, "", nil, nil, ""},
	} {
		a := app(test.app)
		command, args, err := startCommand(a, a.Spec.Template.Spec.Containers[0], test.command)
		if test.wantErrorPart != "" {
			if err == nil || !strings.Contains(err.Error(), test.wantErrorPart) {
				t.Errorf("%s: error %v, want one with %q", name, err, test.wantErrorPart)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(command, test.wantCommand) || !reflect.DeepEqual(args, test.wantArgs) {
			t.Errorf("%s: %q %q %v, want %q %q", name, command, args, err, test.wantCommand, test.wantArgs)
		}
	}
}

func TestBadQuantityIsSaid(t *testing.T) {
	_, err := For(app(nil), task(func(t *v1alpha1.Task) { t.Spec.Memory = "lots" }), 1, Options{})
	if err == nil || !strings.Contains(err.Error(), `spec.memory "lots"`) {
		t.Errorf("%v, want an error that names the field", err)
	}
}
