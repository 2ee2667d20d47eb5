package pki

import (
	"os"
	"time"

	"github.com/kf-tasks/kf-tasks/test/cluster/internal/plan"
)

// NodeName is the one node's.
const NodeName = "kf-node"

// Cluster makes everything that one cluster needs, once: a folder that has it is left alone.
func Cluster(p plan.Plan, now time.Time) error {
	if _, err := os.Stat(p.Path("pki", "done")); err == nil {
		return nil
	}
	a, err := New(p.Path("pki"), now)
	if err != nil {
		return err
	}
	for name, s := range map[string]Subject{
		"apiserver": {Name: "kube-apiserver", Hosts: []string{
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
			"localhost", "127.0.0.1", p.NodeIP(), p.APIServiceIP(),
		}},
		"kubelet-server":    {Name: NodeName, Hosts: []string{NodeName, p.NodeIP(), "127.0.0.1"}},
		"apiserver-kubelet": {Name: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}},
	} {
		if _, _, err := a.Issue(name, s, now); err != nil {
			return err
		}
	}
	for name, s := range map[string]Subject{
		"kube-controller-manager": {Name: "system:kube-controller-manager"},
		"kube-scheduler":          {Name: "system:kube-scheduler"},
		"kube-proxy":              {Name: "system:kube-proxy"},
		"kubelet":                 {Name: "system:node:" + NodeName, Groups: []string{"system:nodes"}},
	} {
		if err := a.Kubeconfig(p.Path("pki", name+".kubeconfig"), p.Server(), name, s, now); err != nil {
			return err
		}
	}
	if err := a.Kubeconfig(p.Kubeconfig(), p.Server(), "admin", Subject{Name: "admin", Groups: []string{"system:masters"}}, now); err != nil {
		return err
	}
	if err := a.ServiceAccountKey(); err != nil {
		return err
	}
	return os.WriteFile(p.Path("pki", "done"), nil, 0o644)
}
