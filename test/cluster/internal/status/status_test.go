package status

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/test/cluster/internal/node"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/plan"
)

// TestVersionsAreThoseOfTheModule: the table shows what go.mod pins.
func TestVersionsAreThoseOfTheModule(t *testing.T) {
	b, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	pinned := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require ")); len(f) >= 2 && strings.HasPrefix(f[1], "v") {
			pinned[f[0]] = f[1]
		}
	}
	for part, module := range map[string]string{
		"etcd": "go.etcd.io/etcd/server/v3", "kube-apiserver": "k8s.io/kubernetes", "kubelet": "k8s.io/kubernetes", "kube-proxy": "k8s.io/kubernetes",
		"kube-scheduler": "k8s.io/kubernetes", "kube-controller-manager": "k8s.io/kubernetes", "registry": "github.com/distribution/distribution/v3",
		"tekton-webhook": "github.com/tektoncd/pipeline", "tekton-pipelines": "github.com/tektoncd/pipeline", "kube-system": "github.com/coredns/coredns",
		"knative-eventing": "knative.dev/eventing", "knative-serving": "knative.dev/serving",
		"networkpolicies": "sigs.k8s.io/kube-network-policies",
	} {
		if pinned[module] == "" || Versions[part] != pinned[module] {
			t.Errorf("%s is shown as %s and pinned as %q (%s)", part, Versions[part], pinned[module], module)
		}
	}
}

func TestAtLeast(t *testing.T) {
	for _, c := range []struct {
		version, minimum string
		want             bool
	}{
		{"v1.32.0", "v1.32", true}, {"v1.35.4+k3s1", "v1.32", true}, {"v1.31.9", "v1.32", false}, {"v2.0", "v1.32", true},
		{"v1.9.0", "v1.32", false}, {"1.33", "v1.32", true}, {"", "v1.0", false}, {"devel", "v1.0", false},
	} {
		if got := AtLeast(c.version, c.minimum); got != c.want {
			t.Errorf("%q at least %q: %v", c.version, c.minimum, got)
		}
	}
}

func TestWhy(t *testing.T) {
	container := func(s corev1.ContainerStatus) *corev1.PodList {
		s.Name = "c"
		return &corev1.PodList{Items: []corev1.Pod{{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{s}}}}}
	}
	for want, pods := range map[string]*corev1.PodList{
		"no Pod yet": nil,
		"ImagePullBackOff Back-off pulling image": container(corev1.ContainerStatus{State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "Back-off pulling image"}}}),
		"c ended with exit code 2": container(corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2}}}),
		"c is not ready yet":       container(corev1.ContainerStatus{}),
		"rolling out":              container(corev1.ContainerStatus{Ready: true}),
		"0/1 nodes are available": {Items: []corev1.Pod{{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available"}}}}}},
	} {
		if got := Why(pods); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPartsOfTheTable(t *testing.T) {
	p := plan.Plan{Dir: "/d"}
	var out bytes.Buffer
	Table(&out, []Row{
		partRow(p, node.State{Part: node.Part{Name: "etcd"}, PID: 1}),
		partRow(p, node.State{Part: node.Part{Name: "kubelet"}, Exit: "stopped"}),
		partRow(p, node.State{Part: node.Part{Name: "registry"}, Exit: "exit code 1"}),
		partRow(p, node.State{Part: node.Part{Name: "kube-proxy"}, PID: 2, Restarts: 3, Exit: "killed by killed"}),
	})
	for i, want := range []string{"PART VERSION STATE WHY", "etcd " + Versions["etcd"] + " running", "kubelet " + Versions["kubelet"] + " stopped",
		"registry " + Versions["registry"] + " down exit code 1; see " + filepath.Join("/d", "logs", "registry.log"),
		"kube-proxy " + Versions["kube-proxy"] + " running restarted 3 times, last: killed by killed"} {
		if got := strings.Join(strings.Fields(strings.Split(out.String(), "\n")[i]), " "); got != want {
			t.Errorf("line %d: %q, want %q", i, got, want)
		}
	}
}

func TestShowWithoutACluster(t *testing.T) {
	var out bytes.Buffer
	if err := Show(t.Context(), plan.Plan{Dir: t.TempDir()}, &out); err != nil || !strings.Contains(out.String(), "make cluster") {
		t.Errorf("%v %s", err, out.String())
	}
}

func TestMemoryOfAProcessAndItsChildren(t *testing.T) {
	alone, one := Memory(os.Getpid())
	if alone < 1<<20 || one != 1 {
		t.Errorf("this test: %d bytes in %d processes", alone, one)
	}
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	if _, two := Memory(os.Getpid()); two != 2 {
		t.Errorf("with a child: %d processes", two)
	}
	if bytes, none := Memory(1 << 30); bytes != 0 || none != 0 {
		t.Errorf("a process that is not: %d bytes in %d processes", bytes, none)
	}
}

// TestCheckOfAClusterOfTheUsers plays an API server: a line each for what there is, what is too old and what is missing.
func TestCheckOfAClusterOfTheUsers(t *testing.T) {
	version, resources := "v1.35.0", true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		deployment := func(v string) {
			fmt.Fprintf(w, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"labels":{"app.kubernetes.io/version":%q}},"spec":{"replicas":1},"status":{"updatedReplicas":1,"availableReplicas":1}}`, v)
		}
		list := func(names ...string) {
			var out []string
			for _, n := range names {
				out = append(out, fmt.Sprintf(`{"name":%q}`, n))
			}
			fmt.Fprintf(w, `{"kind":"APIResourceList","resources":[%s]}`, strings.Join(out, ","))
		}
		switch p := r.URL.Path; {
		case p == "/version":
			fmt.Fprintf(w, `{"gitVersion":%q}`, version)
		case !resources:
			http.NotFound(w, r)
		case p == "/apis/tekton.dev/v1":
			list("pipelineruns")
		case p == "/apis/serving.knative.dev/v1":
			list("services")
		case p == "/apis/eventing.knative.dev/v1":
			list("brokers")
		case p == "/apis/sources.knative.dev/v1":
			list("apiserversources")
		case strings.HasSuffix(p, "/tekton-pipelines-controller"):
			deployment("v0.44.0")
		case strings.HasPrefix(p, "/apis/apps/v1/"):
			deployment("1.20.1")
		case strings.HasSuffix(p, "/config-br-defaults"):
			fmt.Fprint(w, `{"kind":"ConfigMap","data":{"default-br-config":"x"}}`)
		case strings.HasSuffix(p, "/config-defaults"):
			fmt.Fprint(w, `{"kind":"ConfigMap","data":{"default-imagepullbackoff-timeout":"5m"}}`)
		case strings.HasSuffix(p, "/feature-flags"):
			fmt.Fprint(w, `{"kind":"ConfigMap","data":{"set-security-context":"true","await-sidecar-readiness":"false"}}`)
		case strings.HasSuffix(p, "/config-network"):
			fmt.Fprint(w, `{"kind":"ConfigMap","data":{}}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q}}]
contexts: [{name: c, context: {cluster: c}}]
current-context: c
`, server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", kubeconfig)
	check := func() (string, error) {
		var out bytes.Buffer
		err := Check(t.Context(), &out)
		return out.String(), err
	}
	out, err := check()
	if err == nil || !strings.Contains(err.Error(), "lacks 3") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, want := range []string{"ok       Kubernetes", "MISSING  Tekton Pipelines", "v0.44.0 (needs v1.0): upgrade", "ok       Knative Serving", "MISSING  Serving ingress",
		"ADVICE   Tekton's settings    default-container-resource-requirements: ", "ok       Tekton's settings    default-imagepullbackoff-timeout is set",
		"MISSING  Tekton's settings    await-sidecar-readiness: each Pod"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	version, resources = "v1.29.3", false
	if out, err = check(); err == nil || strings.Count(out, "MISSING") != 6 || !strings.Contains(out, "install it, https://tekton.dev") {
		t.Errorf("%v\n%s", err, out)
	}
	server.Close()
	if _, err = check(); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("a cluster that is down: %v", err)
	}
}
