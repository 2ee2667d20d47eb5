package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The Brokers that the faults know.
const (
	inMemory  = "in-memory"
	jetStream = "jetstream"
)

// killContainerd is a fault that the check of logs knows of.
const killContainerd = "kill containerd"

// Fault is one that is done, and undone after it has lasted. What it did is told by do, for the log.
type Fault struct {
	Name  string
	Lasts time.Duration // 0: what was killed comes back by itself
	do    func(ctx context.Context, c *Cluster, random *rand.Rand) (did string, err error)
	undo  func(ctx context.Context, c *Cluster) error
}

// NotDone is a fault that is not, and why not.
type NotDone struct{ Name, Why string }

// writers are the functions that the load has write, so that each can be killed just after a write, which is before its next one.
var writers = []string{"runtask", "status", "start", "tick", "terminate", "prune", "command", "webhook", "build"}

// errNothing says that there was nothing to do it to.
var errNothing = errors.New("nothing of it ran")

// faults is the catalogue.
func faults(broker string) (all []Fault) {
	for _, f := range writers {
		all = append(all, Fault{Name: "kill " + f + " after a write", do: afterWrite(f)})
	}
	all = append(all,
		Fault{Name: "kill the Broker's ingress", do: killPod("knative-eventing", "mt-broker-ingress-")},
		Fault{Name: "kill the Broker's filter", do: killPod("knative-eventing", "mt-broker-filter-")},
		Fault{Name: "kill the ApiServerSource's adapter", do: killPod("kf-tasks", "apiserversource-lifecycle-")},
		Fault{Name: "kill the PingSources' adapter", do: killPod("knative-eventing", "pingsource-mt-adapter-")},
		Fault{Name: "kill Tekton's controller", do: killPod("tekton-pipelines", "tekton-pipelines-controller-")},
		Fault{Name: "kill Tekton's webhook", do: killPod("tekton-pipelines", "tekton-pipelines-webhook-")},
		Fault{Name: "kill the kubelet", do: killPart("kubelet")},
		Fault{Name: killContainerd, Lasts: time.Second, do: killPart("containerd"), undo: containerdAnswers},
		Fault{Name: "kill etcd", do: killPart("etcd")},
		Fault{Name: "kill the API server", do: killPart("kube-apiserver")},
		Fault{Name: "API calls are slow: the API server stands still", Lasts: 8 * time.Second, do: signalPart("kube-apiserver", syscall.SIGSTOP), undo: resume("kube-apiserver")},
		Fault{Name: "API calls fail: etcd stands still", Lasts: 10 * time.Second, do: signalPart("etcd", syscall.SIGSTOP), undo: resume("etcd")},
		Fault{Name: "the registry is away", Lasts: 25 * time.Second, do: stopRegistry, undo: startRegistry},
		Fault{Name: "the log sink stalls", Lasts: 25 * time.Second, do: sinkIs(stalls), undo: sinkTakes},
		Fault{Name: "the log sink refuses", Lasts: 20 * time.Second, do: sinkIs(refuses), undo: sinkTakes},
		Fault{Name: "the log sink is full", Lasts: 20 * time.Second, do: sinkIs(full), undo: sinkTakes},
		Fault{Name: "every event twice", Lasts: 25 * time.Second, do: double, undo: undouble},
		Fault{Name: "events are delayed, and out of order: the Broker's filter stands still", Lasts: 4 * time.Second, do: freezeFilter, undo: thawFilter},
		Fault{Name: "events are dropped, of three functions", Lasts: 20 * time.Second, do: drop, undo: undrop},
		Fault{Name: "the adapter is rolled out anew: a namespace is made", Lasts: 10 * time.Second, do: makeNamespace, undo: deleteNamespace},
		Fault{Name: "the node is out of memory, as its kubelet sees it", Lasts: 20 * time.Second, do: noMemory, undo: memory},
	)
	if broker == jetStream {
		return append(all,
			Fault{Name: "kill the Broker's dispatcher", do: killPod("knative-eventing", "jetstream-ch-dispatcher-")},
			Fault{Name: "kill one nats-server", do: killOneServer},
			Fault{Name: "kill all nats-servers", do: killServers})
	}
	return append(all, Fault{Name: "kill the Broker's dispatcher", do: killPod("knative-eventing", "imc-dispatcher-")})
}

// notDone are the faults that are looked at elsewhere, or nowhere.
func notDone(broker string) []NotDone {
	const elsewhere = "each of its writes and API errors is gone through by test/integration, with a proxy that fails on demand"
	none := []NotDone{
		{"kill space, bind, archive, deadletter, logs, web, wait", "the load asks nothing of them"},
		{"429, 409 and 500 of single API calls", elsewhere},
		{"the node's disk is full", "the kubelet would delete images that no registry has, and the machine's disk is others' too"},
		{"clock steps", "namespaces of Linux have no clock of their own; `make check-jobs` steps the clocks of tick, by an hour"},
		{"a power cut", "etcd writes with fsync here, but a killed process does not show whether it does"},
		{"a second node", "there is one"},
	}
	if broker != jetStream {
		none = append(none, NotDone{"kill one nats-server, and all of them", "this Broker has none"})
	}
	return none
}

func namesOf(all []Fault) (names []string) {
	for _, f := range all {
		names = append(names, f.Name)
	}
	return names
}

type do = func(context.Context, *Cluster, *rand.Rand) (string, error)

// afterWrite waits for a write of a function, by the API server's audit log, and kills the function at once.
func afterWrite(function string) do {
	return func(ctx context.Context, c *Cluster, random *rand.Rand) (string, error) {
		n := 1 + random.IntN(3)
		is := func(p *corev1.Pod) bool { return p.Labels["serving.knative.dev/service"] == function }
		ready := c.aim(ctx, is) // to look for it afterwards would take most of a second
		wrote, at, err := c.nextWrite(ctx, function, n, 75*time.Second)
		if err != nil {
			return "", err
		}
		var killed []string
		hit := ready.fire()
		took := time.Since(at)
		for _, p := range hit {
			killed = append(killed, c.renewed(ctx, p))
		}
		if len(hit) == 0 { // it was not up then
			one, err := c.kill(ctx, is)
			if err != nil {
				return "", fmt.Errorf("after %s: %w", wrote, err)
			}
			killed, took = []string{one}, time.Since(at)
		}
		return fmt.Sprintf("%s, %s after its write no. %d from then: %s", strings.Join(killed, ", "), took.Round(time.Millisecond), n, wrote), nil
	}
}

func named(namespace, prefix string) func(*corev1.Pod) bool {
	return func(p *corev1.Pod) bool { return p.Namespace == namespace && strings.HasPrefix(p.Name, prefix) }
}

func killPod(namespace, prefix string) do {
	return func(ctx context.Context, c *Cluster, _ *rand.Rand) (string, error) {
		return c.kill(ctx, named(namespace, prefix))
	}
}

func killPart(part string) do {
	return func(_ context.Context, c *Cluster, _ *rand.Rand) (string, error) {
		return part, c.program("kill", part)
	}
}

// containerdAnswers is when it is back, which it comes by itself: its socket is in the node's own /run.
func containerdAnswers(ctx context.Context, c *Cluster) error {
	pid, err := c.part("containerd")
	if err != nil {
		return err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", fmt.Sprintf("/proc/%d/root/run/containerd/containerd.sock", pid))
	if err != nil {
		return err
	}
	return conn.Close()
}

// servers are those of NATS, parts of the cluster.
var servers = []string{"nats-0", "nats-1", "nats-2"}

func killOneServer(ctx context.Context, c *Cluster, random *rand.Rand) (string, error) {
	return killPart(servers[random.IntN(len(servers))])(ctx, c, nil)
}

func killServers(_ context.Context, c *Cluster, _ *rand.Rand) (did string, err error) {
	for _, s := range servers {
		err = errors.Join(err, c.program("kill", s))
	}
	return strings.Join(servers, ", "), err
}

func signalPart(part string, signal syscall.Signal) do {
	return func(_ context.Context, c *Cluster, _ *rand.Rand) (string, error) {
		pid, err := c.part(part)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s to %s", signal, part), syscall.Kill(pid, signal)
	}
}

func resume(part string) func(context.Context, *Cluster) error {
	return func(ctx context.Context, c *Cluster) error {
		_, err := signalPart(part, syscall.SIGCONT)(ctx, c, nil)
		return err
	}
}

func stopRegistry(_ context.Context, c *Cluster, _ *rand.Rand) (string, error) {
	return "stopped", c.program("stop", "registry")
}

func startRegistry(_ context.Context, c *Cluster) error { return c.program("start", "registry") }

func sinkIs(m mode) do {
	return func(_ context.Context, c *Cluster, _ *rand.Rand) (string, error) {
		c.sink.set(m)
		return m.String(), nil
	}
}

func sinkTakes(_ context.Context, c *Cluster) error {
	c.sink.set(takes)
	return nil
}

// hinted are the functions that live on the events of objects.
var hinted = []string{"runtask", "status", "start", "tick", "terminate", "prune"}

const twin = "-again"

func double(ctx context.Context, c *Cluster, _ *rand.Rand) (string, error) {
	triggers := c.triggers()
	for _, f := range hinted {
		t, err := triggers.Get(ctx, f, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		second := &unstructured.Unstructured{Object: map[string]any{"apiVersion": t.GetAPIVersion(), "kind": t.GetKind(), "spec": t.Object["spec"]}}
		second.SetName(f + twin)
		if _, err := triggers.Create(ctx, second, metav1.CreateOptions{}); err != nil {
			return "", err
		}
	}
	return "a second Trigger for each of " + strings.Join(hinted, ", "), nil
}

// undouble deletes one at a time, and waits until the channel knows: deleted together, some stay in it (docs/events.md).
func undouble(ctx context.Context, c *Cluster) (err error) {
	for _, f := range hinted {
		err = errors.Join(err, c.unsubscribe(ctx, f+twin))
	}
	return err
}

func freezeFilter(ctx context.Context, c *Cluster, _ *rand.Rand) (string, error) {
	return c.signal(ctx, named("knative-eventing", "mt-broker-filter-"), syscall.SIGSTOP)
}

func thawFilter(ctx context.Context, c *Cluster) error {
	_, err := c.signal(ctx, named("knative-eventing", "mt-broker-filter-"), syscall.SIGCONT)
	return err
}

// drop has three Triggers let nothing through: what comes meanwhile is taken, and given to nobody.
func drop(ctx context.Context, c *Cluster, random *rand.Rand) (string, error) {
	var of []string
	for _, i := range random.Perm(len(hinted))[:3] {
		of = append(of, hinted[i])
	}
	for _, f := range of {
		if err := c.filter(ctx, f, []any{map[string]any{"exact": map[string]any{"type": "dev.kf.nothing"}}}); err != nil {
			return "", err
		}
	}
	return strings.Join(of, ", "), nil
}

func undrop(ctx context.Context, c *Cluster) (err error) {
	for _, f := range hinted {
		err = errors.Join(err, c.filter(ctx, f, c.filters[f]))
	}
	return err
}

func makeNamespace(ctx context.Context, c *Cluster, _ *rand.Rand) (string, error) {
	ns, err := c.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "chaos-made-"}}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	c.made = append(c.made, ns.Name)
	return ns.Name, nil
}

func deleteNamespace(ctx context.Context, c *Cluster) (err error) {
	for _, name := range c.made {
		err = errors.Join(err, ignoreNotFound(c.Kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})))
	}
	if err == nil {
		c.made = nil
	}
	return err
}

// noMemory has the kubelet believe so, by a threshold that no machine has: it evicts Pods, and takes no new ones.
func noMemory(_ context.Context, c *Cluster, _ *rand.Rand) (string, error) {
	return "threshold of 64 TiB", c.kubelet(`memory.available: "100Mi"`, `memory.available: "64Ti"`)
}

func memory(_ context.Context, c *Cluster) error {
	return c.kubelet(`memory.available: "64Ti"`, `memory.available: "100Mi"`)
}

// kubelet replaces a word of its configuration, and starts it again.
func (c *Cluster) kubelet(from, to string) error {
	path := c.path("etc", "kubelet.yaml")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed := strings.ReplaceAll(string(b), from, to)
	if changed == string(b) && !strings.Contains(changed, to) {
		return fmt.Errorf("%s has no %s", path, from)
	}
	if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
		return err
	}
	return c.program("kill", "kubelet")
}
