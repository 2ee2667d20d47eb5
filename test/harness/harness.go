// Package harness runs the functions as real processes against a real API server: with the rights of their own service
// accounts, fed with real CloudEvents over HTTP, and, where a test asks for it, through a proxy that makes the API
// server fail in a chosen way.
package harness

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// SystemNamespace is where the functions and their service accounts are.
const SystemNamespace = "kf-tasks"

// Cluster is the API server under test, reached as its administrator.
type Cluster struct {
	Config *rest.Config
	Kube   kubernetes.Interface
	Kf     *client.Client
	Tekton tektonclient.TektonV1Interface

	kubeconfig string
}

// Root is the repository's folder.
func Root() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	for dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "config", "crd")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	panic("not in the repository")
}

// Number is a setting of a benchmark that is one, from the environment.
func Number(t testing.TB, setting string, otherwise int) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv(setting), strconv.Itoa(otherwise)))
	if err != nil {
		t.Helper()
		t.Fatalf("%s: %v", setting, err)
	}
	return n
}

// New connects to the cluster that KUBECONFIG names, or to the one that `make test-integration` starts. There being
// none is a failure, not a reason to skip.
func New(t testing.TB) *Cluster {
	t.Helper()
	c := connect(t, named(filepath.Join(Root(), ".cluster-test", "kubeconfig")))
	c.refuseDeployed(t)
	return c
}

// Deployed connects to a cluster on which the functions run: that of KUBECONFIG, or of `make e2e`.
func Deployed(t testing.TB) *Cluster {
	t.Helper()
	return connect(t, named(filepath.Join(Root(), ".cluster", "kubeconfig")))
}

// named is the kubeconfig that KUBECONFIG names, or the other.
func named(other string) string {
	if env := os.Getenv("KUBECONFIG"); env != "" {
		return env
	}
	return other
}

func connect(t testing.TB, kubeconfig string) *Cluster {
	t.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatalf("no cluster to test on; `make test-integration` starts one: %v", err)
	}
	cfg.QPS = -1
	cfg.WarningHandler = rest.NoWarnings{} // of the Pods that tests play: thousands of lines in what a benchmark prints
	c := &Cluster{Config: cfg, kubeconfig: kubeconfig}
	if c.Kube, err = kubernetes.NewForConfig(cfg); err != nil {
		t.Fatal(err)
	}
	if c.Kf, err = client.New(cfg); err != nil {
		t.Fatal(err)
	}
	if c.Tekton, err = tektonclient.NewForConfig(cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Kube.Discovery().ServerVersion(); err != nil {
		t.Fatalf("the cluster does not answer; `make test-integration` and `make e2e` start one: %v", err)
	}
	return c
}

// refuseDeployed: functions that run on the cluster would do what the tests expect of their own.
func (c *Cluster) refuseDeployed(t testing.TB) {
	t.Helper()
	d, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	ksvc := schema.GroupVersionResource{Group: "serving.knative.dev", Version: "v1", Resource: "services"}
	list, err := d.Resource(ksvc).Namespace(SystemNamespace).List(context.Background(), metav1.ListOptions{})
	if err == nil && len(list.Items) > 0 {
		t.Fatalf("the functions are deployed on this cluster and would disturb the tests: `make undeploy` first, or use another cluster")
	}
}

// Namespace makes a namespace (a Space) for one test, and deletes it afterwards.
func (c *Cluster) Namespace(t testing.TB, prefix string) string {
	t.Helper()
	ctx := context.Background()
	ns, err := c.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix + "-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Kube.CoreV1().Namespaces().Delete(ctx, ns.Name, metav1.DeleteOptions{}) })
	Eventually(t, 3*time.Minute, func() error { // Kubernetes makes it a moment later, on a busy machine seconds; a Task waits for it
		_, err := c.Kube.CoreV1().ServiceAccounts(ns.Name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	return ns.Name
}

// App makes an App whose image is settled.
func (c *Cluster) App(t testing.TB, namespace, name string) *v1alpha1.App {
	t.Helper()
	ctx := context.Background()
	image := "registry.example/" + name + ":1"
	app := NewApp(namespace, name, image)
	app.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "GREETING", Value: "hello"}}
	app, err := c.Kf.Apps(namespace).Create(ctx, app, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	app, err = client.PatchStatus(ctx, c.Kf.Apps(namespace), app, func(a *v1alpha1.App) {
		a.Status.Image = image
		a.Status.StartCommands = v1alpha1.StartCommandStatus{Image: image, Shell: v1alpha1.ShellPOSIX}
	})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// NewApp is an App as kubectl would send it. It is there for its Tasks only.
func NewApp(namespace, name, image string) *v1alpha1.App {
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}}
	app.Spec.Build.Image, app.Spec.Instances.Stopped = &image, true
	app.Spec.Template.Spec.Containers = []corev1.Container{{Name: v1alpha1.UserContainer}}
	return app
}

// Task makes a Task of an App.
func (c *Cluster) Task(t testing.TB, namespace, app, name string) *v1alpha1.Task {
	t.Helper()
	task, err := c.Kf.Tasks(namespace).Create(context.Background(), NewTask(namespace, app, name), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// NewTask is a Task as kubectl would send it.
func NewTask(namespace, app, name string) *v1alpha1.Task {
	return &v1alpha1.Task{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       v1alpha1.TaskSpec{AppRef: corev1.LocalObjectReference{Name: app}, Command: "true"},
	}
}

// Eventually tries until check returns nil.
func Eventually(t testing.TB, limit time.Duration, check func() error) {
	t.Helper()
	every(t, 50*time.Millisecond, limit, check)
}

func every(t testing.TB, wait, limit time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v", limit, err)
		}
		time.Sleep(wait)
	}
}

// account makes the service account and rights of a function as config/rbac says, and returns a token of it.
func (c *Cluster) account(t testing.TB, function string) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: SystemNamespace}}
	if _, err := c.Kube.CoreV1().Namespaces().Create(context.Background(), ns, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	c.Rights(t, function)
	return c.token(t, SystemNamespace, function)
}

// Rights applies a file of config/rbac.
func (c *Cluster) Rights(t testing.TB, file string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(Root(), "config", "rbac", file+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	decode := scheme.Codecs.UniversalDeserializer().Decode
	for _, doc := range strings.Split(string(b), "\n---\n") {
		obj, _, err := decode([]byte(doc), nil, nil)
		if err != nil {
			t.Fatalf("config/rbac/%s.yaml: %v", file, err)
		}
		if err := c.put(context.Background(), obj); err != nil {
			t.Fatalf("config/rbac/%s.yaml: %v", file, err)
		}
	}
}

// Member is the cluster as an account of a Space sees it that has a role there and nothing else; kind is Role or
// ClusterRole.
func (c *Cluster) Member(t testing.TB, namespace, kind, role string) *Cluster {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "has-" + role, Namespace: namespace}}
	for _, obj := range []any{account, &rbacv1.RoleBinding{
		ObjectMeta: account.ObjectMeta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account.Name, Namespace: namespace}},
	}} {
		if err := c.put(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	writeKubeconfig(t, kubeconfig, c.Config.Host, c.token(t, namespace, account.Name))
	return connect(t, kubeconfig)
}

// writeKubeconfig writes a file that leads to a server of ours, with a token.
func writeKubeconfig(t testing.TB, path, server, token string) {
	t.Helper()
	if err := os.WriteFile(path, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: %s}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
`, server, token), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) token(t testing.TB, namespace, account string) string {
	t.Helper()
	token, err := c.Kube.CoreV1().ServiceAccounts(namespace).CreateToken(context.Background(), account, tokenRequest(), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return token.Status.Token
}

func (c *Cluster) put(ctx context.Context, obj any) error {
	var err error
	switch o := obj.(type) {
	case *corev1.ServiceAccount:
		_, err = c.Kube.CoreV1().ServiceAccounts(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
	case *rbacv1.ClusterRole:
		if _, err = c.Kube.RbacV1().ClusterRoles().Create(ctx, o, metav1.CreateOptions{}); apierrors.IsAlreadyExists(err) {
			_, err = c.Kube.RbacV1().ClusterRoles().Update(ctx, o, metav1.UpdateOptions{})
		}
	case *rbacv1.ClusterRoleBinding:
		_, err = c.Kube.RbacV1().ClusterRoleBindings().Create(ctx, o, metav1.CreateOptions{})
	case *rbacv1.Role:
		_, err = c.Kube.RbacV1().Roles(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
	case *rbacv1.RoleBinding:
		_, err = c.Kube.RbacV1().RoleBindings(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
	default:
		return fmt.Errorf("the harness does not know %T", obj)
	}
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// As is the cluster as the account of a function sees it, with the rights that config/rbac gives it.
func (c *Cluster) As(t testing.TB, function string) *Cluster {
	t.Helper()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	writeKubeconfig(t, kubeconfig, c.Config.Host, c.account(t, function))
	return connect(t, kubeconfig)
}
