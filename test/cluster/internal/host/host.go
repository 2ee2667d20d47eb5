// Package host looks at and prepares the machine: the programs that are taken from it rather than built, and its networks.
package host

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// need is a file that the cluster uses, and the Debian package that has it.
type need struct {
	paths []string // any of them
	pkg   string
}

// What is needed for what. docs/install.md names the packages.
var (
	ForControlPlane = []need{{[]string{"/sbin/ip", "/usr/sbin/ip", "/usr/bin/ip"}, "iproute2"}}
	ForTests        = []need{ // go test -race links with C
		{[]string{"/usr/bin/cc", "/usr/bin/gcc", "/usr/local/bin/gcc"}, "gcc"},
		{[]string{"/usr/include/stdlib.h", "/usr/local/include/stdlib.h"}, "libc6-dev"},
		{[]string{"/usr/bin/curl", "/usr/local/bin/curl"}, "curl"}, // and the rest for the programs of docs/quickstart.md
		{[]string{"/usr/bin/python3", "/usr/local/bin/python3"}, "python3"},
		{[]string{"/usr/bin/node", "/usr/local/bin/node"}, "nodejs"},
	}
	// ForBrowser is what looks at the pages (test/web), and what installs the drivers that its lock file names.
	ForBrowser = []need{
		{[]string{"/usr/bin/chromium"}, "chromium"},
		{[]string{"/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"}, "fonts-dejavu-core"},
		{[]string{"/usr/bin/npm", "/usr/local/bin/npm"}, "npm"},
	}
	// ForPrometheus is what reads the functions' metrics (test/monitoring), with promtool.
	ForPrometheus = []need{{[]string{"/usr/bin/prometheus", "/usr/local/bin/prometheus"}, "prometheus"}}
	// ForImages is what the base images, and the builder image of builds from source, have of the machine.
	ForImages = []need{
		{[]string{"/bin/busybox", "/usr/bin/busybox"}, "busybox-static"},
		{[]string{"/bin/bash-static", "/usr/bin/bash-static"}, "bash-static"},
	}
	ForNode = []need{
		{[]string{"/usr/bin/containerd", "/usr/local/bin/containerd"}, "containerd"},
		{[]string{"/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc"}, "runc"},
		{[]string{"/usr/lib/cni/bridge", "/opt/cni/bin/bridge"}, "containernetworking-plugins"},
		{[]string{"/usr/sbin/iptables", "/sbin/iptables"}, "iptables"},
		{[]string{"/usr/sbin/nft", "/sbin/nft"}, "nftables"},
		{[]string{"/usr/sbin/conntrack", "/sbin/conntrack"}, "conntrack"},
		{[]string{"/bin/mount", "/usr/bin/mount"}, "mount"},
	}
)

func missing(needs []need) (pkgs []string) {
	for _, n := range needs {
		found := false
		for _, p := range n.paths {
			if _, err := os.Stat(p); err == nil {
				found = true
			}
		}
		if !found {
			pkgs = append(pkgs, n.pkg)
		}
	}
	return pkgs
}

// Root says why a cluster can't be started by who runs this.
func Root() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("a local cluster needs root: namespaces, mounts and a network of its own. Run as root, or use a cluster of yours with CLUSTER=existing")
	}
	return nil
}

// Prepare installs what is missing; it is the only place that does. Only Debian and its kin are known; elsewhere the
// error names what to install.
func Prepare(say func(string, ...any), needs []need) error {
	pkgs := missing(needs)
	if len(pkgs) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("please install these (Debian's names) and run again: %s", strings.Join(pkgs, " "))
	}
	say("installing %s", strings.Join(pkgs, ", "))
	run := func(args ...string) error {
		cmd := exec.Command("apt-get", args...)
		// policy: Debian would start containerd as a service of the machine's; ours is another one
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	install := append([]string{"install", "-y", "-q", "--no-install-recommends"}, pkgs...)
	if err := run(install...); err == nil {
		return nil
	}
	if err := run("update", "-q"); err != nil { // the lists may be old, or not there
		return err
	}
	return run(install...)
}

// CNI is the folder of the CNI plugins.
func CNI() string {
	if _, err := os.Stat("/opt/cni/bin/bridge"); err == nil {
		return "/opt/cni/bin"
	}
	return "/usr/lib/cni"
}

// Memory is the machine's, in bytes.
func Memory() uint64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 1 << 30
	}
	return uint64(info.Totalram) * uint64(info.Unit)
}

// CgroupV2 says whether the machine has the unified hierarchy.
func CgroupV2() bool {
	_, err := os.Stat("/sys/fs/cgroup/cgroup.controllers")
	return err == nil
}

// Networks are those that the machine has or routes.
func Networks() ([]netip.Prefix, error) {
	out, err := exec.Command("ip", "-4", "route", "show", "table", "all").Output()
	if err != nil {
		return nil, fmt.Errorf("ip route: %w", err)
	}
	return ParseRoutes(string(out)), nil
}

// ParseRoutes reads the destinations from what `ip route` prints.
func ParseRoutes(out string) (nets []netip.Prefix) {
	for line := range strings.Lines(out) {
		for _, f := range strings.Fields(line) {
			switch f {
			case "local", "broadcast", "unreachable", "blackhole", "unicast", "multicast", "prohibit":
				continue
			}
			if p, err := netip.ParsePrefix(f); err == nil {
				nets = append(nets, p.Masked())
			} else if a, err := netip.ParseAddr(f); err == nil {
				nets = append(nets, netip.PrefixFrom(a, a.BitLen()))
			}
			break
		}
	}
	return nets
}

// Loopback listens on a free port of the host's loopback, the given one if it is free.
func Loopback(port int) (*net.TCPListener, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// Lock keeps two runs off one folder; it waits for the other, and says so.
func Lock(dir string, say func(string, ...any)) (unlock func(), err error) {
	path := filepath.Join(dir, "lock")
	said := false
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return nil, err
		}
		if flock(f) == nil {
			return func() { f.Close() }, nil
		}
		f.Close()
		if !said {
			say("waiting for another run of this program on %s", dir)
			said = true
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// Alone returns when nobody else on this machine begins a cluster, for two at once would choose one network. It ends when end is called,
// or with the process.
func Alone() (end func(), err error) {
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "kf-tasks-cluster.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return func() { f.Close() }, nil
}
