// Package jetstream tests what config/options/jetstream promises, on a cluster with its servers (make cluster-jetstream): what the Broker
// has accepted arrives, whatever is killed.
package jetstream

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

var (
	ctx      = context.Background()
	brokers  = schema.GroupVersionResource{Group: "eventing.knative.dev", Version: "v1", Resource: "brokers"}
	triggers = schema.GroupVersionResource{Group: "eventing.knative.dev", Version: "v1", Resource: "triggers"}
	channels = schema.GroupVersionResource{Group: "messaging.knative.dev", Version: "v1alpha1", Resource: "natsjetstreamchannels"}
)

// ready fails unless an object comes to be Ready.
func ready(t *testing.T, d dynamic.Interface, gvr schema.GroupVersionResource, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	var o *unstructured.Unstructured
	harness.Eventually(t, 3*time.Minute, func() error {
		var err error
		if o, err = d.Resource(gvr).Namespace(namespace).Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		for _, c := range conditions {
			if c := c.(map[string]any); c["type"] == "Ready" && c["status"] == "True" {
				return nil
			}
		}
		return fmt.Errorf("%s %s is not ready: %v", gvr.Resource, name, conditions)
	})
	return o
}

func connect(t *testing.T) (*harness.Cluster, dynamic.Interface) {
	t.Helper()
	c := harness.Deployed(t)
	d, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	return c, d
}

// TestTheBrokerIsDurable: ours is the one that the option describes, and its channel has what keeps events from being lost.
func TestTheBrokerIsDurable(t *testing.T) {
	_, d := connect(t)
	ready(t, d, brokers, harness.SystemNamespace, "default")
	channel := ready(t, d, channels, harness.SystemNamespace, "default-kne-trigger")
	stream, _, _ := unstructured.NestedMap(channel.Object, "spec", "stream", "config")
	for key, want := range map[string]any{"replicas": int64(3), "storage": "File", "retention": "Interest", "discard": "New"} {
		if stream[key] != want {
			t.Errorf("the stream's %s is %v, want %v", key, stream[key], want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir(), "etc", "nats-2.conf")); err != nil {
		t.Error(err)
	}
}

// TestATaskRunsToItsEnd, by events that went over the servers.
func TestATaskRunsToItsEnd(t *testing.T) {
	c, _ := connect(t)
	space := c.Namespace(t, "jetstream")
	app := harness.NewApp(space, "shop", os.Getenv("KO_DOCKER_REPO")+"/base/busybox:latest")
	app.Spec.Template.Spec.Containers = []corev1.Container{{Name: v1alpha1.UserContainer}}
	if _, err := c.Kf.Apps(space).Create(ctx, app, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	task := harness.NewTask(space, "shop", "kept")
	task.Spec.Command = "echo kept"
	if _, err := c.Kf.Tasks(space).Create(ctx, task, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, 3*time.Minute, func() error {
		task, err := c.Kf.Tasks(space).Get(ctx, "kept", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(task.Status.Conditions, v1alpha1.ConditionSucceeded) {
			return fmt.Errorf("conditions %+v", task.Status.Conditions)
		}
		return nil
	})
}

// subscriber is what a Trigger delivers to: this process, at an address that Pods reach.
type subscriber struct {
	address string
	mu      sync.Mutex
	times   map[string]int // by the event's id
	server  *http.Server
}

func (s *subscriber) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times[r.Header.Get("Ce-Id")]++
}

func (s *subscriber) up(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	s.server = &http.Server{Handler: s}
	go s.server.Serve(l)
}

func (s *subscriber) down() { s.server.Close() }

// lost are those that have not arrived, doubled is how many came more than once.
func (s *subscriber) lost(ids []string) (lost []string, doubled int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		switch s.times[id] {
		case 0:
			lost = append(lost, id)
		case 1:
		default:
			doubled++
		}
	}
	return lost, doubled
}

// broker is one of a Space of its own, on the same kind of channel as ours, with a Trigger to the subscriber.
func broker(t *testing.T) (*subscriber, func(id string) bool) {
	t.Helper()
	host := os.Getenv("CLUSTER_HOST_IP")
	if host == "" {
		t.Fatal("CLUSTER_HOST_IP is not set: make cluster-jetstream, then . .cluster/env")
	}
	c, d := connect(t)
	space := c.Namespace(t, "jetstream")
	s := &subscriber{address: net.JoinHostPort(host, "0"), times: map[string]int{}}
	s.up(t)
	t.Cleanup(func() { s.down() })
	for gvr, o := range map[schema.GroupVersionResource]map[string]any{
		brokers: {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
			"metadata": map[string]any{"name": "own", "annotations": map[string]any{"eventing.knative.dev/broker.class": "MTChannelBasedBroker"}},
			"spec": map[string]any{
				"config":   map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "jetstream-channel", "namespace": harness.SystemNamespace},
				"delivery": map[string]any{"retry": int64(10), "backoffPolicy": "exponential", "backoffDelay": "PT0.2S"}}},
		triggers: {"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "metadata": map[string]any{"name": "all"},
			"spec": map[string]any{"broker": "own", "subscriber": map[string]any{"uri": "http://" + s.address}}},
	} {
		if _, err := d.Resource(gvr).Namespace(space).Create(ctx, &unstructured.Unstructured{Object: o}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	ready(t, d, brokers, space, "own")
	ready(t, d, triggers, space, "all")
	ingress, err := c.Kube.CoreV1().Services("knative-eventing").Get(ctx, "broker-ingress", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	post := func(id string) bool {
		r, _ := http.NewRequest(http.MethodPost, "http://"+ingress.Spec.ClusterIP+"/"+space+"/own", strings.NewReader("{}"))
		for k, v := range map[string]string{"Specversion": "1.0", "Type": "test", "Source": "/test", "Id": id} {
			r.Header.Set("Ce-"+k, v)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode/100 == 2
	}
	return s, post
}

// arrive fails unless all of the accepted events come, and says how many came twice.
func (s *subscriber) arrive(t *testing.T, accepted []string, refused int) {
	t.Helper()
	began := time.Now()
	harness.Eventually(t, 4*time.Minute, func() error {
		if lost, _ := s.lost(accepted); len(lost) > 0 {
			return fmt.Errorf("%d of %d accepted events have not arrived: %.200v", len(lost), len(accepted), lost)
		}
		return nil
	})
	_, doubled := s.lost(accepted)
	t.Logf("accepted %d, refused %d, lost 0, twice %d; the last %s after the last was accepted", len(accepted), refused, doubled, time.Since(began).Round(time.Second))
}

func TestEventsWaitForASubscriberThatIsDown(t *testing.T) {
	s, post := broker(t)
	s.down()
	var accepted []string
	for i := range 100 {
		if id := fmt.Sprint("down-", i); post(id) {
			accepted = append(accepted, id)
		}
	}
	if len(accepted) != 100 {
		t.Errorf("%d of 100 accepted, with all servers up", len(accepted))
	}
	time.Sleep(10 * time.Second) // that is the fault: it is down so long
	s.up(t)
	s.arrive(t, accepted, 100-len(accepted))
}

// TestAllServersAreKilled, at once, while events come in: what was accepted by then is on their disks. Whoever is refused has to come again.
func TestAllServersAreKilled(t *testing.T) {
	s, post := broker(t)
	var accepted []string
	refused := 0
	for killed := false; len(accepted) < 150; {
		if len(accepted) == 50 && !killed {
			killed = true
			wait := make(chan struct{})
			go func() {
				defer close(wait)
				kill(t, "nats-0", "nats-1", "nats-2")
			}()
			defer func() { <-wait }() // events go on coming in meanwhile
		}
		if id := fmt.Sprint("killed-", len(accepted), "-", refused); post(id) {
			accepted = append(accepted, id)
		} else {
			refused++
			time.Sleep(100 * time.Millisecond)
		}
		if refused > 600 {
			t.Fatalf("after %d events none is accepted any more", len(accepted))
		}
	}
	s.arrive(t, accepted, refused)
}

// dir is the cluster's folder.
func dir() string { return filepath.Dir(os.Getenv("KUBECONFIG")) }

// kill ends parts by SIGKILL, all within milliseconds. It fails if one did not run.
func kill(t *testing.T, parts ...string) {
	out, err := exec.Command(filepath.Join(harness.Root(), "bin", "cluster"), append([]string{"kill", "--dir", dir()}, parts...)...).CombinedOutput()
	if err != nil {
		t.Errorf("kill %v: %v: %s", parts, err, out)
	}
}
