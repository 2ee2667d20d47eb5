package usage

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReport: each shell reads either cgroup, and what is not there it leaves out.
func TestReport(t *testing.T) {
	tried := 0
	for _, shell := range [][]string{{"dash"}, {"bash"}, {"bash", "--posix"}, {"busybox", "sh"}} {
		program, err := exec.LookPath(shell[0])
		if err != nil {
			continue
		}
		tried++
		for name, test := range map[string]struct {
			files map[string]string
			want  string
		}{
			"v2":              {map[string]string{"cpu.stat": "usage_usec 1234567\nuser_usec 7\nnr_periods 0\n", "memory.peak": "50335744\n"}, "1234567us 50335744\n"},
			"v2, before 5.19": {map[string]string{"cpu.stat": "usage_usec 1234567\nuser_usec 7\n"}, "1234567us \n"},
			"v1":              {map[string]string{"cpuacct/cpuacct.usage": "1234567000\n", "memory/memory.max_usage_in_bytes": "4096\n"}, "1234567000ns 4096\n"},
			"none":            {nil, " \n"},
		} {
			dir := t.TempDir()
			for file, text := range test.files {
				path := filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			script := strings.NewReplacer("/sys/fs/cgroup", dir, "/tekton/results", dir).Replace(Report)
			c := exec.Command(program, append(shell[1:], "-c", script)...)
			c.Env = []string{"c=x", "m=y", "k=z", "PATH="} // no program of the image's
			if out, err := c.CombinedOutput(); len(out) > 0 {
				t.Errorf("%v, %s: %s %v", shell, name, out, err)
			}
			if got, err := os.ReadFile(filepath.Join(dir, Result)); string(got) != test.want {
				t.Errorf("%v, %s: %q %v, want %q", shell, name, got, err, test.want)
			}
		}
	}
	if tried == 0 {
		t.Fatal("no shell was found: dash, bash or busybox")
	}
}

func TestParse(t *testing.T) {
	for report, want := range map[string]string{
		"1234567us 50335744\n":             "1.235s 49156Ki",
		"1234567000ns 50331648\n":          "1.235s 48Mi",
		"1234567us \n":                     "1.235s <nil>", // a kernel before 5.19 has no memory.peak
		" 4096\n":                          "<nil> 4Ki",
		" \n":                              "nothing",
		"":                                 "nothing",
		"us ":                              "nothing",
		"-5us -7\n":                        "nothing",
		"1h 12Mi\n":                        "nothing", // not in the units of a report
		"99999999999999999999us 1e9\n":     "nothing",
		"x\x1b[2J y z\n":                   "nothing",
		"1us 9223372036854775807\n":        "0s 9223372036854775807",
		"1000us 9223372036854775808\n":     "1ms <nil>",
		"1000us 4096 and something else\n": "1ms <nil>",
	} {
		got := "nothing"
		if u := Parse(report); u != nil {
			cpu, memory := "<nil>", "<nil>"
			if u.CPUTime != nil {
				cpu = u.CPUTime.Duration.String()
			}
			if u.PeakMemory != nil {
				memory = u.PeakMemory.String()
			}
			got = fmt.Sprint(cpu, " ", memory)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", report, got, want)
		}
	}
}
