package status

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory sums the proportional set size, in bytes, of a process and all below it: shared pages are counted once. A
// process that ends meanwhile counts nothing.
func Memory(root int) (bytes int64, processes int) {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		_, rest, _ := strings.Cut(string(b[strings.LastIndexByte(string(b), ')')+1:]), " ") // after the name, which may hold blanks
		var state string
		var parent int
		fmt.Sscan(rest, &state, &parent)
		children[parent] = append(children[parent], pid)
	}
	todo := []int{root}
	for len(todo) > 0 {
		pid := todo[0]
		todo = append(todo[1:], children[pid]...)
		if pss, ok := pss(pid); ok {
			bytes += pss
			processes++
		}
	}
	return bytes, processes
}

func pss(pid int) (int64, bool) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var kb int64
		if n, _ := fmt.Sscanf(s.Text(), "Pss: %d kB", &kb); n == 1 {
			return kb << 10, true
		}
	}
	return 0, false
}
