package e2e

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// enforced holds these tests to a network that enforces NetworkPolicies. A local cluster whose kernel can't has said so when it
// came up, and says it again in `make cluster-status`; on any other cluster they fail.
func enforced(t *testing.T) *world {
	t.Helper()
	if policies := os.Getenv("CLUSTER_NETWORK_POLICIES"); policies != "" && policies != "enforced" {
		t.Skip("NetworkPolicies are not enforced here: " + policies)
	}
	return newWorld(t)
}

// try is an attempt to connect, and what becomes of it.
type try struct {
	name, host string
	port       int
	opens      bool
}

// script makes the attempts side by side. A policy takes a moment to reach the node, and so does the address of a new Pod.
func script(tries []try) string {
	var lines []string
	for _, x := range tries {
		const connect = "nc -w 2 %s %d </dev/null >/dev/null 2>&1"
		once := fmt.Sprintf(connect, x.host, x.port)
		until, then, else_ := once, "opens", "refused"
		if !x.opens {
			until, then, else_ = "! "+once, "refused", "opens"
		}
		lines = append(lines, fmt.Sprintf(`(for i in 1 2 3 4 5 6 7 8; do if %s; then echo "%s %s"; exit; fi; sleep 1; done; echo "%s %s") &`, until, x.name, then, x.name, else_))
	}
	return strings.Join(append(lines, "wait"), "\n")
}

// tried makes the attempts in a Pod with these labels, and holds each to its outcome.
func (w *world) tried(t *testing.T, namespace string, labels map[string]string, tries ...try) {
	t.Helper()
	pod := w.pod(t, namespace, labels, script(tries))
	harness.Eventually(t, 3*time.Minute, func() error {
		got, err := w.Kube.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
		if err != nil || got.Status.Phase != corev1.PodSucceeded {
			return fmt.Errorf("Pod %s: %s %v", pod, got.Status.Phase, err)
		}
		return nil
	})
	b, err := w.Kube.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{}).DoRaw(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range tries {
		want := x.name + map[bool]string{true: " opens", false: " refused"}[x.opens]
		if !strings.Contains("\n"+string(b), "\n"+want+"\n") {
			t.Errorf("from a Pod of %s with labels %v, want %q (port %d) of\n%s", namespace, labels, want, x.port, b)
		}
	}
}

// pod starts a Pod that runs a command, as restricted as the functions are.
func (w *world) pod(t *testing.T, namespace string, labels map[string]string, command string) string {
	t.Helper()
	yes, no, user := true, false, int64(65532)
	pod, err := w.Kube.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-network-", Labels: labels},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &no, TerminationGracePeriodSeconds: new(int64),
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &user, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
				Sysctls: []corev1.Sysctl{{Name: "net.ipv4.ip_unprivileged_port_start", Value: "0"}}},
			Containers: []corev1.Container{{
				Name: "c", Image: os.Getenv("KO_DOCKER_REPO") + "/base/busybox:latest", Command: []string{"sh", "-c", command},
				SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
			}},
		}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Kube.CoreV1().Pods(namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return pod.Name
}

// listener is a tenant's Pod that takes connections on ports.
func (w *world) listener(t *testing.T, ports ...int) (ip string) {
	t.Helper()
	var lines []string
	for _, port := range ports {
		lines = append(lines, fmt.Sprintf("httpd -p %d -h /tmp", port))
	}
	name := w.pod(t, w.space, nil, strings.Join(append(lines, "while :; do sleep 1; done"), "\n"))
	harness.Eventually(t, 3*time.Minute, func() error {
		pod, err := w.Kube.CoreV1().Pods(w.space).Get(ctx, name, metav1.GetOptions{})
		if err != nil || pod.Status.Phase != corev1.PodRunning {
			return fmt.Errorf("%s: %v", pod.Status.Phase, err)
		}
		ip = pod.Status.PodIP
		return nil
	})
	return ip
}

func (w *world) clusterIP(t *testing.T, namespace, name string) string {
	t.Helper()
	s, err := w.Kube.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Spec.ClusterIP
}

// TestOnlyKnativeReachesTheFunctions: a tenant's Pod can't go round Serving to a function's Pod, on any of its ports. By Serving it
// is heard, and what becomes of what it says is for the function to decide.
func TestOnlyKnativeReachesTheFunctions(t *testing.T) {
	w := enforced(t)
	functions, err := w.Kube.CoreV1().Pods(harness.SystemNamespace).List(ctx, metav1.ListOptions{
		LabelSelector: "serving.knative.dev/service", FieldSelector: "status.phase=Running"})
	if err != nil || len(functions.Items) == 0 {
		t.Fatalf("%d Pods of functions: %v", len(functions.Items), err)
	}
	ours := w.listener(t, 8080)
	tries := []try{{"itself", ours, 8080, true}}
	for _, p := range functions.Items {
		for _, port := range []int{8080, 8012, 8022, 9090} {
			tries = append(tries, try{fmt.Sprintf("%s:%d", p.Labels["serving.knative.dev/service"], port), p.Status.PodIP, port, false})
		}
	}
	w.tried(t, w.space, nil, tries...)
	// The label of a function makes no function of a Pod in another namespace.
	w.tried(t, w.space, map[string]string{"app": "activator", "serving.knative.dev/service": "command"}, tries...)

	const name = "command.kf-tasks.svc.cluster.local"
	address := name
	if os.Getenv("CLUSTER") != "existing" { // Debian's static busybox crashes when it looks up a name
		address = w.clusterIP(t, "knative-serving", "kf-ingress")
	}
	// The function's own answer to a GET, whose sender keeps its side of the connection open meanwhile.
	w.task(t, "byserving", "shop", fmt.Sprintf(`mkfifo /tmp/in && (nc -w 20 %s 80 </tmp/in >/tmp/out & exec 3>/tmp/in; printf 'GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' >&3; `+
		`wait; grep "HTTP/1.1 405" /tmp/out)`, address, name), nil)
	if _, reason, message := w.ends(t, "byserving"); reason != "Succeeded" {
		t.Errorf("%s %s: %s", reason, message, w.log(t, "byserving"))
	}
}

// TestAFunctionReachesOnlyWhatItNeeds: a Pod with a function's labels, in its place.
func TestAFunctionReachesOnlyWhatItNeeds(t *testing.T) {
	w := enforced(t)
	of := func(function string) map[string]string {
		return map[string]string{"serving.knative.dev/service": function}
	}
	tenant := w.listener(t, 443, 4318, 5000, 6443, 8080)
	needed := []try{
		{"api-server", w.clusterIP(t, "default", "kubernetes"), 443, true},
		{"dns", w.clusterIP(t, "kube-system", "kube-dns"), 53, true},
		{"broker", w.clusterIP(t, "knative-eventing", "broker-ingress"), 80, true},
		{"tenant", tenant, 8080, false},
		{"tenant-443", tenant, 443, os.Getenv("API_SERVER") == "any"},
		{"tenant-6443", tenant, 6443, os.Getenv("API_SERVER") == "any"},
	}
	sink, registry := try{"sink", tenant, 4318, false}, try{"registry", tenant, 5000, false}
	opened := func(x try) try { x.opens = true; return x }

	var local []try // the node's registry, which is no Pod
	if u, err := url.Parse("//" + os.Getenv("KO_DOCKER_REPO")); err == nil && u.Port() == "5000" && net.ParseIP(u.Hostname()) != nil {
		local = []try{{"node-registry", u.Hostname(), 5000, false}, {"kubelet", u.Hostname(), 10250, false}}
	}
	w.tried(t, w.space, nil, append([]try{opened(sink), opened(registry), {"tenant", tenant, 8080, true}}, needed[0])...)
	w.tried(t, harness.SystemNamespace, of("status"), append(append(needed, sink, registry), local...)...)
	w.tried(t, harness.SystemNamespace, of("terminate"), append(needed, opened(sink), registry)...)
	if len(local) > 0 {
		local[0] = opened(local[0])
	}
	needed = needed[:len(needed)-2] // registries are on 443
	for _, function := range []string{"build", "archive"} {
		w.tried(t, harness.SystemNamespace, of(function), append(append(needed, sink, opened(registry), try{"registry-443", tenant, 443, true}), local...)...)
	}
}

// TestSecurityGroupsHoldForTasks: a NetworkPolicy for an App's Pods is one for its Tasks' too.
func TestSecurityGroupsHoldForTasks(t *testing.T) {
	w := enforced(t)
	address := w.listener(t, 8080, 9000)
	reach := func(name string, port int) string {
		t.Helper()
		w.task(t, name, "shop", fmt.Sprintf("nc -w 2 %s %d </dev/null && echo reached", address, port), nil)
		_, reason, _ := w.ends(t, name)
		return reason + " " + w.log(t, name)
	}
	if got := reach("free", 8080); got != "Succeeded reached\n" {
		t.Fatalf("without a policy: %s", got)
	}
	allowed := intstr.FromInt32(9000)
	group := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "group"},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.NetworkPolicyLabel: "app"}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			Egress: []networkingv1.NetworkPolicyEgressRule{{
				To:    []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: address + "/32"}}},
				Ports: []networkingv1.NetworkPolicyPort{{Port: &allowed}},
			}},
		},
	}
	if _, err := w.Kube.NetworkingV1().NetworkPolicies(w.space).Create(ctx, group, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// Whoever is not in the group goes on as before, and shows that the listener does.
	w.tried(t, w.space, nil, try{"outsider", address, 8080, true})
	if got := reach("held", 8080); strings.Contains(got, "reached") || strings.HasPrefix(got, "Succeeded") {
		t.Errorf("a Task reaches what its App's security group refuses: %s", got)
	}
	if got := reach("allowed", 9000); got != "Succeeded reached\n" {
		t.Errorf("what the group allows: %s", got)
	}
}
