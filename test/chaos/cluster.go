package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
)

// systemNamespace is where the functions run.
const systemNamespace = "kf-tasks"

// Cluster is the local one (test/cluster): reached as its administrator, and on this machine by its processes.
type Cluster struct {
	Kube    kubernetes.Interface
	Kf      *client.Client
	Tekton  tektonclient.TektonV1Interface
	Dynamic dynamic.Interface

	dir     string // its folder
	cluster string // the program that started it
	cgroup  string // of all its Pods
	sink    *sink
	filters map[string][]any // of the functions' Triggers, as they were

	mu   sync.Mutex
	pods []corev1.Pod // as last listed: the API server may be away when one is to be killed
	made []string     // namespaces
}

// connect finds a cluster of ours by its folder. One of somebody else's is nothing to do this to.
func connect(dir, program string) (*Cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, cluster: program, filters: map[string][]any{}}
	var plan struct{ Index int }
	if err := c.read("plan.json", &plan); err != nil {
		return nil, fmt.Errorf("there is no cluster in %s, make demo starts one: %w", dir, err)
	}
	c.cgroup = fmt.Sprintf("/kf-cluster-%d/", plan.Index)
	cfg, err := clientcmd.BuildConfigFromFlags("", c.path("kubeconfig"))
	if err != nil {
		return nil, err
	}
	cfg.QPS, cfg.Timeout = -1, 20*time.Second
	watching := rest.CopyConfig(cfg)
	watching.Timeout = 0 // a watch lasts
	if c.Kf, err = client.New(watching); err != nil {
		return nil, err
	}
	if c.Tekton, err = tektonclient.NewForConfig(watching); err != nil {
		return nil, err
	}
	if c.Kube, err = kubernetes.NewForConfig(cfg); err != nil {
		return nil, err
	}
	c.Dynamic, err = dynamic.NewForConfig(cfg)
	return c, err
}

func (c *Cluster) path(elem ...string) string {
	return filepath.Join(append([]string{c.dir}, elem...)...)
}

func (c *Cluster) read(file string, into any) error {
	b, err := os.ReadFile(c.path(file))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// program runs the cluster's program: kill, stop, start.
func (c *Cluster) program(verb, part string) error {
	out, err := exec.Command(c.cluster, verb, part, "--dir", c.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", verb, part, err, bytes.TrimSpace(out))
	}
	return nil
}

// part is the process of a part, as this machine counts: a child of the cluster's first process.
func (c *Cluster) part(name string) (int, error) {
	var first struct{ PID int }
	if err := c.read("node.pid", &first); err != nil {
		return 0, err
	}
	for _, pid := range processes() {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		after := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // state, parent
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || len(after) < 2 || after[1] != strconv.Itoa(first.PID) {
			continue
		}
		if words := strings.Split(string(command), "\x00"); filepath.Base(words[0]) == name || len(words) > 1 && words[1] == name {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("%s: %w", name, errNothing)
}

func processes() (pids []int) {
	entries, _ := os.ReadDir("/proc") // empty is nothing to be killed
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// inContainer are the processes of a container.
func (c *Cluster) inContainer(id string) (pids []int) {
	for _, pid := range processes() {
		if c.holds(pid, id) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// holds says whether a process is of a container. Its cgroup says that it is of this cluster and no other.
func (c *Cluster) holds(pid int, id string) bool {
	_, id, _ = strings.Cut(id, "://")
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	return err == nil && id != "" && bytes.Contains(b, []byte(c.cgroup)) && bytes.Contains(b, []byte(id))
}

// running are the Pods that are of the kind and run, as the API server says or last said.
func (c *Cluster) running(ctx context.Context, is func(*corev1.Pod) bool) (found []corev1.Pod) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	list, err := c.Kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "status.phase=Running"})
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.pods = list.Items
	}
	for _, p := range c.pods {
		if is(&p) {
			found = append(found, p)
		}
	}
	return found
}

// main is the status of a Pod's first container of its own: not the queue-proxy.
func mainOf(p *corev1.Pod) *corev1.ContainerStatus {
	for i, s := range p.Status.ContainerStatuses {
		if s.Name != "queue-proxy" {
			return &p.Status.ContainerStatuses[i]
		}
	}
	return nil
}

// send sends a signal to the processes of a Pod's own container.
func (c *Cluster) send(p *corev1.Pod, signal syscall.Signal) bool {
	s := mainOf(p)
	if s == nil {
		return false
	}
	sent := false
	for _, pid := range c.inContainer(s.ContainerID) {
		sent = syscall.Kill(pid, signal) == nil || sent
	}
	return sent
}

// signal sends it to all that are of the kind.
func (c *Cluster) signal(ctx context.Context, is func(*corev1.Pod) bool, signal syscall.Signal) (string, error) {
	var names []string
	for _, p := range c.running(ctx, is) {
		if c.send(&p, signal) {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return "", errNothing
	}
	return fmt.Sprintf("%s to %s", signal, strings.Join(names, ", ")), nil
}

// tries is how often the kubelet starts a container that was killed before its pauses are what would be measured.
const tries = 2

// kill kills the first that is of the kind and has a process.
func (c *Cluster) kill(ctx context.Context, is func(*corev1.Pod) bool) (string, error) {
	for _, p := range c.running(ctx, is) {
		if c.send(&p, syscall.SIGKILL) {
			return c.renewed(ctx, &p), nil
		}
	}
	return "", errNothing
}

// aimed are processes, and the Pod of each.
type aimed struct {
	c    *Cluster
	pods map[int]*corev1.Pod
}

// aim finds what is to be killed at once, later.
func (c *Cluster) aim(ctx context.Context, is func(*corev1.Pod) bool) aimed {
	a := aimed{c, map[int]*corev1.Pod{}}
	for _, p := range c.running(ctx, is) {
		if s := mainOf(&p); s != nil {
			for _, pid := range c.inContainer(s.ContainerID) {
				a.pods[pid] = &p
			}
		}
	}
	return a
}

// fire kills all of them that are still what they were: which of several has just written, nobody knows.
func (a aimed) fire() (killed []*corev1.Pod) {
	for pid, p := range a.pods {
		if a.c.holds(pid, mainOf(p).ContainerID) && syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed = append(killed, p)
		}
	}
	return killed
}

// renewed deletes the Pod of what was killed, where it was killed often: its owner makes another.
func (c *Cluster) renewed(ctx context.Context, p *corev1.Pod) string {
	if mainOf(p).RestartCount < tries {
		return p.Name
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	now := int64(0)
	if err := c.Kube.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		return p.Name + " (its Pod stays: " + err.Error() + ")"
	}
	return p.Name + " with its Pod"
}

var (
	triggersKind = schema.GroupVersionResource{Group: "eventing.knative.dev", Version: "v1", Resource: "triggers"}
	channelsKind = schema.GroupVersionResource{Group: "messaging.knative.dev", Version: "v1", Resource: "inmemorychannels"}
	servicesKind = schema.GroupVersionResource{Group: "serving.knative.dev", Version: "v1", Resource: "services"}
	pingsKind    = schema.GroupVersionResource{Group: "sources.knative.dev", Version: "v1", Resource: "pingsources"}
)

func (c *Cluster) triggers() dynamic.ResourceInterface {
	return c.Dynamic.Resource(triggersKind).Namespace(systemNamespace)
}

func (c *Cluster) services() dynamic.ResourceInterface {
	return c.Dynamic.Resource(servicesKind).Namespace(systemNamespace)
}

// rememberFilters reads what drop changes.
func (c *Cluster) rememberFilters(ctx context.Context) error {
	for _, f := range hinted {
		t, err := c.triggers().Get(ctx, f, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if c.filters[f], _, err = unstructured.NestedSlice(t.Object, "spec", "filters"); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) filter(ctx context.Context, trigger string, filters []any) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"filters": filters}})
	if err != nil {
		return err
	}
	_, err = c.triggers().Patch(ctx, trigger, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// unsubscribe deletes a Trigger, and waits until the in-memory channel, where there is one, knows.
func (c *Cluster) unsubscribe(ctx context.Context, name string) error {
	if err := ignoreNotFound(c.triggers().Delete(ctx, name, metav1.DeleteOptions{})); err != nil {
		return err
	}
	return until(ctx, time.Minute, func() error {
		channel, err := c.Dynamic.Resource(channelsKind).Namespace(systemNamespace).Get(ctx, "default-kne-trigger", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		} else if err != nil {
			return err
		}
		if b, err := channel.MarshalJSON(); err != nil || strings.Contains(string(b), "/"+name+"/") {
			return fmt.Errorf("the channel still has %s: %w", name, err)
		}
		return nil
	})
}

// ready waits until an object of Knative's says so of what it was told last.
func ready(ctx context.Context, of dynamic.ResourceInterface, name string) error {
	return until(ctx, 8*time.Minute, func() error {
		o, err := of.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if seen, _, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration"); seen != o.GetGeneration() {
			return fmt.Errorf("%s has not been looked at", name)
		}
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		if !slices.ContainsFunc(conditions, func(c any) bool { c1 := c.(map[string]any); return c1["type"] == "Ready" && c1["status"] == "True" }) {
			return fmt.Errorf("%s is not ready: %v", name, conditions)
		}
		return nil
	})
}

// until tries until it succeeds or the time is up.
func until(ctx context.Context, limit time.Duration, try func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := try()
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func ignoreExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// withoutSync says whether etcd runs without fsync.
func (c *Cluster) withoutSync() (bool, error) {
	pid, err := c.part("etcd")
	if err != nil {
		return false, err
	}
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false, err
	}
	return bytes.Contains(command, []byte("--unsafe-no-fsync=true")), nil
}

var errNoWrite = errors.New("it wrote nothing in that time")
