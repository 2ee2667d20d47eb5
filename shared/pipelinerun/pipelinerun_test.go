package pipelinerun

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun/golden"
)

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
		"environment": {app(fully), task(func(t *v1alpha1.Task) {
			t.Spec.Env = []v1alpha1.EnvVar{{Name: "REF", Value: "$(DATABASE_URL) $$ ${HOME} `id`; $(params.x) $(tasks.x.results.y)"}, {Name: "PORT", Value: "1"}}
		}), Options{}},
		"call": {app(fully), task(func(t *v1alpha1.Task) {
			t.Spec.Call = &v1alpha1.Call{URL: "https://shop.example/a?b=$(params.x)", Method: "POST", Body: `{"price": "$$(1)"}`,
				Headers: []v1alpha1.CallHeader{{Name: "X-A", Value: "1"}, {Name: "Authorization", SecretKeyRef: &corev1.SecretKeySelector{
					LocalObjectReference: corev1.LocalObjectReference{Name: "kf-call-x"}, Key: "authorization"}}}}
		}), Options{CallImage: "registry.example/call@sha256:1"}},
		"bound to services": {app(func(a *v1alpha1.App) {
			fully(a)
			a.Status.Bindings = []v1alpha1.AppBinding{
				{Binding: "binding-shop-db", Name: "db", Secret: "files-binding-shop-db", Keys: []string{"provider", "type", "uri"}},
				{Binding: "binding-shop-mail", Name: "mail", Secret: "files-binding-shop-mail", Keys: []string{"type"}}}
			a.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "fetch", Image: "fetch:1",
				Env: []corev1.EnvVar{{Name: "SERVICE_BINDING_ROOT", Value: "/etc/bound"}}}}
		}), task(nil), Options{}},
		"with initContainers and dollars": {app(func(a *v1alpha1.App) {
			known(v1alpha1.ShellPOSIX, "/bin/bash", nil, []string{"/serve"})(a)
			p := &a.Spec.Template.Spec
			p.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "$$(context.taskRun.name)"}, {Name: "B", Value: "$(A) $(params.x) $(CF_INSTANCE_IP)"}}
			p.InitContainers = []corev1.Container{{Name: "fetch", Image: "fetch:1", Command: []string{"fetch", "$(params.what)"},
				VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}}}
			p.Volumes = []corev1.Volume{{Name: "data"}}
		}), task(func(t *v1alpha1.Task) { t.Spec.Command = "echo $(context.taskRun.name) $(params.x) $$" }), Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			run, err := For(test.app, test.task, 7, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, name, run)
		})
	}
	t.Run("tombstone", func(t *testing.T) { golden.Compare(t, "tombstone", Tombstone(task(nil))) })
}

func TestACallNeedsItsImage(t *testing.T) {
	_, err := For(app(nil), task(func(t *v1alpha1.Task) { t.Spec.Call = &v1alpha1.Call{URL: "https://shop.example"} }), 1, Options{})
	if err == nil || !strings.Contains(err.Error(), "CALL_IMAGE") {
		t.Errorf("%v, want what is missing", err)
	}
}

func TestBadQuantityIsSaid(t *testing.T) {
	_, err := For(app(nil), task(func(t *v1alpha1.Task) { t.Spec.Memory = "lots" }), 1, Options{})
	if err == nil || !strings.Contains(err.Error(), `spec.memory "lots"`) {
		t.Errorf("%v, want an error that names the field", err)
	}
}

func TestARunThatTektonCantKeepIsRefused(t *testing.T) {
	for command, want := range map[string]string{
		strings.Repeat("x", 131071): "", strings.Repeat("$", 131071): "", strings.Repeat("$(", 65535): "can't keep",
	} {
		_, err := For(app(nil), task(func(t *v1alpha1.Task) { t.Spec.Command = command }), 1, Options{})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.4s...: %v, want %q", command, err, want)
		}
	}
}

// TestTheTasksMemoryIsItsLimit, and its disk: as in Cloud Foundry. There is no limit of CPU unless the App has one.
func TestTheTasksMemoryIsItsLimit(t *testing.T) {
	q := resource.MustParse
	for name, c := range map[string]struct {
		app, want corev1.ResourceRequirements
	}{
		"of an App that says nothing": {want: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": q("2"), "memory": q("64Mi"), "ephemeral-storage": q("1Gi")},
			Limits:   corev1.ResourceList{"memory": q("64Mi"), "ephemeral-storage": q("1Gi")},
		}},
		"of one that says more, and less": {
			app: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": q("1"), "memory": q("1Gi"), "ephemeral-storage": q("1Mi")}},
			want: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{"cpu": q("2"), "memory": q("64Mi"), "ephemeral-storage": q("1Gi")},
				Limits:   corev1.ResourceList{"cpu": q("2"), "memory": q("64Mi"), "ephemeral-storage": q("1Gi")},
			},
		},
	} {
		got, err := override(c.app, v1alpha1.TaskSpec{CPU: "2", Memory: "64Mi", Disk: "1Gi"})
		if err != nil || !equality.Semantic.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v %v, want %+v", name, got, err, c.want)
		}
	}
}

// TestTheImageThatWasLookedIntoRuns: where a node would keep to what it has of a tag.
func TestTheImageThatWasLookedIntoRuns(t *testing.T) {
	for image, want := range map[string]bool{
		"registry.example:5000/shop:1": true, "shop:1": true, "shop": false, "registry.example:5000/shop": false, "shop:latest": false, "shop:1@sha256:1": false,
	} {
		a := app(func(a *v1alpha1.App) { a.Status.Image = image; known(v1alpha1.ShellPOSIX, "/bin/sh", nil, nil)(a) })
		if got := pinned(a, ""); (got == image+"@sha256:2") != want || !want && got != image {
			t.Errorf("%s is run as %s", image, got)
		}
		if got := pinned(a, corev1.PullAlways); got != image {
			t.Errorf("%s, whose newest is asked for each time, is run as %s", image, got)
		}
	}
}
