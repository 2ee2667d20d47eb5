// Package parts says how each process of the cluster is started, and writes the files that it reads.
package parts

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kf-tasks/kf-tasks/test/cluster/internal/node"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/pki"
	"github.com/kf-tasks/kf-tasks/test/cluster/internal/plan"
)

// Binaries are the programs that the parts run.
type Binaries struct {
	Kube            string // the multi-call binary
	Registry        string
	Webhook         string // Tekton's
	NetworkPolicies string
	CNI             string // the folder of CNI's plugins
}

// ControlPlane is etcd, the API server and the controller manager. Without fsync, which is the usual, etcd leaves it to the kernel when
// what it wrote reaches the disk: a test cluster's data need not survive a power cut, and CI's disks are slow.
func ControlPlane(p plan.Plan, b Binaries, fsync bool) []node.Part {
	pkiFile := func(name string) string { return p.Path("pki", name) }
	etcd := "http://127.0.0.1:2379"
	kcm := pkiFile("kube-controller-manager.kubeconfig")
	unsafe := "--unsafe-no-fsync=" + strconv.FormatBool(!fsync)
	return []node.Part{
		{Name: "etcd", Argv: []string{b.Kube, "etcd",
			"--name=kf", "--data-dir=" + p.Path("run", "etcd"),
			"--listen-client-urls=" + etcd, "--advertise-client-urls=" + etcd,
			"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
			"--initial-cluster=kf=http://127.0.0.1:2380",
			unsafe, "--quota-backend-bytes=8589934592", "--auto-compaction-retention=5m", "--log-level=warn",
		}},
		{Name: "kube-apiserver", Argv: []string{b.Kube, "kube-apiserver",
			"--etcd-servers=" + etcd, "--secure-port=6443", "--bind-address=0.0.0.0", "--advertise-address=" + p.NodeIP(),
			"--tls-cert-file=" + pkiFile("apiserver.crt"), "--tls-private-key-file=" + pkiFile("apiserver.key"),
			"--client-ca-file=" + pkiFile("ca.crt"),
			"--kubelet-client-certificate=" + pkiFile("apiserver-kubelet.crt"), "--kubelet-client-key=" + pkiFile("apiserver-kubelet.key"),
			"--kubelet-certificate-authority=" + pkiFile("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + pkiFile("sa.pub"), "--service-account-signing-key-file=" + pkiFile("sa.key"),
			"--authorization-mode=Node,RBAC",
			// OwnerReferencesPermissionEnforcement is on in OpenShift: who sets an owner that blocks needs the right to its finalizers.
			"--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
			"--audit-policy-file=" + p.Path("etc", "audit.yaml"), "--audit-log-path=" + p.Log("audit"), "--audit-log-maxsize=8192",
			"--service-cluster-ip-range=" + p.ServiceCIDR(), "--allow-privileged=true", "--profiling=false",
			// Webhooks are reached by their endpoints' addresses, not their Service's: without a node nobody serves those.
			"--enable-aggregator-routing=true",
			"--event-ttl=1h",
		}},
		{Name: "kube-controller-manager", Argv: []string{b.Kube, "kube-controller-manager",
			"--kubeconfig=" + kcm, "--authentication-kubeconfig=" + kcm, "--authorization-kubeconfig=" + kcm,
			"--use-service-account-credentials", "--service-account-private-key-file=" + pkiFile("sa.key"), "--root-ca-file=" + pkiFile("ca.crt"),
			"--cluster-signing-cert-file=" + pkiFile("ca.crt"), "--cluster-signing-key-file=" + pkiFile("ca.key"),
			"--leader-elect=false", "--allocate-node-cidrs=true", "--cluster-cidr=" + p.PodCIDR(), "--node-cidr-mask-size=23",
			"--service-cluster-ip-range=" + p.ServiceCIDR(), "--bind-address=127.0.0.1",
		}},
	}
}

// TektonWebhook is Tekton's admission as a plain process, for a cluster without a node.
func TektonWebhook(p plan.Plan, b Binaries) node.Part {
	return node.Part{Name: "tekton-webhook", Argv: []string{b.Webhook, "-kubeconfig=" + p.Kubeconfig()}, Env: []string{
		"KUBECONFIG=" + p.Kubeconfig(), // admin: in the Deployment it has an account of its own
		"SYSTEM_NAMESPACE=tekton-pipelines", "POD_NAME=host", "WEBHOOK_PORT=8443", "PROBES_PORT=8085", "METRICS_PROMETHEUS_PORT=9095",
		"CONFIG_LOGGING_NAME=config-logging", "CONFIG_OBSERVABILITY_NAME=config-observability", "CONFIG_LEADERELECTION_NAME=config-leader-election-webhook",
		"CONFIG_FEATURE_FLAGS_NAME=feature-flags", "CONFIG_DEFAULTS_NAME=config-defaults",
		"WEBHOOK_SERVICE_NAME=tekton-pipelines-webhook", "WEBHOOK_SECRET_NAME=webhook-certs", "METRICS_DOMAIN=tekton.dev/pipeline",
		"WEBHOOK_ADMISSION_CONTROLLER_NAME=webhook.pipeline.tekton.dev",
	}}
}

// Node is what makes the machine a node: container runtime, kubelet, kube-proxy, scheduler and the image registry.
func Node(p plan.Plan, b Binaries) []node.Part {
	scheduler := p.Path("pki", "kube-scheduler.kubeconfig")
	return []node.Part{
		{Name: "registry", Argv: []string{b.Registry, "serve", p.Path("etc", "registry.yaml")}, Env: []string{"OTEL_TRACES_EXPORTER=none"}},
		{Name: "containerd", Argv: []string{"containerd", "--config", p.Path("etc", "containerd.toml")}},
		{Name: "kubelet", Argv: []string{b.Kube, "kubelet",
			"--config=" + p.Path("etc", "kubelet.yaml"), "--kubeconfig=" + p.Path("pki", "kubelet.kubeconfig"),
			"--hostname-override=" + pki.NodeName, "--node-ip=" + p.NodeIP(),
			"--root-dir=" + p.Path("run", "kubelet"), "--cert-dir=" + p.Path("run", "kubelet", "pki"),
		}},
		{Name: "kube-proxy", Argv: []string{b.Kube, "kube-proxy", "--config=" + p.Path("etc", "kube-proxy.yaml")}},
		{Name: "kube-scheduler", Argv: []string{b.Kube, "kube-scheduler", "--kubeconfig=" + scheduler,
			"--authentication-kubeconfig=" + scheduler, "--authorization-kubeconfig=" + scheduler, "--leader-elect=false", "--bind-address=127.0.0.1"}},
	}
}

// natsServers is how many servers of NATS there are: one can be lost, and what they took is with the other two.
const natsServers = 3

// NATS are the servers that the durable Broker's channel keeps events on, each a part of its own, to be killed alone.
func NATS(p plan.Plan, binary string) (servers []node.Part) {
	for i := range natsServers {
		name := natsName(i)
		servers = append(servers, node.Part{Name: name, Argv: []string{binary, "-c", p.Path("etc", name+".conf")}})
	}
	return servers
}

// NATSFiles are their configuration. sync_interval: without "always" a server acknowledges what it writes to the disk within two minutes.
func NATSFiles(p plan.Plan) map[string]string {
	files := map[string]string{}
	for i := range natsServers {
		files["etc/"+natsName(i)+".conf"] = fmt.Sprintf(`server_name: %[1]s
listen: "%[2]s:%[3]d"
jetstream { store_dir: %[4]q, max_file_store: 4GB, max_memory_store: 64MB, sync_interval: always }
cluster { name: kf, listen: "%[2]s:%[5]d", routes: [%[6]s] }
`, natsName(i), p.NodeIP(), natsClients+i, p.Path("run", natsName(i)), natsRoutes+i, natsURLs(p, natsRoutes))
	}
	return files
}

// NATSURL is where clients find the servers.
func NATSURL(p plan.Plan) string { return natsURLs(p, natsClients) }

// The first server's ports, as NATS has them by default.
const (
	natsClients = 4222
	natsRoutes  = 6222
)

func natsName(i int) string { return fmt.Sprint("nats-", i) }

func natsURLs(p plan.Plan, port int) string {
	var urls []string
	for i := range natsServers {
		urls = append(urls, fmt.Sprintf("nats://%s:%d", p.NodeIP(), port+i))
	}
	return strings.Join(urls, ",")
}

// Audited is what the API server keeps of requests: those of the functions' accounts, for `make check-rights`. Of what is created it
// keeps the object too, whose owners say which finalizers' rights were needed: admission asks for those, and logs no request.
var Audited = map[string]string{"etc/audit.yaml": `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: Request
  userGroups: ["system:serviceaccounts:kf-tasks"]
  verbs: [create]
  resources:
  - {group: kf.dev, resources: [tasks]}
  - {group: tekton.dev, resources: [pipelineruns]}
- level: Metadata
  userGroups: ["system:serviceaccounts:kf-tasks"]
- level: None
`}

// Bridge is what the CNI plugin connects the Pods by.
const Bridge = "cni0"

// NetworkPolicies enforces them. It reads all Pods, and runs beside the API server as its administrator.
func NetworkPolicies(p plan.Plan, b Binaries) node.Part {
	return node.Part{Name: "networkpolicies", Argv: []string{b.NetworkPolicies, "--kubeconfig=" + p.Kubeconfig(), "--node=" + pki.NodeName}}
}

// Files are the configuration files of the node's parts, by their path below the cluster's folder. cgroupV2 says what
// the machine has.
func Files(p plan.Plan, b Binaries, pause string, cgroupV2 bool) map[string]string {
	failV1 := "failCgroupV1: false"
	if cgroupV2 {
		failV1 = ""
	}
	return map[string]string{
		"etc/registry.yaml": fmt.Sprintf(`version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: %s}
  delete: {enabled: true}
http: {addr: "%s"}
`, p.Path("run", "registry"), p.Registry()),
		// restrict_oom_score_adj: without CAP_SYS_RESOURCE runc could not lower a container's score, and fails.
		"etc/containerd.toml": fmt.Sprintf(`version = 2
root = %q
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
`, p.Path("run", "containerd"), pause, b.CNI, p.Path("etc", "cni"), p.Path("etc", "certs.d")),
		"etc/certs.d/" + p.Registry() + "/hosts.toml": fmt.Sprintf(`server = "http://%s"
[host."http://%s"]
  capabilities = ["pull", "resolve"]
`, p.Registry(), p.Registry()),
		"etc/cni/10-kf.conflist": fmt.Sprintf(`{"cniVersion": "1.0.0", "name": "kf", "plugins": [
  {"type": "bridge", "bridge": %q, "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": %q, "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
`, Bridge, p.Path("run", "cni"), p.NodePodCIDR()),
		"etc/resolv.conf": "nameserver 127.0.0.1\n",
		"etc/kubelet.yaml": fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 0.0.0.0
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %[1]s/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: %[1]s/kubelet-server.crt
tlsPrivateKeyFile: %[1]s/kubelet-server.key
cgroupDriver: cgroupfs
cgroupRoot: %[2]s
%[3]s
failSwapOn: false
clusterDNS: [%[4]s]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
resolvConf: %[5]s
podLogsDir: %[6]s
volumePluginDir: %[7]s
maxPods: 400
podPidsLimit: -1
evictionHard: {memory.available: "100Mi", nodefs.available: "1%%", imagefs.available: "1%%", nodefs.inodesFree: "0%%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
syncFrequency: 10s
serializeImagePulls: false
registryPullQPS: 0
eventRecordQPS: 0
kubeAPIQPS: 200
kubeAPIBurst: 400
`, p.Path("pki"), p.Cgroup(), failV1, p.DNSServiceIP(), p.Path("etc", "resolv.conf"), p.Path("run", "pods"), p.Path("run", "kubelet-plugins")),
		"etc/kube-proxy.yaml": fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: %s
clusterCIDR: %s
clientConnection: {kubeconfig: %s}
conntrack: {maxPerCore: 0}
`, pki.NodeName, p.PodCIDR(), p.Path("pki", "kube-proxy.kubeconfig")),
	}
}

// Write writes files that changed, and only those: kube-proxy ends when its file is touched.
func Write(p plan.Plan, files map[string]string) error {
	for name, content := range files {
		path := p.Path(filepath.FromSlash(name))
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, []byte(content)) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}
