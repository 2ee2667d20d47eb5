// Package plan says where everything of one cluster is: its folder on disk and its addresses. Two clusters on one
// machine differ in both.
package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
)

// Plan is one cluster's places. It is kept in the folder, so that every command finds the same.
type Plan struct {
	// Dir is the folder that holds everything the cluster writes.
	Dir string `json:"-"`
	// Index tells clusters on one machine apart; the addresses follow from it.
	Index int `json:"index"`
	// IngressPort is the host's loopback port that leads to Knative's ingress.
	IngressPort int `json:"ingressPort"`
}

// Clusters is how many clusters fit on one machine.
const Clusters = 16

// Addresses. The host and the cluster are two ends of a veth pair, a /30; Pods and Services have a /20 each.
func (p Plan) HostIP() string      { return fmt.Sprintf("10.217.%d.1", p.Index) }
func (p Plan) NodeIP() string      { return fmt.Sprintf("10.217.%d.2", p.Index) }
func (p Plan) NodeNet() string     { return fmt.Sprintf("10.217.%d.0/30", p.Index) }
func (p Plan) PodCIDR() string     { return fmt.Sprintf("10.218.%d.0/20", p.Index*16) }
func (p Plan) NodePodCIDR() string { return fmt.Sprintf("10.218.%d.0/23", p.Index*16) }
func (p Plan) ServiceCIDR() string { return fmt.Sprintf("10.219.%d.0/20", p.Index*16) }

// APIServiceIP is the first address of the Service range: the Service "kubernetes".
func (p Plan) APIServiceIP() string { return fmt.Sprintf("10.219.%d.1", p.Index*16) }

// DNSServiceIP is the cluster DNS's.
func (p Plan) DNSServiceIP() string { return fmt.Sprintf("10.219.%d.10", p.Index*16) }

// Registry is the name that images have, on the host, on the node and in Pods alike. Private addresses (RFC 1918) are
// plain HTTP to ko, Tekton and Serving.
func (p Plan) Registry() string { return p.NodeIP() + ":5000" }

// Server is the API server's address.
func (p Plan) Server() string { return "https://" + p.NodeIP() + ":6443" }

// IngressDomain is the suffix of Knative's external names. Names under localhost resolve to the loopback by
// themselves (RFC 6761), so the machine's DNS need not be touched.
func (p Plan) IngressDomain() string { return "kf.localhost" }

// VethHost names the host's end of the pair.
func (p Plan) VethHost() string { return fmt.Sprintf("kf%d", p.Index) }

// Cgroup is the cgroup that holds all Pods.
func (p Plan) Cgroup() string { return fmt.Sprintf("/kf-cluster-%d", p.Index) }

// Path returns a path below the cluster's folder.
func (p Plan) Path(elem ...string) string { return filepath.Join(append([]string{p.Dir}, elem...)...) }

// Kubeconfig is the administrator's.
func (p Plan) Kubeconfig() string { return p.Path("kubeconfig") }

// Socket is where the node process takes requests.
func (p Plan) Socket() string { return p.Path("node.sock") }

// Log is the log of a part.
func (p Plan) Log(part string) string { return p.Path("logs", part+".log") }

// NetworkPoliciesLack is a file that says what the kernel lacks to enforce NetworkPolicies; there is none if it does.
func (p Plan) NetworkPoliciesLack() string { return p.Path("run", "networkpolicies.lack") }

const file = "plan.json"

// Load reads the plan of an existing cluster; os.ErrNotExist if there is none.
func Load(dir string) (Plan, error) {
	p := Plan{Dir: dir}
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("%s: %w", filepath.Join(dir, file), err)
	}
	return p, nil
}

// Save writes the plan into its folder.
func (p Plan) Save() error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(p.Path(file), append(b, '\n'), 0o644)
}

// ErrFull means that no addresses are left for another cluster.
var ErrFull = errors.New("all 16 address ranges (10.217.0.0 to 10.217.15.0) are in use: end another cluster first")

// Choose returns the first index none of whose ranges overlaps a network that the host has or routes.
func Choose(taken []netip.Prefix) (int, error) {
	for i := range Clusters {
		p := Plan{Index: i}
		free := true
		for _, r := range []string{p.NodeNet(), p.PodCIDR(), p.ServiceCIDR()} {
			for _, t := range taken {
				free = free && (t.Bits() == 0 || !netip.MustParsePrefix(r).Overlaps(t))
			}
		}
		if free {
			return i, nil
		}
	}
	return 0, ErrFull
}
