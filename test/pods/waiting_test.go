package pods

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// ruled is a Space with rules of its own, and the functions that start Tasks and say what they wait for.
type ruled struct {
	*testing.T
	c                      *harness.Cluster
	ns                     string
	runtask, begin, status *harness.Function
}

// start makes an App of the image, changed, and a Task of it that writes a line.
func (r ruled) start(image string, change func(*corev1.Container)) {
	r.Helper()
	app := harness.NewApp(r.ns, "shop", image)
	if change != nil {
		change(&app.Spec.Template.Spec.Containers[0])
	}
	app, err := r.c.Kf.Apps(r.ns).Create(ctx, app, metav1.CreateOptions{})
	if err != nil {
		r.Fatal(err)
	}
	if _, err = client.PatchStatus(ctx, r.c.Kf.Apps(r.ns), app, func(a *v1alpha1.App) {
		a.Status.Image = image
		a.Status.StartCommands = v1alpha1.StartCommandStatus{Image: image, Shell: v1alpha1.ShellPOSIX}
	}); err != nil {
		r.Fatal(err)
	}
	task := harness.NewTask(r.ns, "shop", "migrate")
	task.Spec.Command = `test "${PASSWORD-hunter2}" = hunter2`
	if task, err = r.c.Kf.Tasks(r.ns).Create(ctx, task, metav1.CreateOptions{}); err != nil {
		r.Fatal(err)
	}
	r.runtask.Deliver(harness.Added("Task", task))
}

// says waits until the Task says so.
func (r ruled) says(reason, message string) {
	r.Helper()
	harness.Eventually(r, 5*time.Minute, func() error {
		r.begin.Deliver(harness.Ping("resync"))
		r.status.Deliver(harness.Ping("resync"))
		task, err := r.c.Kf.Tasks(r.ns).Get(ctx, "migrate", metav1.GetOptions{})
		if err != nil {
			return err
		}
		said := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
		if said == nil || said.Reason != reason || !strings.Contains(said.Message, message) {
			if task.Final() {
				r.Fatalf("it has ended: %+v, want %s with %q", said, reason, message)
			}
			return fmt.Errorf("it says %+v, want %s with %q", said, reason, message)
		}
		return nil
	})
}

// TestTasksRunWithinTheRulesOfTheirSpaces, Tekton's own containers included; and what is not there yet is waited for, by name.
func TestTasksRunWithinTheRulesOfTheirSpaces(t *testing.T) {
	c := harness.New(t)
	busybox := registry(t) + "/base/busybox:latest"
	memory := func(text string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(text)}
	}
	runtask, begin, status := c.Function(t, "runtask"), c.Function(t, "start"), c.Function(t, "status")
	for what, test := range map[string]func(ruled){
		"a LimitRange whose default is below the App's request": func(r ruled) {
			limits := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "small"}}
			limits.Spec.Limits = []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Default: memory("128Mi"),
				MaxLimitRequestRatio: memory("2")}}
			if _, err := r.c.Kube.CoreV1().LimitRanges(r.ns).Create(ctx, limits, metav1.CreateOptions{}); err != nil {
				r.Fatal(err)
			}
			r.start(busybox, func(c *corev1.Container) { c.Resources.Requests = memory("256Mi") })
			r.says(v1alpha1.ReasonSucceeded, "")
		},
		"a quota on memory, of which the App says nothing": func(r ruled) {
			quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "compute"}}
			quota.Spec.Hard = corev1.ResourceList{"limits.memory": resource.MustParse("1Gi"), "requests.memory": resource.MustParse("1Gi"),
				"limits.cpu": resource.MustParse("1"), "requests.cpu": resource.MustParse("1")}
			if _, err := r.c.Kube.CoreV1().ResourceQuotas(r.ns).Create(ctx, quota, metav1.CreateOptions{}); err != nil {
				r.Fatal(err)
			}
			r.start(busybox, nil)
			r.says(v1alpha1.ReasonSucceeded, "")
		},
		"a quota of no Pods, until it is raised": func(r ruled) {
			quotas := r.c.Kube.CoreV1().ResourceQuotas(r.ns)
			quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "none"}}
			quota.Spec.Hard = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}
			if _, err := quotas.Create(ctx, quota, metav1.CreateOptions{}); err != nil {
				r.Fatal(err)
			}
			r.start(busybox, nil)
			r.says("ExceededResourceQuota", "exceeded quota: none")
			if _, err := quotas.Patch(ctx, "none", types.MergePatchType, []byte(`{"spec":{"hard":{"pods":"1"}}}`), metav1.PatchOptions{}); err != nil {
				r.Fatal(err)
			}
			r.says(v1alpha1.ReasonSucceeded, "")
		},
		"Pod Security restricted": func(r ruled) {
			enforce := []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`)
			if _, err := r.c.Kube.CoreV1().Namespaces().Patch(ctx, r.ns, types.MergePatchType, enforce, metav1.PatchOptions{}); err != nil {
				r.Fatal(err)
			}
			r.start(busybox, nil)
			r.says(v1alpha1.ReasonSucceeded, "")
		},
		"a LimitRange whose max is below the App's limit": func(r ruled) {
			limits := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "small"}}
			limits.Spec.Limits = []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Max: memory("128Mi")}}
			if _, err := r.c.Kube.CoreV1().LimitRanges(r.ns).Create(ctx, limits, metav1.CreateOptions{}); err != nil {
				r.Fatal(err)
			}
			r.start(busybox, func(c *corev1.Container) { c.Resources.Limits = memory("256Mi") })
			r.says(v1alpha1.ReasonPodRefused, "maximum memory usage per Container is 128Mi")
		},
		"a Secret that comes": func(r ruled) {
			r.start(busybox, func(c *corev1.Container) {
				c.EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}}}}
			})
			r.says(v1alpha1.ReasonPending, `secret "db" not found`)
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "db"}, StringData: map[string]string{"PASSWORD": "hunter2"}}
			if _, err := r.c.Kube.CoreV1().Secrets(r.ns).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
				r.Fatal(err)
			}
			r.says(v1alpha1.ReasonSucceeded, "")
		},
		"an image that comes": func(r ruled) {
			later := registry(r.T) + "/later/" + r.ns + ":1"
			r.start(later, nil)
			r.says(v1alpha1.ReasonPending, "not found")
			from, err := name.ParseReference(busybox)
			if err != nil {
				r.Fatal(err)
			}
			to, err := name.ParseReference(later)
			if err != nil {
				r.Fatal(err)
			}
			image, err := remote.Image(from)
			if err == nil {
				err = remote.Write(to, image)
			}
			if err != nil {
				r.Fatal(err)
			}
			r.says(v1alpha1.ReasonSucceeded, "")
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			test(ruled{t, c, c.Namespace(t, "rules"), runtask, begin, status})
		})
	}
}
