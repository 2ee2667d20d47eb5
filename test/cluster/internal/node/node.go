// Package node runs a cluster's processes in Linux namespaces of their own, as a container does: one process is pid 1
// there, starts the parts, restarts those that die, and takes requests over a Unix socket. Whatever the parts make
// (mounts, bridges, network namespaces, firewall rules, orphaned processes) lives in those namespaces, so that when
// pid 1 ends, however it ends, the kernel removes all of it.
package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kf-tasks/kf-tasks/test/cluster/internal/plan"
)

// Part is one supervised process.
type Part struct {
	Name string   `json:"name"`
	Argv []string `json:"argv"`
	Env  []string `json:"env,omitempty"`
}

// State is what the supervisor says of a part.
type State struct {
	Part
	PID      int       `json:"pid"` // 0 when it does not run
	Since    time.Time `json:"since"`
	Restarts int       `json:"restarts"`
	Exit     string    `json:"exit,omitempty"` // of its last end
}

// restartDelay keeps a part that dies at once from eating a core.
const restartDelay = time.Second

// stopGrace is what a part gets between SIGTERM and SIGKILL.
const stopGrace = 10 * time.Second

type process struct {
	state   State
	wanted  bool
	changed chan struct{} // closed and replaced when the state changes
}

// Supervisor is pid 1.
type Supervisor struct {
	plan plan.Plan

	mu    sync.Mutex
	parts map[string]*process
	wait  map[int]chan string // exit messages by pid, from the reaper
}

// Main is the life of pid 1. ingress is a listener on the host's loopback that leads to Knative's ingress.
func Main(p plan.Plan, ingress net.Listener) error {
	if err := isolate(p); err != nil {
		return err
	}
	s := &Supervisor{plan: p, parts: map[string]*process{}, wait: map[int]chan string{}}
	children := make(chan os.Signal, 64)
	signal.Notify(children, syscall.SIGCHLD)
	go s.reap(children)

	os.Remove(p.Socket())
	l, err := net.Listen("unix", p.Socket())
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s.routes()}
	go server.Serve(l)
	if ingress != nil {
		go forward(ingress, net.JoinHostPort(p.NodeIP(), "80"))
	}

	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM, syscall.SIGINT)
	<-ends
	// Parts that keep data stop in order; the rest dies with the namespaces.
	for _, part := range []string{"kubelet", "kube-apiserver", "etcd", "containerd"} {
		s.stop(part)
	}
	return nil
}

// isolate finishes the namespaces that Start's clone began: mounts that are nobody else's, fresh directories where the
// parts insist on places outside their folder, and the network's inner end.
func isolate(p plan.Plan) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	// /run: containerd's shim sockets and CNI's network namespaces. /var/log: kubelet's links. /var/lib/cni: CNI's cache.
	for _, dir := range []string{"/run", "/var/log", "/var/lib/cni"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	// Without a bind mount of its own, the kubelet's mounts could not be shared with Pods that ask for propagation.
	kubelet := p.Path("run", "kubelet")
	if err := os.MkdirAll(kubelet, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(kubelet, kubelet, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", kubelet, err)
	}
	if err := unix.Mount("", kubelet, "", unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share %s: %w", kubelet, err)
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"addr", "add", p.NodeIP() + "/30", "dev", "eth0"},
		{"link", "set", "eth0", "up"},
		{"route", "add", "default", "via", p.HostIP()},
	} {
		if err := ip(args...); err != nil {
			return err
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

func ip(args ...string) error {
	var err error
	var out []byte
	for range 50 { // the parent moves eth0 in while we start
		if out, err = exec.Command("ip", args...).CombinedOutput(); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("ip %v: %w: %s", args, err, out)
}

// reap collects every child, ours and those orphaned to pid 1.
func (s *Supervisor) reap(children <-chan os.Signal) {
	for range children {
		for {
			var status syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
			message := fmt.Sprintf("exit code %d", status.ExitStatus())
			if status.Signaled() {
				message = "killed by " + status.Signal().String()
			}
			s.mu.Lock()
			if c := s.wait[pid]; c != nil {
				c <- message
				delete(s.wait, pid)
			}
			s.mu.Unlock()
		}
	}
}

// start runs a part, unless it runs already with the same command.
func (s *Supervisor) start(part Part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pr := s.parts[part.Name]; pr != nil && pr.wanted {
		pr.state.Part = part // takes effect when it is next started
		return
	}
	pr := &process{state: State{Part: part}, wanted: true, changed: make(chan struct{})}
	s.parts[part.Name] = pr
	go s.run(pr)
}

// run starts the process again whenever it ends, while it is wanted.
func (s *Supervisor) run(pr *process) {
	for {
		s.mu.Lock()
		if !pr.wanted {
			s.mu.Unlock()
			return
		}
		done, err := s.spawn(pr)
		s.mu.Unlock()
		exit := ""
		if err != nil {
			exit = err.Error()
		} else {
			exit = <-done
		}
		s.mu.Lock()
		pr.state.PID, pr.state.Exit, pr.state.Since = 0, exit, time.Now()
		pr.state.Restarts++
		close(pr.changed)
		pr.changed = make(chan struct{})
		s.mu.Unlock()
		time.Sleep(restartDelay)
	}
}

// spawn starts the process; s.mu is held, so that the reaper can't miss it.
func (s *Supervisor) spawn(pr *process) (<-chan string, error) {
	part := pr.state.Part
	log, err := os.OpenFile(s.plan.Log(part.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	path, err := exec.LookPath(part.Argv[0])
	if err != nil {
		return nil, err
	}
	p, err := os.StartProcess(path, part.Argv, &os.ProcAttr{
		Dir: "/", Env: append(os.Environ(), part.Env...), Files: []*os.File{nil, log, log},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, err
	}
	done := make(chan string, 1)
	s.wait[p.Pid] = done
	pr.state.PID, pr.state.Since = p.Pid, time.Now()
	p.Release() // the reaper waits for it
	return done, nil
}

// stop ends a part and waits for its end.
func (s *Supervisor) stop(name string) {
	s.mu.Lock()
	pr := s.parts[name]
	if pr == nil || !pr.wanted {
		s.mu.Unlock()
		return
	}
	pr.wanted = false
	pid, changed := pr.state.PID, pr.changed
	s.mu.Unlock()
	if pid == 0 {
		return
	}
	syscall.Kill(pid, syscall.SIGTERM)
	select {
	case <-changed:
	case <-time.After(stopGrace):
		syscall.Kill(pid, syscall.SIGKILL)
		<-changed
	}
	s.mu.Lock()
	pr.state.Exit = "stopped"
	s.mu.Unlock()
}

// kill ends a part the hard way; it is started again. It is for tests of faults.
func (s *Supervisor) kill(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	pr := s.parts[name]
	if pr == nil || pr.state.PID == 0 {
		return fmt.Errorf("%s does not run", name)
	}
	return syscall.Kill(pr.state.PID, syscall.SIGKILL)
}

func (s *Supervisor) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /parts", func(w http.ResponseWriter, r *http.Request) {
		var part Part
		if err := json.NewDecoder(r.Body).Decode(&part); err != nil || len(part.Argv) == 0 {
			http.Error(w, "a part needs a name and a command", http.StatusBadRequest)
			return
		}
		s.start(part)
	})
	mux.HandleFunc("DELETE /parts/{name}", func(_ http.ResponseWriter, r *http.Request) { s.stop(r.PathValue("name")) })
	mux.HandleFunc("POST /parts/{name}/start", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		pr := s.parts[r.PathValue("name")]
		s.mu.Unlock()
		if pr == nil {
			http.Error(w, "no such part", http.StatusNotFound)
			return
		}
		s.start(pr.state.Part)
	})
	mux.HandleFunc("POST /parts/{name}/kill", func(w http.ResponseWriter, r *http.Request) {
		if err := s.kill(r.PathValue("name")); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	mux.HandleFunc("GET /parts", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var out []State
		for _, pr := range s.parts {
			out = append(out, pr.state)
		}
		json.NewEncoder(w).Encode(out)
	})
	return mux
}

// Start begins the namespaces and pid 1 in them: exe is this program, which is to call Main when its arguments are args.
// The caller's listener goes along, still bound in the host's network. It returns pid 1's pid on the host.
func Start(p plan.Plan, exe string, args []string, ingress *net.TCPListener) (int, error) {
	log, err := os.OpenFile(p.Log("node"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	f, err := ingress.File()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	cmd := exec.Command(exe, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{f}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start the node's namespaces (root is needed): %w", err)
	}
	pid := cmd.Process.Pid
	go cmd.Wait()
	if err := connect(p, pid); err != nil {
		cmd.Process.Kill()
		return 0, err
	}
	return pid, WritePID(p, pid)
}

// connect joins the host with the namespaces of pid by a veth pair, and routes Pods and Services through it. When the
// namespaces end, pair and routes are gone.
func connect(p plan.Plan, pid int) error {
	for _, args := range [][]string{
		{"link", "add", p.VethHost(), "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(pid)},
		{"addr", "add", p.HostIP() + "/30", "dev", p.VethHost()},
		{"link", "set", p.VethHost(), "up"},
		{"route", "add", p.PodCIDR(), "via", p.NodeIP()},
		{"route", "add", p.ServiceCIDR(), "via", p.NodeIP()},
	} {
		if err := ip(args...); err != nil {
			return err
		}
	}
	return nil
}

// pidFile holds the pid and the start time of pid 1: a pid alone may have been given to another process.
type pidFile struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
}

// WritePID records pid 1.
func WritePID(p plan.Plan, pid int) error {
	b, err := json.Marshal(pidFile{pid, startTime(pid)})
	if err != nil {
		return err
	}
	return os.WriteFile(p.Path("node.pid"), b, 0o644)
}

// PID returns pid 1 of a running cluster, or 0.
func PID(p plan.Plan) int {
	var f pidFile
	b, err := os.ReadFile(p.Path("node.pid"))
	if err != nil || json.Unmarshal(b, &f) != nil || f.Started == "" || startTime(f.PID) != f.Started {
		return 0
	}
	return f.PID
}

// startTime is field 22 of /proc/PID/stat, counted from after the command's name, which may hold blanks.
func startTime(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := []byte{}
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == ')' {
			fields = b[i+1:]
			break
		}
	}
	n := 2
	start := 0
	for i, c := range fields {
		if c == ' ' {
			n++
			if n == 22 {
				start = i + 1
			}
			if n == 23 {
				return string(fields[start:i])
			}
		}
	}
	return ""
}

// Stop ends a running cluster at once: nothing of it is to be kept, and the kernel ends all that pid 1 holds.
func Stop(p plan.Plan) error {
	pid := PID(p)
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("end pid %d: %w", pid, err)
	}
	for began := time.Now(); PID(p) != 0; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			return fmt.Errorf("pid %d was killed and is still there", pid)
		}
	}
	return nil
}

// RemoveCgroups removes what the kubelet left under the cluster's cgroup, and says what could not be removed.
func RemoveCgroups(p plan.Plan) error {
	roots, _ := filepath.Glob("/sys/fs/cgroup/*" + p.Cgroup())
	roots = append(roots, "/sys/fs/cgroup"+p.Cgroup())
	var failed error
	for _, root := range roots {
		if _, err := os.Stat(root); err != nil {
			continue
		}
		var dirs []string
		filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			var err error
			for range 50 { // the kernel lets go of a killed process's cgroup a little later
				if err = os.Remove(dirs[i]); err == nil || errors.Is(err, os.ErrNotExist) {
					err = nil
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// forward carries connections from the host's loopback to an address inside.
func forward(l net.Listener, to string) {
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer from.Close()
			c, err := net.DialTimeout("tcp", to, 5*time.Second)
			if err != nil {
				return
			}
			defer c.Close()
			var both sync.WaitGroup
			both.Go(func() { copyAndClose(c, from) })
			both.Go(func() { copyAndClose(from, c) })
			both.Wait()
		}()
	}
}
