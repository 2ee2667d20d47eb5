// Package source measures what a push of a folder costs on the machine that pushes.
package source

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/kf-tasks/kf-tasks/shared/source"
)

// These run without a cluster; the registry is a process beside the one that is measured, with its blobs on disk:
//
//	go test -bench=. -benchtime=1x -v ./test/bench/source

// pushes is the folder that this program, started again, is to push: as a process of its own, so that its memory is its own.
const pushes, toRegistry = "KF_BENCH_PUSH", "KF_BENCH_REGISTRY"

func TestMain(m *testing.M) {
	if dir := os.Getenv(pushes); dir != "" {
		if err := push(dir, os.Getenv(toRegistry)); err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(m.Run())
}

// push is what kf does with a folder, and says how long its parts took.
func push(dir, registry string) error {
	repo, err := source.Repository(registry, "demo", filepath.Base(dir), nil)
	if err != nil {
		return err
	}
	began := time.Now()
	packed, err := source.Pack(context.Background(), dir)
	if err != nil {
		return err
	}
	defer packed.Close()
	fmt.Printf("%d files, %.1f MB, compressed %.1f MB in %.1f s", packed.Files, mb(packed.Bytes), mb(packed.Size), time.Since(began).Seconds())
	began = time.Now()
	if _, err := packed.Upload(context.Background(), repo, nil); err != nil {
		return err
	}
	took := time.Since(began)
	// What getrusage says of a child begins with what its parent held.
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	peak, _, _ = strings.Cut(strings.TrimSpace(peak), "\n")
	fmt.Printf(", uploaded in %.1f s, at most %s of memory", took.Seconds(), peak)
	return nil
}

func mb(n int64) float64 { return float64(n) / 1e6 }

// cost is what a command took: on a clock, and of processors, which says more where the machine does other things too.
type cost struct {
	clock, processor time.Duration
	memory           float64 // in MB; 0 where nobody looked
}

func (c cost) String() string {
	return fmt.Sprintf("%.1f s, of processors %.1f s", c.clock.Seconds(), c.processor.Seconds())
}

// measured runs push in a process of its own.
func measured(b *testing.B, what, dir, registry string) cost {
	b.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), pushes+"="+dir, toRegistry+"="+registry)
	c.Stderr = os.Stderr
	began := time.Now()
	out, err := c.Output()
	if err != nil {
		b.Fatal(err)
	}
	took := cost{clock: time.Since(began), processor: c.ProcessState.UserTime() + c.ProcessState.SystemTime()}
	_, peak, _ := strings.Cut(string(out), "at most ")
	if _, err := fmt.Sscan(peak, &took.memory); err != nil {
		b.Fatalf("no memory in %q: %v", out, err)
	}
	took.memory /= 1000 // from kB
	b.Logf("%s: %s; in all %s", what, out, took)
	return took
}

func newRegistry(b *testing.B) string {
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(registry.NewDiskBlobHandler(b.TempDir())))
	server := httptest.NewServer(images)
	b.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// folder is a source of so many files of about so many bytes, of words, which compress about as code does.
func folder(b *testing.B, files, bytes int) string {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "app")
	r := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 5000)
	for i := range words {
		for range 3 + r.IntN(8) {
			words[i] += string(rune('a' + r.IntN(26)))
		}
	}
	for i := range files {
		var text strings.Builder
		for text.Len() < bytes {
			text.WriteString(words[min(r.IntN(len(words)), r.IntN(len(words)))] + " ")
		}
		at := filepath.Join(dir, fmt.Sprintf("d%03d", i%500), fmt.Sprintf("f%d", i))
		err := os.MkdirAll(filepath.Dir(at), 0o700)
		if err == nil {
			err = os.WriteFile(at, []byte(text.String()), 0o600)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// BenchmarkPush: 100 MB of source, beside what the shell needs for it, by turns, each into an empty registry: the machine may do other things too.
func BenchmarkPush(b *testing.B) {
	dir := folder(b, 2000, 50_000)
	var ours, again, shells []cost
	for range 5 {
		to := newRegistry(b)
		ours = append(ours, measured(b, "100 MB", dir, to))
		again = append(again, measured(b, "the same again", dir, to))
		shells = append(shells, shell(b, dir, newRegistry(b)))
	}
	of := median(shells, processor)
	report(b, "tar, gzip and curl of 100 MB in 2,000 files", shells, of)
	report(b, "push of it", ours, of)
	report(b, "push of the same again", again, of)
}

func clock(c cost) float64     { return c.clock.Seconds() }
func processor(c cost) float64 { return c.processor.Seconds() }
func memory(c cost) float64    { return c.memory }

func median(costs []cost, of func(cost) float64) float64 {
	slices.SortFunc(costs, func(a, b cost) int { return cmp.Compare(of(a), of(b)) })
	return of(costs[len(costs)/2])
}

// report says the medians of what was measured by turns; shell, if it is known, is the processor time of the shell's way.
func report(b *testing.B, name string, costs []cost, shell float64) {
	b.Run(name, func(b *testing.B) {
		b.ReportMetric(median(costs, processor), "cpu-s")
		b.ReportMetric(median(costs, clock), "clock-s")
		if most := median(costs, memory); most > 0 {
			b.ReportMetric(most, "MB-of-memory")
		}
		if shell > 0 {
			b.ReportMetric(median(costs, processor)/shell, "of-shell")
		}
	})
}

// shell uploads a folder as a layer without a program of ours; it does not learn the digest.
func shell(b *testing.B, dir, to string) cost {
	b.Helper()
	began := time.Now()
	answer, err := http.Post("http://"+to+"/v2/shell/blobs/uploads/", "", nil)
	if err != nil {
		b.Fatal(err)
	}
	answer.Body.Close()
	c := exec.Command("sh", "-ec", `tar -cf - -C "$1" . | gzip | curl -sSf -o /dev/null -X PATCH -T - "$2"`, "sh", dir, "http://"+to+answer.Header.Get("Location"))
	if out, err := c.CombinedOutput(); err != nil {
		b.Fatalf("tar | gzip | curl: %v %s", err, out)
	}
	return cost{clock: time.Since(began), processor: c.ProcessState.UserTime() + c.ProcessState.SystemTime()}
}

// BenchmarkManyFiles: a hundred thousand.
func BenchmarkManyFiles(b *testing.B) {
	report(b, "push of 100,000 files of 500 bytes", []cost{measured(b, "100,000 files", folder(b, 100_000, 500), newRegistry(b))}, 0)
}

// BenchmarkLargeFile: one of 2 GiB, of zeros that have no place on disk.
func BenchmarkLargeFile(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "app")
	if err := os.Mkdir(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "large"), nil, 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "large"), 2<<30); err != nil {
		b.Fatal(err)
	}
	report(b, "push of one file of 2 GiB, of zeros", []cost{measured(b, "one file of 2 GiB", dir, newRegistry(b))}, 0)
}
