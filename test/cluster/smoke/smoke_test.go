// Package smoke shows that a cluster comes up beside others, and leaves the machine as it was.
//
//	go test -C test/cluster -count=1 -v ./smoke                      # control-plane
//	SMOKE_STAGE=full go test -C test/cluster -count=1 -v ./smoke     # all of it
package smoke

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var program = must(filepath.Abs("../../../bin/cluster"))

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

func stage() string {
	if s := os.Getenv("SMOKE_STAGE"); s != "" {
		return s
	}
	return "control-plane"
}

func cluster(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(program, append(args, "--dir", dir)...)
	cmd.Dir = must(filepath.Abs("../../.."))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func run(t *testing.T, dir string, args ...string) time.Duration {
	t.Helper()
	began := time.Now()
	if out, err := cluster(t, dir, args...); err != nil {
		t.Fatalf("cluster %v: %v\n%s", args, err, out)
	}
	return time.Since(began).Round(100 * time.Millisecond)
}

// machine is what a cluster could leave behind, one line each.
func machine(t *testing.T, dir string) map[string][]string {
	t.Helper()
	lines := func(args ...string) (out []string) {
		b, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v %s", args, err, b)
		}
		for l := range strings.Lines(string(b)) {
			out = append(out, strings.TrimSpace(l))
		}
		slices.Sort(out)
		return out
	}
	m := map[string][]string{
		"mounts":             lines("cat", "/proc/mounts"),
		"links":              lines("ip", "-o", "link"),
		"routes":             lines("ip", "route", "show", "table", "all"),
		"network namespaces": lines("ip", "netns", "list"),
		"cgroups":            nil,
		"processes":          nil,
	}
	if _, err := exec.LookPath("nft"); err == nil {
		m["firewall rules"] = lines("nft", "list", "ruleset")
	}
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), "kf-cluster") {
			m["cgroups"] = append(m["cgroups"], path)
			return fs.SkipDir // what is in it, of a cluster beside this one, comes and goes
		}
		return nil
	})
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, c := range commands {
		if b, err := os.ReadFile(c); err == nil && strings.Contains(string(b), dir) {
			m["processes"] = append(m["processes"], strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return m
}

var anyLink = regexp.MustCompile(`\bkf(-cluster-)?\d+\b`)

// link is the host's end of the cluster's network.
func link(t *testing.T, dir string) string {
	t.Helper()
	var plan struct{ Index int }
	if err := json.Unmarshal([]byte(must(readFile(filepath.Join(dir, "plan.json")))), &plan); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("kf%d", plan.Index)
}

// ofAnother says whether a line is about a cluster that has begun or ended beside this one.
func ofAnother(line, own string) bool {
	found := anyLink.FindString(line)
	return found != "" && strings.ReplaceAll(found, "-cluster-", "") != own
}

func TestTwiceUpAndDownLeavesTheMachineAsItWas(t *testing.T) {
	dir := t.TempDir()
	before := machine(t, dir)
	var own string
	for range 2 {
		up := run(t, dir, "up", "--stage", stage())
		own = link(t, dir)
		if during := machine(t, dir); len(during["links"]) <= len(before["links"]) || len(during["processes"]) == 0 {
			t.Fatalf("this test sees nothing of a cluster that is up: %v", during)
		}
		again := run(t, dir, "up", "--stage", stage())
		down := run(t, dir, "down")
		t.Logf("%s: up %s, up again %s, down %s", stage(), up, again, down)
	}
	var after map[string][]string
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(200 * time.Millisecond) {
		if after = machine(t, dir); fmt.Sprint(after) == fmt.Sprint(before) {
			break // the kernel takes a moment
		}
	}
	for what := range after {
		for _, line := range after[what] {
			if !slices.Contains(before[what], line) && !ofAnother(line, own) {
				t.Errorf("left in %s: %s", what, line)
			}
		}
		for _, line := range before[what] {
			if !slices.Contains(after[what], line) && !ofAnother(line, own) {
				t.Errorf("gone from %s: %s", what, line)
			}
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() != "logs" && f.Name() != "lock" {
			t.Errorf("left in the folder: %s", f.Name())
		}
	}
}

// TestTwoClusters run side by side; a part that is killed comes back; the end of one does not touch the other; and a
// pid 1 that is killed takes all with it, from which the next up recovers.
func TestTwoClusters(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	for _, dir := range []string{one, two} {
		t.Cleanup(func() { cluster(t, dir, "down") })
		run(t, dir, "up", "--stage", "control-plane")
	}
	run(t, one, "kill", "etcd")
	run(t, one, "kill", "kube-apiserver")
	run(t, one, "up", "--stage", "control-plane")
	if out, _ := cluster(t, one, "status"); !strings.Contains(out, "restarted 1 times") {
		t.Errorf("nothing says that parts were killed:\n%s", out)
	}
	run(t, two, "down")
	answers := func(dir string) error {
		out, err := exec.Command("sh", "-c", ". "+filepath.Join(dir, "env")+` && "$CLUSTER_KUBE" kubectl get --raw /readyz`).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w %s", err, out)
		}
		return nil
	}
	if err := answers(one); err != nil {
		t.Errorf("after the end of the other: %v", err)
	}
	if out, _ := cluster(t, two, "status"); !strings.Contains(out, "no cluster runs") {
		t.Errorf("status of one that has ended: %s", out)
	}
	var file struct{ PID int }
	if err := json.Unmarshal([]byte(must(readFile(filepath.Join(one, "node.pid")))), &file); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(file.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	run(t, one, "up", "--stage", "control-plane")
	if err := answers(one); err != nil {
		t.Errorf("after pid 1 was killed: %v", err)
	}
}

func readFile(name string) (string, error) {
	b, err := os.ReadFile(name)
	return string(b), err
}
