// Package usage is what a Task's processes took of its node: the kernel counts it for each container, and the shell that waits for a
// Task's command reads it when that has ended, and hands it on as a result of Tekton's. So it costs no process, no request and no
// write more. In an image without a shell nobody is there to read it.
package usage

import (
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Result is the name of Tekton's result, and of the file that it is written to.
const Result = "kf-usage"

// Report is what a POSIX shell does to hand it on, by itself, without a program of the image. It reads the files of cgroup v2
// (Documentation/admin-guide/cgroup-v2.rst of Linux), or v1: CPU time in "us" or "ns", then bytes. What is not there it leaves out.
const Report = `c= m=; if cd /sys/fs/cgroup; then ` +
	`[ -r cpu.stat ] && while read -r k v; do [ $k = usage_usec ] && c=${v}us; done <cpu.stat; ` +
	`f=cpuacct/cpuacct.usage; [ -r $f ] && read -r c <$f && c=${c}ns; ` +
	`for f in memory.peak memory/memory.max_usage_in_bytes; do [ -r $f ] && read -r m <$f; done; ` +
	`echo "$c $m" >/tekton/results/` + Result + `; fi`

// Parse reads a report. It may be of anybody: whoever runs in the container can write it. It is nil where it says nothing.
func Parse(report string) *v1alpha1.Usage {
	var u v1alpha1.Usage
	cpu, memory, _ := strings.Cut(strings.TrimSuffix(report, "\n"), " ")
	if unit := len(cpu) - 2; unit > 0 && (cpu[unit:] == "us" || cpu[unit:] == "ns") {
		if d, err := time.ParseDuration(cpu); err == nil && d > 0 {
			u.CPUTime = &metav1.Duration{Duration: d.Round(time.Millisecond)}
		}
	}
	if n, err := strconv.ParseInt(memory, 10, 64); err == nil && n > 0 {
		u.PeakMemory = resource.NewQuantity(n, resource.BinarySI)
	}
	if u == (v1alpha1.Usage{}) {
		return nil
	}
	return &u
}
