// Package undeploy removes the system from the cluster, and so runs last.
package undeploy

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestUndeployRemovesEverything: with Apps and Tasks there, one of them to be stopped, and a second time with nothing.
func TestUndeployRemovesEverything(t *testing.T) {
	ctx := context.Background()
	c := harness.Deployed(t)
	space := c.Namespace(t, "undeploy")
	c.App(t, space, "shop")
	c.Task(t, space, "shop", "waits")
	stopped := harness.NewTask(space, "shop", "stopped")
	stopped.Spec.Terminated = true
	if _, err := c.Kf.Tasks(space).Create(ctx, stopped, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	made := makeSpace(t, c)
	for range 2 {
		limited, cancel := context.WithTimeout(ctx, 10*time.Minute) // its own limits are shorter
		cmd := exec.CommandContext(limited, "make", "undeploy")
		cmd.Dir = harness.Root()
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("make undeploy: %v\n%s", err, out)
		}
	}
	if ns, err := c.Kube.CoreV1().Namespaces().Get(ctx, made, metav1.GetOptions{}); err != nil || ns.DeletionTimestamp != nil {
		t.Errorf("the namespace of a Space went with the system: %v", err)
	}
	d, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []schema.GroupVersionResource{
		{Version: "v1", Resource: "namespaces"},
		{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
		{Group: "eventing.knative.dev", Version: "v1beta3", Resource: "eventtypes"},
	} {
		list, err := d.Resource(what).List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Error(err)
			continue
		}
		for _, o := range list.Items {
			ours := o.GetLabels()["app.kubernetes.io/part-of"] == "kf-tasks" || o.GetName() == harness.SystemNamespace ||
				o.GetNamespace() == harness.SystemNamespace || strings.HasSuffix(o.GetName(), ".kf.dev")
			if ours {
				t.Errorf("%s %s is left", o.GetKind(), o.GetName())
			}
		}
	}
}

// makeSpace makes a Space, and returns when its namespace is there.
func makeSpace(t *testing.T, c *harness.Cluster) string {
	t.Helper()
	ctx := context.Background()
	space := &v1alpha1.Space{ObjectMeta: metav1.ObjectMeta{GenerateName: "undeploy-space-"}}
	space.Spec.Commanders = []v1alpha1.SpaceSubject{{Kind: "User", Name: "ann"}}
	space, err := c.Kf.Spaces().Create(ctx, space, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Kube.CoreV1().Namespaces().Delete(ctx, space.Name, metav1.DeleteOptions{}) })
	harness.Eventually(t, 3*time.Minute, func() error {
		now, err := c.Kf.Spaces().Get(ctx, space.Name, metav1.GetOptions{})
		if err == nil && now.Status.Namespace != v1alpha1.NamespaceMade {
			err = fmt.Errorf("Space %s: %+v", space.Name, now.Status)
		}
		return err
	})
	return space.Name
}
