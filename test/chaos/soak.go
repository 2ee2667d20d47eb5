package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// between is how often samples are taken.
const between = 15 * time.Second

// soakRetain is how many Tasks of an App a soak keeps: as many are there after a few minutes, and from then on etcd should be flat.
const soakRetain = "20"

// metricsPort is where a function serves its metrics (docs/operate.md), while it is watched.
const metricsPort = "9464"

// Series are the values of each quantity, and when each was taken, in hours from the beginning.
type Series struct{ At, Value []float64 }

// soak runs the load for the whole time, breaks nothing, and looks for what grows.
func soak(ctx context.Context, r *record) error {
	functions, err := r.standing(ctx)
	if err != nil {
		return err
	}
	if err := r.set(ctx, map[string]string{"METRICS_PROTOCOL": "prometheus", "METRICS_ENDPOINT": ":" + metricsPort}, functions...); err != nil {
		return err
	}
	r.say("watching %s", strings.Join(functions, ", "))
	loading, stop := context.WithTimeout(ctx, r.length)
	defer stop()
	var loaded sync.WaitGroup
	loaded.Go(func() { r.load.run(loading, r.every) })
	series, began := map[string]*Series{}, time.Now()
	for loading.Err() == nil {
		// Kubernetes keeps its own Events for an hour, so that an hour's soak would see nothing but these grow.
		if err := r.Kube.CoreV1().Events(r.space).DeleteCollection(loading, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
			r.say("delete Events: %v", err)
		}
		for name, value := range r.sample(ctx, functions) {
			if series[name] == nil {
				series[name] = &Series{}
			}
			series[name].At = append(series[name].At, time.Since(began).Hours())
			series[name].Value = append(series[name].Value, value)
		}
		select {
		case <-time.After(between):
		case <-loading.Done():
		}
	}
	loaded.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("cut off after %s, which says nothing: %w", time.Since(began).Round(time.Second), context.Cause(ctx))
	}
	tasks, _ := r.seen.all(time.Now())
	page, flat := Soaked(series, r.length)
	page = fmt.Sprintf("`make soak MINUTES=%g EVERY=%s`: %s, commit %s, Broker %s, %d Tasks, %s, its load average %s before, %s after.\n\n",
		r.length.Minutes(), r.every, r.began.UTC().Format("2006-01-02 15:04 UTC"), r.commit, r.broker, len(tasks), machine(), r.average, average()) + page
	fmt.Println(page)
	if err := os.MkdirAll(filepath.Dir(r.report), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(r.report, []byte("# Soak\n\n"+page), 0o644); err != nil {
		return err
	}
	if err := fill(r.proof, "soak", page); err != nil {
		return err
	}
	if !flat {
		return errors.New("something grows: see the report")
	}
	return nil
}

// Soaked is a table of what was sampled, and says whether all of it is flat. The first sixth is not looked at: until then things come up.
func Soaked(series map[string]*Series, length time.Duration) (page string, flat bool) {
	var b strings.Builder
	fmt.Fprintf(&b, "| what | samples | mean | each hour | error of that | |\n| --- | --- | --- | --- | --- | --- |\n")
	flat = true
	for _, name := range slices.Sorted(maps.Keys(series)) {
		s := series[name]
		from := 0
		for from < len(s.At) && s.At[from] < length.Hours()/6 {
			from++
		}
		if len(s.At)-from < 3 {
			fmt.Fprintf(&b, "| %s | %d | | | | too few |\n", name, len(s.At)-from)
			flat = false
			continue
		}
		l := Fit(s.At[from:], s.Value[from:])
		says := "flat"
		if !l.Flat(s.At[len(s.At)-1] - s.At[from]) {
			says, flat = "**grows**", false
		}
		fmt.Fprintf(&b, "| %s | %d | %.2f | %+.2f | %.2f | %s |\n", name, len(s.At)-from, l.Mean, l.Slope, l.Error, says)
	}
	return b.String(), flat
}

// standing are the functions of which one stays, whatever there is to do: others come and go.
func (r *record) standing(ctx context.Context) (names []string, err error) {
	list, err := r.services().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, s := range list.Items {
		if b, err := s.MarshalJSON(); err == nil && strings.Contains(string(b), `"autoscaling.knative.dev/min-scale":"1"`) {
			names = append(names, s.GetName())
		}
	}
	return names, nil
}

// sample takes one value of each quantity: of a function the sum over its Pods.
func (r *record) sample(ctx context.Context, functions []string) map[string]float64 {
	values := map[string]float64{}
	for _, p := range r.running(ctx, func(p *corev1.Pod) bool {
		return p.DeletionTimestamp == nil && slices.Contains(functions, p.Labels["serving.knative.dev/service"])
	}) {
		s := mainOf(&p)
		if s == nil {
			continue
		}
		for _, pid := range r.inContainer(s.ContainerID) {
			f := p.Labels["serving.knative.dev/service"]
			values[f+": Pods"]++
			values[f+": memory, MiB"] += memoryOf(pid)
			files, connections := open(pid)
			values[f+": open files"] += files
			values[f+": open connections"] += connections
			if n, is := scraped(pid, metricsPort)["go_goroutines"]; is {
				values[f+": goroutines"] += n
			}
		}
	}
	if pid, err := r.part("etcd"); err == nil {
		metrics := scraped(pid, "2379")
		values["etcd: data, MiB"] = metrics["etcd_mvcc_db_total_size_in_use_in_bytes"] / (1 << 20)
		values["etcd: file, MiB"] = metrics["etcd_mvcc_db_total_size_in_bytes"] / (1 << 20)
	}
	return values
}

// memoryOf is what a process has in memory, in MiB.
func memoryOf(pid int) (mib float64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kib); err == nil {
			return kib / 1024
		}
	}
	return 0
}

// open counts a process's open files, and those of them that are sockets.
func open(pid int) (files, sockets float64) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, 0
	}
	for _, e := range entries {
		files++
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			sockets++
		}
	}
	return files, sockets
}

// scraped are the plain metrics that a process serves on a port of its own network, which no policy lets anyone else reach.
func scraped(pid int, port string) map[string]float64 {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) { return dialIn(ctx, pid, address) }}}
	answer, err := client.Get("http://127.0.0.1:" + port + "/metrics")
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	return metricsIn(answer.Body)
}

// metricsIn reads those without labels, in Prometheus's text format.
func metricsIn(text io.Reader) map[string]float64 {
	values := map[string]float64{}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var name string
		var value float64
		if _, err := fmt.Sscanf(lines.Text(), "%s %g", &name, &value); err == nil && !strings.HasPrefix(name, "#") {
			values[name] = value
		}
	}
	return values
}

// dialIn connects in the network namespace of a process. The thread that entered it is not used again: it ends with its goroutine.
func dialIn(ctx context.Context, pid int, address string) (net.Conn, error) {
	type dialled struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialled, 1)
	go func() {
		runtime.LockOSThread()
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err != nil {
			done <- dialled{nil, err}
			return
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- dialled{nil, err}
			return
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		done <- dialled{conn, err}
	}()
	d := <-done
	return d.conn, d.err
}
