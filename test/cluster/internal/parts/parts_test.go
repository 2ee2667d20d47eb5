package parts

import (
	"maps"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/test/cluster/internal/plan"
)

// TestPartsKeepToTheirCluster: two clusters on one machine have no file and no address in common.
func TestPartsKeepToTheirCluster(t *testing.T) {
	b := Binaries{Kube: "/cache/kube", Registry: "/cache/registry", Webhook: "/cache/webhook", CNI: "/usr/lib/cni"}
	text := func(p plan.Plan) string {
		var out strings.Builder
		for _, part := range append(append(ControlPlane(p, b, false), Node(p, b)...), TektonWebhook(p, b)) {
			if part.Name == "" || len(part.Argv) == 0 {
				t.Errorf("%+v", part)
			}
			out.WriteString(strings.Join(append(part.Argv, part.Env...), "\n") + "\n")
		}
		for _, v2 := range []bool{true, false} {
			files := Files(p, b, "pause:1", v2)
			maps.Copy(files, Audited)
			for name, content := range files {
				if strings.HasSuffix(name, ".yaml") {
					var any map[string]any
					if err := yaml.UnmarshalStrict([]byte(content), &any); err != nil {
						t.Errorf("%s: %v\n%s", name, err, content)
					}
				}
				out.WriteString(content)
			}
		}
		return out.String()
	}
	one, other := plan.Plan{Dir: "/one", Index: 1}, plan.Plan{Dir: "/other", Index: 2}
	for _, mine := range []string{other.Dir, other.NodeIP(), other.ServiceCIDR(), other.PodCIDR()} {
		if strings.Contains(text(one), mine) {
			t.Errorf("cluster 1 uses %s of cluster 2", mine)
		}
	}
	for _, outside := range []string{"/var/lib/kubelet", "/var/lib/containerd", "/etc/kubernetes", "/etc/cni"} {
		if strings.Contains(strings.ReplaceAll(text(one), "/one/etc/cni", ""), outside) {
			t.Errorf("a part uses %s, which is the machine's", outside)
		}
	}
}
