package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// What the Tasks run. Each puts on record, on a volume, that it has begun, each line that it has written, after it has, and that it has
// come to its end.
const (
	quick = "exec sh /chaos/quick"
	stay  = "exec sh /chaos/stay"

	head = `record=/chaos/out/${CHAOS_RUN:-${HOSTNAME%-user-container-pod}}
echo "begin $(date +%s)" >> $record
i=0
line() { i=$((i+1)); echo "line $i"; echo "line $i" >> $record; }
`
	quickScript = head + `for n in 1 2 3 4 5; do line; done
echo end >> $record
`
	stayScript = head + `trap 'stop=yes' TERM
while [ $i -lt 6000 ]; do
  line
  [ -z "$stop" ] || { line; line; exit 143; }
  sleep 0.2
done
echo end >> $record
`
)

// What is in the Space besides.
const (
	hook       = "chaos"
	hookSecret = "not-a-secret-for-long"
	factsName  = "chaos-facts"
)

// jobs are their names, and each how many minutes they run.
var jobs = map[string]int{"each-minute": 1, "each-second-minute": 2, "each-third-minute": 3}

// world is the Space in which it all happens.
type world struct {
	*Cluster
	space, records            string
	repository, host          string           // of images, and this machine's address for Pods
	inside, outside, hookHost string           // the ingress for names of the cluster, and for those outside
	before                    map[string][]any // the containers of Services that were changed
	retain                    string           // how many Tasks of App shop are kept, empty for as many as by default
}

// settings are of the cluster's env file, which a shell has read.
func settings() (w world, err error) {
	for name, to := range map[string]*string{"KO_DOCKER_REPO": &w.repository, "CLUSTER_HOST_IP": &w.host, "CLUSTER_INGRESS": &w.outside} {
		if *to = os.Getenv(name); *to == "" {
			return w, fmt.Errorf("%s is not set: run it by make chaos, or read the cluster's env file first", name)
		}
	}
	return w, nil
}

// build makes the Space and all in it. What fails is tried again by nobody: nothing is disturbed yet.
func (w *world) build(ctx context.Context) error {
	var err error
	if w.records, err = os.MkdirTemp("", "kf-chaos-"); err != nil {
		return err
	}
	if err := w.scripts(); err != nil {
		return err
	}
	ns, err := w.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "chaos-"}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	w.space = ns.Name
	if err := w.addresses(ctx); err != nil {
		return err
	}
	for app, retain := range map[string]string{"shop": w.retain, "few": "3", "turn": ""} {
		if err := w.app(ctx, app, retain); err != nil {
			return err
		}
	}
	if err := errors.Join(w.webhook(ctx), w.grant(ctx, "commands", "default", w.space), w.facts(ctx)); err != nil {
		return err
	}
	for name, every := range jobs {
		job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: name}}
		job.Spec.Schedule, job.Spec.TaskTemplate.AppRef.Name, job.Spec.TaskTemplate.Command = fmt.Sprintf("*/%d * * * *", every), "shop", quick
		if _, err := w.Kf.TaskSchedules(w.space).Create(ctx, job, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) scripts() error {
	out := filepath.Join(w.records, "out")
	if err := os.Mkdir(out, 0o777); err != nil {
		return err
	}
	for _, dir := range []string{w.records, out} { // the command's user is nobody in particular
		if err := os.Chmod(dir, 0o777); err != nil {
			return err
		}
	}
	return errors.Join(os.WriteFile(filepath.Join(w.records, "quick"), []byte(quickScript), 0o644),
		os.WriteFile(filepath.Join(w.records, "stay"), []byte(stayScript), 0o644))
}

// addresses are where the ingress is reached, and the name of the function webhook.
func (w *world) addresses(ctx context.Context) error {
	ingress, err := w.Kube.CoreV1().Services("knative-serving").Get(ctx, "kf-ingress", metav1.GetOptions{})
	if err != nil {
		return err
	}
	w.inside = net.JoinHostPort(ingress.Spec.ClusterIP, "80")
	service, err := w.services().Get(ctx, "webhook", metav1.GetOptions{})
	if err != nil {
		return err
	}
	address, _, _ := unstructured.NestedString(service.Object, "status", "url")
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	w.hookHost = u.Host
	return nil
}

func (w *world) app(ctx context.Context, name, retain string) error {
	app := harness.NewApp(w.space, name, w.repository+"/base/busybox:latest")
	if retain != "" {
		app.Annotations = map[string]string{v1alpha1.RetainAnnotation: retain}
	}
	spec := &app.Spec.Template.Spec
	spec.Volumes = []corev1.Volume{{Name: "chaos", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: w.records}}}}
	spec.Containers = []corev1.Container{{
		Name: v1alpha1.UserContainer, VolumeMounts: []corev1.VolumeMount{{Name: "chaos", MountPath: "/chaos"}},
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5m"), corev1.ResourceMemory: resource.MustParse("8Mi")}},
	}}
	if _, err := w.Kf.Apps(w.space).Create(ctx, app, metav1.CreateOptions{}); err != nil {
		return err
	}
	return until(ctx, 3*time.Minute, func() error {
		app, err := w.Kf.Apps(w.space).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("App %s is not ready: %+v", name, app.Status.Conditions)
		}
		return nil
	})
}

// grant lets an account command the Space.
func (w *world) grant(ctx context.Context, name, account, namespace string) error {
	_, err := w.Kube.RbacV1().RoleBindings(w.space).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kf-tasks-commander"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: account}}}, metav1.CreateOptions{})
	return err
}

// webhook makes one as kf create-webhook does.
func (w *world) webhook(ctx context.Context) error {
	if _, err := w.Kube.CoreV1().Secrets(w.space).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: hook},
		StringData: map[string]string{"secret": hookSecret}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := w.Kf.Webhooks(w.space).Create(ctx, &v1alpha1.Webhook{ObjectMeta: metav1.ObjectMeta{Name: hook}, Spec: v1alpha1.WebhookSpec{
		Provider: v1alpha1.ProviderHMAC, HMAC: &v1alpha1.HMACHeaders{Header: "X-Signature", IDHeader: "X-Delivery"},
		SecretRefs: []v1alpha1.SecretKey{{Name: hook, Key: "secret"}},
		Run:        v1alpha1.WebhookRun{App: "shop", Command: quick, Env: []v1alpha1.WebhookEnv{{Name: keyVariable, Value: "body.run"}}},
	}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	rbac := w.Kube.RbacV1()
	_, err := rbac.Roles(w.space).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "webhook-secret"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{hook}, Verbs: []string{"get"}}}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = rbac.RoleBindings(w.space).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "webhook-secret"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "webhook-secret"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: systemNamespace, Name: "webhook"}}}, metav1.CreateOptions{})
	return errors.Join(err, w.grant(ctx, "webhooks", "webhook", systemNamespace))
}

// facts has the Broker send here all facts about the Space.
func (w *world) facts(ctx context.Context) error {
	trigger := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
		"metadata": map[string]any{"name": factsName},
		"spec": map[string]any{
			"broker":     "default",
			"filters":    []any{map[string]any{"prefix": map[string]any{"type": "dev.kf."}}, map[string]any{"prefix": map[string]any{"subject": w.space}}},
			"subscriber": map[string]any{"uri": "http://" + net.JoinHostPort(w.host, port) + "/facts"},
		}}}
	if _, err := w.triggers().Create(ctx, trigger, metav1.CreateOptions{}); ignoreExists(err) != nil {
		return err
	}
	return ready(ctx, w.triggers(), factsName)
}

// set gives functions more settings; restore takes them away again.
func (w *world) set(ctx context.Context, more map[string]string, functions ...string) error {
	for _, f := range functions {
		o, err := w.services().Get(ctx, f, metav1.GetOptions{})
		if err != nil {
			return err
		}
		containers, _, err := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
		if err != nil || len(containers) == 0 {
			return fmt.Errorf("the Service %s has no container: %w", f, err)
		}
		if w.before == nil {
			w.before = map[string][]any{}
		}
		if w.before[f] == nil {
			w.before[f] = deep(containers)
		}
		first := containers[0].(map[string]any)
		env, _ := first["env"].([]any)
		for name, value := range more {
			env = append(env, map[string]any{"name": name, "value": value})
		}
		first["env"] = env
		if err := w.patchService(ctx, f, containers); err != nil {
			return err
		}
	}
	for _, f := range functions {
		if err := ready(ctx, w.services(), f); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) patchService(ctx context.Context, name string, containers []any) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": containers}}}})
	if err != nil {
		return err
	}
	_, err = w.services().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

func deep(v []any) []any {
	return (&unstructured.Unstructured{Object: map[string]any{"v": v}}).DeepCopy().Object["v"].([]any)
}

// restore leaves the cluster as it was, as far as it answers.
func (w *world) restore(ctx context.Context) (err error) {
	for f, was := range w.before {
		err = errors.Join(err, until(ctx, time.Minute, func() error { return w.patchService(ctx, f, was) }))
	}
	err = errors.Join(err, w.unsubscribe(ctx, factsName), deleteNamespace(ctx, w.Cluster))
	if w.space != "" {
		err = errors.Join(err, ignoreNotFound(w.Kube.CoreV1().Namespaces().Delete(ctx, w.space, metav1.DeleteOptions{})))
	}
	return err
}
