// Package up brings a cluster up, stage by stage. Each step looks first whether its work is done.
package up

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kf-tasks/kf-tasks/test/cluster/internal/build"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/host"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/ingress"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/manifests"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/node"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/parts"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/pki"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/plan"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/tekton"
	own "github.com/kf-tasks/kf-tasks/test/cluster/manifests"
)

// Stage is how much of a cluster there is. Each holds those before it.
type Stage int

// Stages.
const (
	// ControlPlane: etcd, API server, controller manager, CRDs, Tekton's admission. No node.
	ControlPlane Stage = iota
	// Tekton: a node, DNS, an image registry, Tekton Pipelines.
	Tekton
	// Eventing: Knative Eventing.
	Eventing
	// Full: Knative Serving with an ingress.
	Full
)

// Stages by name.
var Stages = map[string]Stage{"control-plane": ControlPlane, "tekton": Tekton, "eventing": Eventing, "full": Full}

// Cluster is one run of this program over one cluster.
type Cluster struct {
	Plan  plan.Plan
	Cache *build.Cache
	// CRDs is the folder of the product's own CRDs; it need not exist.
	CRDs string
	Say  func(format string, args ...any)
	// JetStream is the cache of the module jetstream, if the Broker is to keep its events on NATS JetStream; nil if in memory.
	JetStream *build.Cache
	// OIDC says whether Knative Eventing asks senders who they are (docs/events.md).
	OIDC bool
	// FSync says whether etcd waits for the disk; an etcd that runs does so from its next start on.
	FSync bool
	// Meanwhile is a program to run when all is built, while the Pods start: the processor is at rest for much of that.
	Meanwhile string

	build      *build.Build
	imported   map[string]chan struct{} // by group; closed when the node has its images
	nodeClient *node.Client
	kube       kubernetes.Interface
}

// group is what is imported into the node at once: what needs its images waits for no others.
type group struct {
	name     string
	stage    Stage
	programs []build.Program
}

// groups in the order in which they are built. The first has the image that every Pod needs.
var groups = []group{
	{"node", Tekton, []build.Program{build.Pause, build.CoreDNS}},
	{"tekton", Tekton, append([]build.Program{build.Webhook}, build.Tekton...)},
	{"eventing", Eventing, build.Eventing},
	{"serving", Full, append([]build.Program{build.Ingress}, build.Serving...)},
}

// Programs are those that a stage needs, in the order in which it does.
func Programs(s Stage) []build.Program {
	out := []build.Program{build.Kube, build.Webhook}
	if s >= Tekton {
		out = append(out, build.Registry, build.NetworkPolicies)
	}
	for _, g := range groups {
		for _, p := range g.programs {
			if s >= g.stage && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// patience is how long a part may take that takes seconds: compilers may have all processors for minutes meanwhile.
const patience = 4 * time.Minute

// Up brings the cluster to a stage, each part as soon as its programs are built. exe is this program, which is started
// again as pid 1 of the cluster's namespaces.
func (c *Cluster) Up(ctx context.Context, stage Stage, exe string) error {
	if err := host.Root(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	c.build = c.Cache.Start(ctx, Programs(stage)...)
	defer func() {
		cancel()
		c.build.End()
	}()
	needs := host.ForControlPlane
	if stage >= Tekton {
		needs = slices.Concat(needs, host.ForNode, host.ForImages)
	}
	if err := host.Prepare(c.Say, needs); err != nil {
		return err
	}
	if err := c.build.Wait(ctx, build.Kube); err != nil {
		return err
	}
	if err := c.ensureNodeProcess(exe); err != nil {
		return err
	}
	c.nodeClient = node.NewClient(c.Plan)
	if err := c.controlPlane(ctx); err != nil {
		return err
	}
	steps := []func(context.Context) error{c.productCRDs}
	if stage == ControlPlane {
		steps = append(steps, c.tektonAdmissionProcess)
	}
	if stage >= Tekton {
		if err := c.node(ctx); err != nil {
			return err
		}
		c.imported = map[string]chan struct{}{}
		for _, g := range groups {
			c.imported[g.name] = make(chan struct{})
		}
		steps = append(steps, func(ctx context.Context) error { return c.images(ctx, stage) }, c.networkPolicies, c.bases, c.dns, c.tekton)
	}
	if stage >= Eventing {
		steps = append(steps, c.eventing)
	}
	if stage >= Full {
		steps = append(steps, c.serving)
	}
	if c.JetStream != nil {
		steps = append(steps, func(ctx context.Context) error { return c.jetStream(ctx, stage) })
	}
	meanwhile := make(chan error, 1)
	go func() { meanwhile <- c.meanwhile(ctx, stage) }()
	g, gctx := errgroup.WithContext(ctx)
	for _, step := range steps {
		g.Go(func() error { return step(gctx) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if stage >= Tekton {
		if err := c.rollouts(ctx); err != nil {
			return err
		}
		if err := c.nodeClient.Stop("tekton-webhook"); err != nil { // its Deployment serves now
			return err
		}
	}
	if err := <-meanwhile; err != nil {
		return err
	}
	return c.writeEnv()
}

// meanwhile runs the program of that name.
func (c *Cluster) meanwhile(ctx context.Context, stage Stage) error {
	if c.Meanwhile == "" {
		return nil
	}
	if err := c.build.Wait(ctx, Programs(stage)...); err != nil {
		return err
	}
	c.Say("running %s meanwhile", c.Meanwhile)
	if out, err := exec.CommandContext(ctx, c.Meanwhile).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", c.Meanwhile, err, lastLines(string(out), 20))
	}
	c.Say("%s has ended", c.Meanwhile)
	return nil
}

// ensureNodeProcess starts pid 1 in its namespaces, with nothing left of a cluster that was here before.
func (c *Cluster) ensureNodeProcess(exe string) error {
	for began := time.Now(); node.PID(c.Plan) != 0; time.Sleep(100 * time.Millisecond) {
		_, err := node.NewClient(c.Plan).Parts()
		if err == nil {
			return nil
		}
		if time.Since(began) > 30*time.Second { // one that was killed takes a moment to be gone, with all below it
			return fmt.Errorf("pid 1 of the cluster runs and does not answer (see %s); `cluster down` ends it: %w", c.Plan.Log("node"), err)
		}
	}
	if _, err := plan.Load(c.Plan.Dir); err == nil { // else there was none, and its addresses are another's
		if err := c.clean(); err != nil {
			return err
		}
	}
	end, err := host.Alone()
	if err != nil {
		return err
	}
	defer end()
	taken, err := host.Networks()
	if err != nil {
		return err
	}
	index, err := plan.Choose(taken)
	if err != nil {
		return err
	}
	if index != c.Plan.Index {
		os.RemoveAll(c.Plan.Path("pki")) // certificates name addresses
	}
	c.Plan.Index = index
	l, err := host.Loopback(c.Plan.IngressPort)
	if err != nil {
		return err
	}
	defer l.Close()
	c.Plan.IngressPort = portOf(l.Addr().String())
	for _, d := range []string{"logs", "run", "etc", "pki"} {
		if err := os.MkdirAll(c.Plan.Path(d), 0o755); err != nil {
			return err
		}
	}
	if err := c.Plan.Save(); err != nil {
		return err
	}
	if err := pki.Cluster(c.Plan, time.Now()); err != nil {
		return err
	}
	os.Remove(c.Plan.Log("audit")) // what a cluster before this one was asked for says nothing of this one
	if host.CgroupV2() {
		os.MkdirAll("/sys/fs/cgroup"+c.Plan.Cgroup(), 0o755)
	} else {
		controllers, _ := filepath.Glob("/sys/fs/cgroup/*/tasks")
		for _, f := range controllers {
			os.MkdirAll(filepath.Dir(f)+c.Plan.Cgroup(), 0o755)
		}
	}
	if _, err := node.Start(c.Plan, exe, []string{"node", "--dir", c.Plan.Dir}, l); err != nil {
		return err
	}
	return c.poll(context.Background(), 10*time.Second, "the node process (see "+c.Plan.Log("node")+")", func() error {
		_, err := node.NewClient(c.Plan).Parts()
		return err
	})
}

// clean removes what a cluster leaves: its state and its cgroups. Logs stay.
func (c *Cluster) clean() error {
	if err := node.RemoveCgroups(c.Plan); err != nil {
		return err
	}
	for _, d := range []string{"run", "etc"} {
		if err := os.RemoveAll(c.Plan.Path(d)); err != nil {
			return err
		}
	}
	for _, f := range []string{"node.sock", "node.pid", "env", "plan.json"} {
		os.Remove(c.Plan.Path(f))
	}
	return nil
}

// Down ends the cluster and removes all but its logs.
func (c *Cluster) Down() error {
	if _, err := plan.Load(c.Plan.Dir); err != nil {
		return nil // never was one
	}
	if err := node.Stop(c.Plan); err != nil {
		return err
	}
	// The kernel takes its time to end a network namespace; without its veth, nothing of it is left on the host.
	_ = exec.Command("ip", "link", "delete", c.Plan.VethHost()).Run() // it may be gone already
	os.Remove(c.Plan.Kubeconfig())
	os.RemoveAll(c.Plan.Path("pki"))
	return c.clean()
}

func (c *Cluster) binaries() parts.Binaries {
	return parts.Binaries{Kube: c.Cache.Bin(build.Kube), Registry: c.Cache.Bin(build.Registry), Webhook: c.Cache.Bin(build.Webhook),
		NetworkPolicies: c.Cache.Bin(build.NetworkPolicies), CNI: host.CNI()}
}

func (c *Cluster) startAll(ps []node.Part) error {
	for _, p := range ps {
		if err := c.nodeClient.Start(p); err != nil {
			return fmt.Errorf("start %s: %w", p.Name, err)
		}
	}
	return nil
}

func (c *Cluster) controlPlane(ctx context.Context) error {
	if err := parts.Write(c.Plan, parts.Audited); err != nil {
		return err
	}
	servers := parts.ControlPlane(c.Plan, c.binaries(), c.FSync)
	if err := c.startAll(servers[:2]); err != nil {
		return err
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", c.Plan.Kubeconfig())
	if err != nil {
		return err
	}
	cfg.QPS, cfg.Timeout = -1, 20*time.Second
	if c.kube, err = kubernetes.NewForConfig(cfg); err != nil {
		return err
	}
	err = c.poll(ctx, patience, "the API server (see "+c.Plan.Log("kube-apiserver")+")", func() error {
		return c.kube.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
	if err != nil {
		return err
	}
	c.Say("API server ready at %s", c.Plan.Server())
	return c.startAll(servers[2:]) // the controller manager ends when it finds no API server
}

func (c *Cluster) productCRDs(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(c.CRDs, "kustomization.yaml")); err != nil {
		return nil
	}
	return c.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-k", c.CRDs)
}

// tektonAdmissionProcess runs Tekton's webhook without a node, so that PipelineRuns are defaulted and validated.
func (c *Cluster) tektonAdmissionProcess(ctx context.Context) error {
	if err := c.applySet(ctx, manifests.TektonBase); err != nil {
		return err
	}
	if _, err := c.kube.AppsV1().Deployments("tekton-pipelines").Get(ctx, "tekton-pipelines-webhook", metav1.GetOptions{}); err == nil {
		return nil // a higher stage has it as a Deployment
	}
	if err := c.applyOwn(ctx, "webhook-process.yaml"); err != nil {
		return err
	}
	if err := c.build.Wait(ctx, build.Webhook); err != nil {
		return err
	}
	if err := c.nodeClient.Start(parts.TektonWebhook(c.Plan, c.binaries())); err != nil {
		return err
	}
	return c.poll(ctx, patience, "Tekton's admission (see "+c.Plan.Log("tekton-webhook")+")", func() error {
		return c.kubectlQuiet(ctx, "create", "--dry-run=server", "-f", c.write("probe.yaml", `apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {name: probe, namespace: default}
spec: {pipelineSpec: {tasks: [{name: a, taskSpec: {steps: [{name: a, image: a, command: [a]}]}}]}}
`))
	})
}

func (c *Cluster) node(ctx context.Context) error {
	b := c.binaries()
	if err := parts.Write(c.Plan, parts.Files(c.Plan, b, build.Pause.Image, host.CgroupV2())); err != nil {
		return err
	}
	if err := c.build.Wait(ctx, build.Registry); err != nil {
		return err
	}
	if err := c.startAll(parts.Node(c.Plan, b)); err != nil {
		return err
	}
	err := c.poll(ctx, patience, "the node (see "+c.Plan.Log("kubelet")+")", func() error {
		n, err := c.kube.CoreV1().Nodes().Get(ctx, pki.NodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, cond := range n.Status.Conditions {
			if cond.Type == corev1.NodeReady && cond.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return errors.New("not Ready")
	})
	if err == nil {
		c.Say("node ready")
	}
	return err
}

// networkPolicies has NetworkPolicies enforced where the kernel can; a cluster without is still a cluster, and says so.
func (c *Cluster) networkPolicies(ctx context.Context) error {
	if err := c.build.Wait(ctx, build.NetworkPolicies); err != nil {
		return err
	}
	out, err := c.inNode(ctx, c.Cache.Bin(build.NetworkPolicies), "--rules", "--bridge="+parts.Bridge).CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	lacking := c.Plan.NetworkPoliciesLack()
	if err != nil {
		c.Say("NetworkPolicies are not enforced, for the kernel lacks %s", lastLines(string(out), 1))
		return os.WriteFile(lacking, []byte(lastLines(string(out), 1)), 0o644)
	}
	if err := os.Remove(lacking); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return c.nodeClient.Start(parts.NetworkPolicies(c.Plan, c.binaries()))
}

// images imports each group's images into the node's runtime when they are built: an import keeps one core busy.
func (c *Cluster) images(ctx context.Context, stage Stage) error {
	imports, ctx := errgroup.WithContext(ctx)
	for _, g := range groups {
		if stage < g.stage {
			continue
		}
		imports.Go(func() error {
			if err := c.importImages(ctx, g); err != nil {
				return fmt.Errorf("import images of %s: %w", g.name, err)
			}
			close(c.imported[g.name])
			return nil
		})
	}
	return imports.Wait()
}

func (c *Cluster) importImages(ctx context.Context, g group) error {
	if _, err := os.Stat(c.imports(g.name)); err == nil {
		return nil
	}
	if err := c.build.Wait(ctx, g.programs...); err != nil {
		return err
	}
	return c.importArchive(ctx, c.Cache, g.name, g.programs)
}

func (c *Cluster) importArchive(ctx context.Context, cache *build.Cache, group string, programs []build.Program) error {
	archive, err := cache.Archive(group, programs)
	if err != nil {
		return err
	}
	// ctr must see the runtime's socket and mounts: it runs in the cluster's namespaces.
	if out, err := c.inNode(ctx, "ctr", "-a", "/run/containerd/containerd.sock", "-n", "k8s.io", "images", "import", archive).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	c.Say("images of %s imported", group)
	return os.WriteFile(c.imports(group), nil, 0o644)
}

// imports is a file that is there when a group's images are in the node's runtime.
func (c *Cluster) imports(group string) string { return c.Plan.Path("run", group+".imported") }

// have waits for a group's images: a Pod that came before them would wait for its next try to pull, longer each time.
func (c *Cluster) have(ctx context.Context, group string) error {
	select {
	case <-c.imported[group]:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bases pushes the base images to the registry.
func (c *Cluster) bases(ctx context.Context) error {
	if _, err := os.Stat(c.Plan.Path("run", "bases.pushed")); err == nil {
		return nil
	}
	bases, err := build.Bases()
	if err != nil {
		return err
	}
	for name, img := range bases {
		ref := c.Plan.Registry() + "/base/" + name + ":latest"
		if err := c.poll(ctx, 20*time.Second, "the registry (see "+c.Plan.Log("registry")+")", func() error { return build.Push(ref, img) }); err != nil {
			return err
		}
	}
	return os.WriteFile(c.Plan.Path("run", "bases.pushed"), nil, 0o644)
}

// inNode is a command in the cluster's namespaces.
func (c *Cluster) inNode(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"-t", fmt.Sprint(node.PID(c.Plan)), "-m", "-n", "-p", "--"}, args...)...)
}

func (c *Cluster) dns(ctx context.Context) error {
	if err := c.have(ctx, "node"); err != nil {
		return err
	}
	return c.applyOwn(ctx, "dns.yaml")
}

func (c *Cluster) tekton(ctx context.Context) error {
	if err := c.kubectlQuiet(ctx, "-n", "tekton-pipelines", "delete", "endpointslice", "tekton-pipelines-webhook-process", "--ignore-not-found"); err != nil &&
		!strings.Contains(err.Error(), "not found") {
		return err
	}
	if err := c.applySet(ctx, manifests.TektonBase); err != nil {
		return err
	}
	if err := c.have(ctx, "tekton"); err != nil {
		return err
	}
	if err := c.applySet(ctx, manifests.TektonDeploy); err != nil {
		return err
	}
	for _, setting := range tekton.Settings { // only now: Tekton's webhook is asked about them, and its controller watches them
		patch, err := json.Marshal(map[string]any{"data": map[string]string{setting.Key: setting.Value}})
		if err != nil {
			return err
		}
		if err := c.kubectl(ctx, "-n", tekton.Namespace, "patch", "configmap", setting.ConfigMap, "--type=merge", "-p", string(patch)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) eventing(ctx context.Context) error {
	if err := c.applySet(ctx, manifests.EventingBase); err != nil {
		return err
	}
	oidc := map[bool]string{true: "enabled", false: "disabled"}[c.OIDC]
	if err := c.kubectl(ctx, "-n", "knative-eventing", "patch", "configmap", "config-features", "--type=merge",
		"-p", `{"data":{"authentication-oidc":"`+oidc+`"}}`); err != nil {
		return err
	}
	if err := c.have(ctx, "eventing"); err != nil {
		return err
	}
	for _, s := range []manifests.Set{manifests.EventingDeploy, manifests.EventingBroker} {
		if err := c.applySet(ctx, s); err != nil {
			return err
		}
	}
	return c.applyOwn(ctx, "broker.yaml")
}

// jetStream starts the servers of NATS and Knative's channel on them. The Broker that uses it is the product's (config/options/jetstream).
func (c *Cluster) jetStream(ctx context.Context, stage Stage) error {
	if err := c.build.Wait(ctx, Programs(stage)...); err != nil { // two compilers at a time would each take twice as long
		return err
	}
	programs := append([]build.Program{build.NATS}, build.JetStream...)
	if err := c.JetStream.Start(ctx, programs...).Wait(ctx, programs...); err != nil {
		return err
	}
	if err := parts.Write(c.Plan, parts.NATSFiles(c.Plan)); err != nil {
		return err
	}
	if err := c.startAll(parts.NATS(c.Plan, c.JetStream.Bin(build.NATS))); err != nil {
		return err
	}
	if err := c.have(ctx, "eventing"); err != nil { // its CRDs and namespace are applied by then
		return err
	}
	if _, err := os.Stat(c.imports("jetstream")); err != nil {
		if err := c.importArchive(ctx, c.JetStream, "jetstream", build.JetStream); err != nil {
			return err
		}
	}
	if err := c.applyOwn(ctx, "jetstream.yaml"); err != nil {
		return err
	}
	channel, err := manifests.Render(manifests.JetStream, c.JetStream.ModuleDir, "")
	if err != nil {
		return err
	}
	return c.apply(ctx, manifests.JetStream.Name, channel)
}

func (c *Cluster) serving(ctx context.Context) error {
	for _, s := range []manifests.Set{manifests.ServingBase, manifests.ServingConfig} {
		if err := c.applySet(ctx, s); err != nil {
			return err
		}
	}
	for cm, data := range map[string]string{
		"config-network": fmt.Sprintf(`{"ingress-class": %q, "autocreate-cluster-domain-claims": "true"}`, ingress.Class),
		"config-domain":  fmt.Sprintf(`{%q: ""}`, c.Plan.IngressDomain()),
		// the node has two cores: what the queue-proxy asks for by default would fill it
		"config-deployment": `{"queue-sidecar-cpu-request": "10m", "queue-sidecar-memory-request": "20Mi", "registries-skipping-tag-resolving": "kind.local,ko.local,dev.local"}`,
	} {
		if err := c.kubectl(ctx, "-n", "knative-serving", "patch", "configmap", cm, "--type=merge", "-p", `{"data":`+data+`}`); err != nil {
			return err
		}
	}
	if err := c.have(ctx, "serving"); err != nil {
		return err
	}
	if err := c.applySet(ctx, manifests.ServingDeploy); err != nil {
		return err
	}
	return c.applyOwn(ctx, "ingress.yaml")
}

// applySet applies a set of manifests, unless this very content was applied before and all of it is still there.
func (c *Cluster) applySet(ctx context.Context, s manifests.Set) error {
	content, err := manifests.Render(s, c.Cache.ModuleDir, c.Plan.Registry()+"/base/busybox:latest")
	if err != nil {
		return err
	}
	return c.apply(ctx, s.Name, content)
}

func (c *Cluster) applyOwn(ctx context.Context, name string) error {
	b, err := own.FS.ReadFile(name)
	if err != nil {
		return err
	}
	return c.apply(ctx, strings.TrimSuffix(name, ".yaml"), strings.NewReplacer(
		"${DNS_IP}", c.Plan.DNSServiceIP(), "${NODE_IP}", c.Plan.NodeIP(), "${NATS}", parts.NATSURL(c.Plan)).Replace(string(b)))
}

func (c *Cluster) apply(ctx context.Context, name, content string) error {
	done, file := c.Plan.Path("run", "applied-"+name), c.write(name+".yaml", content)
	if old, err := os.ReadFile(done); err == nil && string(old) == content {
		err := c.kubectlQuiet(ctx, "get", "-f", file, "-o", "name")
		if err == nil {
			return nil
		}
		c.Say("applying %s again: %v", name, err)
	}
	if err := c.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-f", file); err != nil {
		return err
	}
	return os.WriteFile(done, []byte(content), 0o644)
}

func (c *Cluster) write(name, content string) string {
	path := c.Plan.Path("etc", "manifests", name)
	os.MkdirAll(filepath.Dir(path), 0o755)
	os.WriteFile(path, []byte(content), 0o644)
	return path
}

// kubectl runs kubectl until it succeeds: just after a start, webhooks refuse what they will take a second later, and a
// kind may be applied before its CRD is served.
func (c *Cluster) kubectl(ctx context.Context, args ...string) error {
	return c.poll(ctx, patience, "kubectl "+strings.Join(args, " "), func() error { return c.kubectlQuiet(ctx, args...) })
}

func (c *Cluster) kubectlQuiet(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, c.Cache.Bin(build.Kube), append([]string{"kubectl", "--kubeconfig", c.Plan.Kubeconfig()}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, lastLines(string(out), 5))
	}
	return nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// rollouts waits for every Deployment, and says which are ready as they come.
func (c *Cluster) rollouts(ctx context.Context) error {
	ready := map[string]bool{}
	return c.poll(ctx, 5*time.Minute, "all Deployments", func() error {
		list, err := c.kube.AppsV1().Deployments("").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		var waiting []string
		for _, d := range list.Items {
			if !strings.HasPrefix(d.Namespace, "knative-") && d.Namespace != "tekton-pipelines" && d.Namespace != "kube-system" {
				continue // users' own
			}
			key := d.Namespace + "/" + d.Name
			switch {
			case !Available(d):
				waiting = append(waiting, key)
			case !ready[key]:
				ready[key] = true
				c.Say("%s ready", key)
			}
		}
		if len(waiting) > 0 {
			return fmt.Errorf("not ready: %s", strings.Join(waiting, ", "))
		}
		return nil
	})
}

// Available says whether a Deployment runs as it should.
func Available(d appsv1.Deployment) bool {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	return d.Status.ObservedGeneration >= d.Generation && d.Status.UpdatedReplicas >= want && d.Status.AvailableReplicas >= want
}

// writeEnv writes the settings that other programs use, for a shell to read.
func (c *Cluster) writeEnv() error {
	policies := "enforced"
	if lack, err := os.ReadFile(c.Plan.NetworkPoliciesLack()); err == nil {
		policies = "the kernel lacks " + strings.ReplaceAll(string(lack), "'", "")
	}
	return os.WriteFile(c.Plan.Path("env"), fmt.Appendf(nil, `# written by the cluster program; read it with: . %[1]s
export KUBECONFIG=%[2]s
export CLUSTER_NODE_IP=%[3]s
export CLUSTER_HOST_IP=%[4]s
export KO_DOCKER_REPO=%[5]s
export KO_DEFAULTBASEIMAGE=%[5]s/base/static:latest
export CLUSTER_INGRESS=http://127.0.0.1:%[6]d
export CLUSTER_INGRESS_DOMAIN=%[7]s:%[6]d
export CLUSTER_KUBE=%[8]s
export CLUSTER_NETWORK_POLICIES='%[9]s'
`, c.Plan.Path("env"), c.Plan.Kubeconfig(), c.Plan.NodeIP(), c.Plan.HostIP(), c.Plan.Registry(), c.Plan.IngressPort, c.Plan.IngressDomain(), c.Cache.Bin(build.Kube),
		policies), 0o644)
}

// poll tries until it succeeds or the time is up; then the error says what was waited for and the last failure. Long
// waits say so meanwhile.
func (c *Cluster) poll(ctx context.Context, limit time.Duration, what string, try func() error) error {
	deadline, said := time.Now().Add(limit), time.Now()
	for {
		err := try()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s for %s: %w", limit, what, err)
		}
		if time.Since(said) > 20*time.Second {
			said = time.Now()
			c.Say("still waiting for %s: %s", what, lastLines(err.Error(), 1))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func portOf(addr string) int {
	var port int
	fmt.Sscanf(addr[strings.LastIndexByte(addr, ':')+1:], "%d", &port)
	return port
}
