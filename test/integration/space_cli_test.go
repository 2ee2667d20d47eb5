package integration

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// meanwhile does what a command waits for: the function space hears the ping of every ten seconds, here more often.
func meanwhile(f *harness.Function, command func()) {
	done := make(chan struct{})
	go func() { defer close(done); command() }()
	for {
		select {
		case <-done:
			return
		case <-time.After(200 * time.Millisecond):
			f.Redeliver(harness.Ping("resync"))
		}
	}
}

// TestKfMakesShowsAndDeletesSpaces: from create-space to delete-space, which deletes nothing before it was told to.
func TestKfMakesShowsAndDeletesSpaces(t *testing.T) {
	c := newCLI(t)
	f, name := c.Function(t, "space"), freshName("cli")
	t.Cleanup(func() { c.Kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}) })
	meanwhile(f, func() {
		c.has(c.kf("create-space", name, "--container-registry", "registry.example/cli", "--run-env", "STAGE=test,MODE=$(x)", "-m", "256M", "--task-timeout", "1h",
			"--allowed-registry", "registry.example"), "Space "+name+" created.", "kf target "+name)
	})
	s := readSpace(t, c.Cluster, name)
	if d := s.Spec.Defaults; d.Memory != "256Mi" || d.TaskTimeout.Duration != time.Hour || len(s.Spec.RuntimeConfig.Env) != 2 || s.Status.Namespace != v1alpha1.NamespaceMade {
		t.Errorf("%+v", s)
	}
	c.has(c.refused("create-space", name), "there is a Space")
	c.has(c.kf("spaces"), "Name Registry Namespace Age Ready Reason", name+" registry.example/cli Made", "True NamespaceMade")
	c.has(c.kf("spaces", "-o", "name"), "space.kf.dev/"+name)
	shown := c.kf("space", name)
	c.has(shown, "Container registry registry.example/cli", "Memory of a Task 256Mi", "Environment of Apps MODE, STAGE", "Time limit of a Task 1h0m0s")
	in := &cli{t, c.Cluster, name}
	c.has(in.kf("target"), "kf space "+name)
	c.has(c.kf("target"), "none: a namespace")
	c.has(c.refused("space", c.space), "is a namespace without a Space", "kf create-space "+c.space)
	c.has(c.refused("space", "none-such"), `there is no Space "none-such"`)

	c.App(t, name, "shop")
	c.has(in.kf("env", "shop"), "STAGE test", "MODE $(x)", "GREETING hello")
	c.Task(t, name, "shop", "one")
	_, said, code := c.RunKf(t, c.space, "delete-space", name)
	c.has(said, "1 Apps, 1 Tasks, 0 Jobs", "nobody to ask: nothing was deleted", "--force")
	if code != 2 {
		t.Errorf("exit code %d", code)
	}
	if s := readSpace(t, c.Cluster, name); s.DeletionTimestamp != nil {
		t.Error("it was deleted unasked")
	}
	meanwhile(f, func() { c.has(c.kf("delete-space", name, "--force"), "Space "+name+" is deleted.") })
	if ns, err := client.Find(ctx, c.Kube.CoreV1().Namespaces(), "", name); ns != nil || err != nil {
		t.Errorf("the namespace is still there: %v", err)
	}
}

// TestKfDeletesASpaceAndLeavesANamespaceThatWasThere.
func TestKfDeletesASpaceAndLeavesANamespaceThatWasThere(t *testing.T) {
	c := newCLI(t)
	f := c.Function(t, "space")
	meanwhile(f, func() { c.kf("create-space", c.space) })
	c.App(t, c.space, "shop")
	_, said, _ := c.RunKf(t, c.space, "delete-space", c.space)
	c.has(said, "was there before, and stays")
	meanwhile(f, func() { c.kf("delete-space", c.space, "-f") })
	if ns, err := client.Find(ctx, c.Kube.CoreV1().Namespaces(), "", c.space); ns == nil || ns.DeletionTimestamp != nil || err != nil {
		t.Errorf("the namespace went: %v", err)
	}
}

// TestWhoMaySeeSpaces: who works in one reads it, and neither lists nor makes nor deletes any.
func TestWhoMaySeeSpaces(t *testing.T) {
	all := newCLI(t)
	newSpace(t, all.Cluster, all.space)
	c := all.member("admin")
	c.has(c.kf("space", c.space), "Name "+c.space)
	c.kf("target")
	for _, args := range [][]string{{"spaces"}, {"create-space", "mine"}, {"delete-space", c.space, "--force"}} {
		c.has(c.refused(args...), "is forbidden")
	}
}

// TestKfsOwnCLIHasASpace: it finds ours where it asks for one, and makes and deletes one.
func TestKfsOwnCLIHasASpace(t *testing.T) {
	k := newKfsOwn(t)
	f, name := k.Function(t, "space"), freshName("kfs-own")
	t.Cleanup(func() { k.Kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}) })
	if printed, code := k.KfsOwn(t, k.space, "target"); code == 0 || !strings.Contains(printed, "doesn't exist") {
		t.Errorf("in a namespace without a Space it works now: say so in docs/kf.md: %d\n%s", code, printed)
	}
	meanwhile(f, func() {
		k.kf("create-space "+name+" --container-registry registry.example/kfs --run-env STAGE=test", "Space created")
	})
	if s := readSpace(t, k.Cluster, name); s.Status.BuildConfig.ContainerRegistry != "registry.example/kfs" || s.Spec.RuntimeConfig.Env[0].Value != "test" {
		t.Errorf("%+v", s)
	}
	k.kf("spaces", name)
	k.kf("space "+name, name)
	k.space = name
	k.kf("target", name)
	meanwhile(f, func() { k.kf("delete-space "+name, "") })
	if s, err := client.Find(ctx, k.Kf.Spaces(), "", name); s != nil || err != nil {
		t.Errorf("the Space is still there: %v", err)
	}
}
