package plan

import (
	"errors"
	"net/netip"
	"os"
	"testing"
)

func TestClustersOfOneMachineShareNoAddress(t *testing.T) {
	var taken []netip.Prefix
	for i := range Clusters {
		p := Plan{Index: i}
		for _, r := range []string{p.NodeNet(), p.PodCIDR(), p.ServiceCIDR()} {
			n := netip.MustParsePrefix(r)
			for _, other := range taken {
				if n.Overlaps(other) {
					t.Errorf("cluster %d: %s overlaps %s", i, n, other)
				}
			}
			taken = append(taken, n)
		}
		for network, address := range map[string]string{
			p.NodeNet(): p.NodeIP(), p.PodCIDR(): netip.MustParsePrefix(p.NodePodCIDR()).Addr().String(), p.ServiceCIDR(): p.DNSServiceIP(),
		} {
			if !netip.MustParsePrefix(network).Contains(netip.MustParseAddr(address)) {
				t.Errorf("cluster %d: %s is not in %s", i, address, network)
			}
		}
		if !netip.MustParseAddr(p.NodeIP()).IsPrivate() {
			t.Errorf("cluster %d: ko takes plain HTTP for private addresses only, not for %s", i, p.NodeIP())
		}
	}
}

func TestChooseKeepsOffTheHostsNetworks(t *testing.T) {
	prefixes := func(s ...string) (out []netip.Prefix) {
		for _, p := range s {
			out = append(out, netip.MustParsePrefix(p))
		}
		return out
	}
	for name, c := range map[string]struct {
		taken []netip.Prefix
		want  int
		err   error
	}{
		"nothing taken":                {nil, 0, nil},
		"a default route is no claim":  {prefixes("0.0.0.0/0"), 0, nil},
		"another cluster's node":       {prefixes("10.217.0.0/30"), 1, nil},
		"a VPN on the Pods' addresses": {prefixes("10.218.0.0/18"), 4, nil},
		"Docker is no neighbour":       {prefixes("172.17.0.0/16"), 0, nil},
		"all of 10/8":                  {prefixes("10.0.0.0/8"), 0, ErrFull},
	} {
		if got, err := Choose(c.taken); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %d %v, want %d %v", name, got, err, c.want, c.err)
		}
	}
}

func TestPlanIsFoundAgain(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no plan: %v", err)
	}
	saved := Plan{Dir: dir, Index: 3, IngressPort: 4711}
	if err := saved.Save(); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(dir); err != nil || got != saved {
		t.Errorf("%+v %v", got, err)
	}
	if err := os.WriteFile(saved.Path("plan.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("a plan that can't be read: %v", err)
	}
}
