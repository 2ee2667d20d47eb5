// Package status says what a cluster has: Show of one that we run, Check of one that is the user's.
package status

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kf-tasks/kf-tasks/test/cluster/internal/node"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/plan"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/tekton"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/up"
)

// Versions of what is built, as go.mod pins it.
var Versions = map[string]string{
	"etcd": "v3.6.5", "kube-apiserver": "v1.35.4", "kube-controller-manager": "v1.35.4", "kube-scheduler": "v1.35.4",
	"kubelet": "v1.35.4", "kube-proxy": "v1.35.4", "registry": "v3.0.0", "containerd": "Debian's", "tekton-webhook": "v1.15.1",
	"networkpolicies": "v0.7.0", "nats-0": "v2.15.2", "nats-1": "v2.15.2", "nats-2": "v2.15.2",
	"kube-system": "v1.13.1", "tekton-pipelines": "v1.15.1", "knative-eventing": "v0.50.0", "knative-serving": "v0.50.0",
}

// Row is one line of the table.
type Row struct{ Part, Version, State, Why string }

// Show prints each part of a cluster that we run, and how to use it. It answers within seconds, whatever is down.
func Show(ctx context.Context, p plan.Plan, out io.Writer) error {
	if node.PID(p) == 0 {
		fmt.Fprintf(out, "no cluster runs in %s; `make cluster` starts one\n", p.Dir)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	states, err := node.NewClient(p).Parts()
	if err != nil {
		return fmt.Errorf("pid 1 of the cluster does not answer (see %s): %w", p.Log("node"), err)
	}
	var rows []Row
	for _, s := range states {
		rows = append(rows, partRow(p, s))
	}
	if lack, err := os.ReadFile(p.NetworkPoliciesLack()); err == nil {
		rows = append(rows, Row{"networkpolicies", Versions["networkpolicies"], "not enforced", "the kernel lacks " + string(lack)})
	}
	deployments, err := deploymentRows(ctx, p.Kubeconfig())
	if err != nil {
		rows = append(rows, Row{"Deployments", "", "unknown", err.Error()})
	}
	Table(out, append(rows, deployments...))
	fmt.Fprintf(out, "\nkubeconfig  %s\nAPI server  %s\nregistry    %s\ningress     http://SERVICE.NAMESPACE.%s:%d\nsettings    . %s\n",
		p.Kubeconfig(), p.Server(), p.Registry(), p.IngressDomain(), p.IngressPort, p.Path("env"))
	if cfg, err := clientcmd.BuildConfigFromFlags("", p.Kubeconfig()); err == nil {
		cfg.Timeout = 2 * time.Second
		showTrust(ctx, cfg, out)
	}
	memory, processes := Memory(node.PID(p))
	fmt.Fprintf(out, "memory      %d MiB in %d processes\n", memory>>20, processes)
	return nil
}

func partRow(p plan.Plan, s node.State) Row {
	r := Row{Part: s.Name, Version: Versions[s.Name], State: "running"}
	if s.PID == 0 && s.Exit == "stopped" {
		r.State = "stopped"
	} else if s.PID == 0 {
		r.State, r.Why = "down", fmt.Sprintf("%s; see %s", s.Exit, p.Log(s.Name))
	} else if s.Restarts > 0 {
		r.Why = fmt.Sprintf("restarted %d times, last: %s", s.Restarts, s.Exit)
	}
	return r
}

func deploymentRows(ctx context.Context, kubeconfig string) ([]Row, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	cfg.Timeout = 2 * time.Second
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	list, err := client.AppsV1().Deployments("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, d := range list.Items {
		version, ours := Versions[d.Namespace]
		if !ours {
			continue
		}
		r := Row{Part: d.Namespace + "/" + d.Name, Version: version, State: "ready"}
		if !up.Available(d) {
			pods, _ := client.CoreV1().Pods(d.Namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(d.Spec.Selector)})
			r.State, r.Why = "not ready", Why(pods)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// Why says what the first Pod that is not ready waits for.
func Why(pods *corev1.PodList) string {
	if pods == nil || len(pods.Items) == 0 {
		return "no Pod yet"
	}
	for _, p := range pods.Items {
		for _, c := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
			switch {
			case c.State.Waiting != nil && c.State.Waiting.Reason != "":
				return strings.TrimSpace(c.State.Waiting.Reason + " " + c.State.Waiting.Message)
			case c.State.Terminated != nil:
				return fmt.Sprintf("%s ended with exit code %d", c.Name, c.State.Terminated.ExitCode)
			case !c.Ready:
				return c.Name + " is not ready yet"
			}
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
				return c.Message
			}
		}
	}
	return "rolling out"
}

// Table prints rows in columns.
func Table(out io.Writer, rows []Row) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PART\tVERSION\tSTATE\tWHY")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Part, r.Version, r.State, r.Why)
	}
	w.Flush()
}

// requirement is something that a user's cluster must have.
type requirement struct {
	name     string
	group    string // API group and version that it serves
	resource string
	deploy   string // namespace/name of a Deployment that carries its version
	minimum  string
	hint     string
}

var requirements = []requirement{
	{"Tekton Pipelines", "tekton.dev/v1", "pipelineruns", "tekton-pipelines/tekton-pipelines-controller", "v1.0", "https://tekton.dev/docs/installation/pipelines/"},
	{"Knative Serving", "serving.knative.dev/v1", "services", "knative-serving/controller", "v1.15", "https://knative.dev/docs/install/"},
	{"Knative Eventing", "eventing.knative.dev/v1", "brokers", "knative-eventing/eventing-controller", "v1.15", "https://knative.dev/docs/install/"},
	{"Eventing sources", "sources.knative.dev/v1", "apiserversources", "", "", "part of Knative Eventing"},
}

// Check says, a line each, what the cluster that KUBECONFIG names has and lacks. Its error means that something lacks.
func Check(ctx context.Context, out io.Writer) error {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return fmt.Errorf("CLUSTER=existing needs KUBECONFIG to name a cluster: %w", err)
	}
	cfg.Timeout = 10 * time.Second
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("the cluster of %s does not answer: %w", filepath.Base(rules.GetDefaultFilename()), err)
	}
	lacks := 0
	line := func(ok bool, name, text string) {
		mark := "ok     "
		if !ok {
			mark = "MISSING"
			lacks++
		}
		fmt.Fprintf(out, "%s  %-20s %s\n", mark, name, text)
	}
	// Field selectors on custom resources (KEP-4358) are stable since 1.32; resyncs use them.
	line(AtLeast(version.GitVersion, "v1.32"), "Kubernetes", version.GitVersion+" (needs v1.32)")
	for _, r := range requirements {
		list, err := client.Discovery().ServerResourcesForGroupVersion(r.group)
		found := false
		if err == nil {
			for _, res := range list.APIResources {
				found = found || res.Name == r.resource
			}
		}
		if !found {
			line(false, r.name, fmt.Sprintf("%s of %s is not served: install it, %s", r.resource, r.group, r.hint))
			continue
		}
		text := r.group + " is served"
		if ns, name, ok := strings.Cut(r.deploy, "/"); ok {
			if d, err := client.AppsV1().Deployments(ns).Get(ctx, name, metav1.GetOptions{}); err == nil {
				if v := d.Labels["app.kubernetes.io/version"]; v != "" {
					text += ", version " + v + " (needs " + r.minimum + ")"
				}
				if !up.Available(*d) {
					line(false, r.name, text+", but "+r.deploy+" is not ready")
					continue
				}
				// A build of one's own has no number ("devel"), and is believed.
				if v := d.Labels["app.kubernetes.io/version"]; numbered.MatchString(v) && !AtLeast(v, r.minimum) {
					line(false, r.name, text+": upgrade it, "+r.hint)
					continue
				}
			}
		}
		line(true, r.name, text)
	}
	lacks += checkTekton(ctx, client, out)
	if cm, err := client.CoreV1().ConfigMaps("knative-eventing").Get(ctx, "config-br-defaults", metav1.GetOptions{}); err != nil || cm.Data["default-br-config"] == "" {
		line(false, "default Broker", "knative-eventing/config-br-defaults names no Broker class: install one, https://knative.dev/docs/eventing/brokers/broker-types/")
	} else {
		line(true, "default Broker", "configured")
	}
	if cm, err := client.CoreV1().ConfigMaps("knative-serving").Get(ctx, "config-network", metav1.GetOptions{}); err == nil {
		class := cm.Data["ingress-class"]
		if class == "" {
			class = cm.Data["ingress.class"]
		}
		line(class != "", "Serving ingress", map[bool]string{true: class, false: "knative-serving/config-network names no ingress-class: install Kourier, Istio or Contour"}[class != ""])
	}
	showTrust(ctx, cfg, out)
	if lacks > 0 {
		return fmt.Errorf("the cluster lacks %d of what is needed", lacks)
	}
	return nil
}

var numbered = regexp.MustCompile(`^v?[0-9]+\.[0-9]+`)

// AtLeast compares major and minor version numbers.
func AtLeast(version, minimum string) bool {
	var a, b, c, d int
	fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.%d", &a, &b)
	fmt.Sscanf(strings.TrimPrefix(minimum, "v"), "%d.%d", &c, &d)
	return a > c || a == c && b >= d
}

// checkTekton says how Tekton's ConfigMaps are to be set, and how many settings lack without which nothing works. One that can't
// be read says so once.
func checkTekton(ctx context.Context, client kubernetes.Interface, out io.Writer) (lacks int) {
	say := func(mark, text string) { fmt.Fprintf(out, "%s  %-20s %s\n", mark, "Tekton's settings", text) }
	read := map[string]*corev1.ConfigMap{}
	for _, s := range tekton.Settings {
		cm, was := read[s.ConfigMap]
		if !was {
			var err error
			if cm, err = client.CoreV1().ConfigMaps(tekton.Namespace).Get(ctx, s.ConfigMap, metav1.GetOptions{}); err != nil {
				say("ADVICE ", fmt.Sprintf("ConfigMap %s/%s: %s", tekton.Namespace, s.ConfigMap, err))
				cm = nil
			}
			read[s.ConfigMap] = cm
		}
		if cm == nil {
			continue
		}
		wrong := s.Lacks(cm.Data[s.Key])
		switch {
		case wrong == "":
			say("ok     ", s.Key+" is set")
		case s.Needed:
			lacks++
			say("MISSING", s.Key+": "+wrong+"; "+s.Patch())
		default:
			say("ADVICE ", s.Key+": "+wrong+"; "+s.Patch())
		}
	}
	return lacks
}
