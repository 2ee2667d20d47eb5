package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var update = flag.Bool("update", false, "write the golden files again")

// kf runs the program and returns what it printed, and its exit code.
func kf(t *testing.T, args ...string) (out, err string, code int) {
	t.Helper()
	var stdout, stderr terminal
	code = run(t.Context(), screen{&stdout, &stderr}, args)
	return stdout.String(), stderr.String(), code
}

// command is a command as it is before it has parsed anything.
func command(name string) *cobra.Command {
	for _, c := range newRoot(screen{}).Commands() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

func names() (all []string) {
	for _, c := range newRoot(screen{}).Commands() {
		all = append(all, c.Name())
	}
	return all
}

// TestHelpIsAsItWas holds the help of each command, which is its interface: what disappears from it breaks a script.
func TestHelpIsAsItWas(t *testing.T) {
	for _, name := range append(names(), "kf") {
		args := []string{name, "--help"}
		if name == "kf" {
			args = args[1:]
		}
		got, _, code := kf(t, args...)
		golden := filepath.Join("testdata", "help", name+".txt")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || code != 0 || got != string(want) {
			t.Errorf("kf %s --help (go test ./cmd/kf -update writes it): %d %v\n%s", name, code, err, got)
		}
	}
}

// TestExamplesWork puts each example through the command line of the command that shows it.
func TestExamplesWork(t *testing.T) {
	for _, name := range append(names(), "kf") {
		example := newRoot(screen{}).Example
		if name != "kf" {
			example = command(name).Example
		}
		found := 0
		for line := range strings.Lines(example) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			words, err := shellquote.Split(line)
			if err != nil || words[0] != "kf" {
				t.Errorf("%s: the example %s is no command: %v", name, line, err)
				continue
			}
			c, args, err := newRoot(screen{}).Find(words[1:])
			if err == nil {
				err = c.ParseFlags(args)
			}
			if err == nil {
				err = c.ValidateArgs(c.Flags().Args())
			}
			if err != nil || name != "kf" && c.Name() != name {
				t.Errorf("%s: the example %s does not work: %v", name, line, err)
			}
			found++
		}
		if found == 0 {
			t.Errorf("%s has no example", name)
		}
	}
}

var (
	argument = regexp.MustCompile(`^[A-Z_]+$`)
	optional = regexp.MustCompile(`^\[[A-Z_]+\]$`)
	repeated = regexp.MustCompile(`^\[[A-Z_]+\.\.\.\]$`)
)

// TestUsageNamesTheArguments: each form of a usage line is accepted as it stands, one argument fewer or more than any
// of them is refused, and the refusal shows the usage line and where to find more.
func TestUsageNamesTheArguments(t *testing.T) {
	for _, name := range names() {
		use := command(name).Use
		fewest, most := 100, 0
		for form := range strings.SplitSeq(strings.TrimPrefix(use, name), "|") {
			n, besides, flagged := 0, 0, false
			for _, word := range strings.Fields(form) {
				switch {
				case repeated.MatchString(word):
					most = 100
				case optional.MatchString(word):
					besides++
				case argument.MatchString(word) && !flagged:
					n++
				}
				flagged = strings.HasPrefix(word, "--")
			}
			fewest, most = min(fewest, n), max(most, n+besides)
			if err := command(name).ValidateArgs(slices.Repeat([]string{"x"}, n+besides)); err != nil {
				t.Errorf("kf %s refuses its own usage: %v", use, err)
			}
		}
		for _, n := range []int{fewest - 1, most + 1} {
			if n < 0 || n > 100 {
				continue
			}
			err := command(name).ValidateArgs(slices.Repeat([]string{"x"}, n))
			if err == nil || !strings.Contains(err.Error(), "kf "+use) || !strings.Contains(err.Error(), "`kf "+name+" --help`") {
				t.Errorf("kf %s with %d arguments: %v", name, n, err)
			}
		}
	}
}

// TestTheDocsNameEveryCommand: the table of docs/use.md has each command, and no flag that the command does not have.
func TestTheDocsNameEveryCommand(t *testing.T) {
	page, err := os.ReadFile("../../docs/use.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`(^|[ \[])(--?[a-z][a-z-]*)`)
	named := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| `kf ") {
			continue
		}
		var c *cobra.Command
		cell, _, _ := strings.Cut(line[1:], "|")
		for i, code := range strings.Split(cell, "`") {
			if i%2 == 0 {
				continue
			}
			if words := strings.Fields(code); words[0] == "kf" {
				if c = command(words[1]); c == nil {
					t.Fatalf("docs/use.md has the command %s, which is none", words[1])
				}
				named[c.Name()] = true
			}
			for _, m := range flags.FindAllStringSubmatch(code, -1) {
				long, isLong := strings.CutPrefix(m[2], "--")
				if isLong && c.Flags().Lookup(long) == nil || !isLong && c.Flags().ShorthandLookup(m[2][1:2]) == nil {
					t.Errorf("docs/use.md has kf %s %s, which it does not take", c.Name(), m[2])
				}
			}
		}
	}
	for _, name := range names() {
		if !named[name] {
			t.Errorf("the table of docs/use.md lacks kf %s", name)
		}
	}
}

func TestEveryFlagIsExplained(t *testing.T) {
	for _, name := range names() {
		command(name).Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("kf %s --%s has no explanation", name, f.Name)
			}
		})
	}
}

// TestWhatIsWrongIsSaidBeforeAnythingIsDone: without a cluster, in one row, with what to do.
func TestWhatIsWrongIsSaidBeforeAnythingIsDone(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	for _, c := range []struct{ line, want string }{
		{`jobz`, "Did you mean this? jobs; `kf --help` lists commands"},
		{`--spaec`, "unknown flag: --spaec; `kf --help` lists commands and flags"},
		{`--spaec x jobs`, "unknown flag: --spaec; `kf jobs --help` lists the flags"},
		{`run-task`, "accepts 1 arg(s), received 0: kf run-task APP_NAME"},
		{`run-task shop --comand x`, "unknown flag: --comand; `kf run-task --help` lists the flags"},
		{`run-task shop -c x -m lots`, "--memory-limit lots is not a quantity: write, for example, 512M"},
		{`run-task shop -c x --retries -1`, "--retries and --timeout can't be negative"},
		{`run-task shop -c x --not-before tomorrow`, `--not-before "tomorrow" is neither a time`},
		{`run-task shop -c x --expires 2026-11-01`, `--expires "2026-11-01" is neither a time`},
		{`run-task shop -c x --not-before 2h --expires 1h`, "--not-before must be before --expires"},
		{`run-task shop -c x --expires -1h`, "--expires is over"},
		{`run-task shop -c x --retries 101`, "--retries can be at most 100"},
		{`run-task shop -c x --timeout 87601h`, "--timeout can be at most 87600h0m0s"},
		{`run-task shop -c x --name ` + strings.Repeat("ü", 254), "--name can have at most 253 characters"},
		{`create-job shop nightly x --retries 101`, "--retries can be at most 100"},
		{`create-job shop nightly x --jitter 3601`, "--jitter is from 0 to 3600 seconds"},
		{`completion`, "say which shell"},
		{`completion nosh`, "say which shell"},
		{`run-task shop -c x --timeout 5`, "invalid argument"},
		{`run-task shop -c x`, "no cluster: set KUBECONFIG to your kubeconfig, or say --kubeconfig"},
		{`run-job nightly -k lots`, "--disk-quota lots is not a quantity"},
		{`push shop`, "say --task"},
		{`push shop --task -e NAME`, "--env NAME: write NAME=VALUE"},
		{`push shop --task -e =x`, "write NAME=VALUE"},
		{`push --task`, "name the App: kf push APP_NAME --task"},
		{`push Shop --task`, "is no name of an App"},
		{`push shop --task --docker-image i -p .`, "leave out one of them"},
		{`push shop --task --builder "a b"`, "--builder a b is no name of an image"},
		{`push shop --task --build-env x`, "--build-env x: write NAME=VALUE"},
		{`push shop --task --var a=b`, "--var and --vars-file are for a manifest"},
		{`push shop --task -f none.yml`, "none.yml"},
		{`create-job shop nightly x -c Sometimes`, `--concurrency-policy is Always, Forbid or Replace, not "Sometimes"`},
		{`create-job shop nightly x --jitter -1`, "--jitter is from 0 to"},
		{`create-job shop nightly x --starting-deadline -1s`, "--starting-deadline is from 0s"},
		{`create-job shop nightly x -s "0 0 31 2 *"`, "never"},
		{`create-job shop nightly x -s "30 2 * * *" --time-zone Mars/Olympus`, "Mars/Olympus"},
		{`import`, "requires at least 1 arg(s)"},
		{`import none.json`, "none.json: no such file"},
		{`import x --from cron`, `--from "cron": it can be cf-manifest`},
		{`import x --force`, "--force is for --apply"},
		{`import x --apply --diff`, "say one of them"},
		{`import x --var 1`, "--var"},
		{`import testdata/help`, "there is no file *.yml"},
		{`logs shop -n -1`, "--number can't be negative"},
		{`prune shop`, "--dry-run shows which"},
	} {
		words, err := shellquote.Split(c.line)
		if err != nil {
			t.Fatal(err)
		}
		out, msg, code := kf(t, words...)
		wantCode := exitUsage
		if strings.HasPrefix(c.want, "no cluster") {
			wantCode = exitUnreachable
		}
		if code != wantCode || out != "" || !strings.HasPrefix(msg, "Error: ") || !strings.Contains(msg, c.want) || strings.Count(msg, "\n") != 1 {
			t.Errorf("kf %s: exit code %d, %q %q, want %q", c.line, code, out, msg, c.want)
		}
	}
}

// TestWhatSaysNothingIsRefused: a variable of a script that was never set is not taken for "left out".
func TestWhatSaysNothingIsRefused(t *testing.T) {
	for line, want := range map[string]string{
		`schedule-job j ""`:                             "argument 2 is empty",
		`schedule-job j "0 3 * * *" ""`:                 "argument 3 is empty",
		`schedule-job j " "`:                            "argument 2 is empty",
		`schedule-job "" "0 3 * * *"`:                   "argument 1 is empty",
		`schedule-job j "0 0 30 2 *"`:                   "never fires",
		`schedule-job j "0 0  30 2 *"`:                  "never fires",
		`schedule-job j "0 3 * * *" "0 0 30 2 *"`:       "never fires",
		`schedule-job j "99999999999999999999 * * * *"`: "minute",
		`schedule-job j "60 * * * *"`:                   "`kf delete-job-schedule j` stops it",
		`create-job a j true -s ""`:                     "--schedule is empty",
		`create-job a j true -s "0 3 * * *" -s ""`:      "--schedule is empty",
		`create-job a j true -s "0 0 30 2 *"`:           "never fires",
		`create-job a j ""`:                             "argument 3 is empty",
		`create-job a j true -c ""`:                     "--concurrency-policy is empty",
		`run-task a -c ""`:                              "--command is empty",
		`run-task a --name ""`:                          "--name is empty",
		`run-task a -m ""`:                              "--memory-limit is empty",
		`run-job j --command " "`:                       "--command is empty",
		`push a --task --docker-image ""`:               "--docker-image is empty",
		`apps --space ""`:                               "--space is empty",
		`delete-job ""`:                                 "argument 1 is empty",
	} {
		args, err := shellquote.Split(line)
		if err != nil {
			t.Fatal(err)
		}
		if _, said, code := kf(t, args...); code != exitUsage || !strings.Contains(said, want) {
			t.Errorf("kf %s: exit code %d, %q; want %q in it", line, code, said, want)
		}
	}
}

// TestExitCodesAreDocumented, each, and no other.
func TestExitCodesAreDocumented(t *testing.T) {
	docs, err := os.ReadFile("../../docs/kf.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([0-9]+) \|`).FindAllStringSubmatch(string(docs), -1) {
		got = append(got, m[1])
	}
	want := []int{0, exitFailed, exitUsage, exitNotFound, exitForbidden, exitUnreachable, exitNotWaited}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("docs/kf.md has %v, the program %v", got, want)
	}
}

// TestExitCodes: what scripts tell apart, from what the API server says.
func TestExitCodes(t *testing.T) {
	object := schema.GroupResource{Group: "kf.dev", Resource: "apps"}
	for name, c := range map[string]struct {
		err   error
		asked bool
		want  int
		help  string
	}{
		"its own words, before a cluster": {errors.New("x"), false, exitUsage, ""},
		"its own words":                   {errors.New("x"), true, exitFailed, ""},
		"no such object":                  {fmt.Errorf("get: %w", apierrors.NewNotFound(object, "shop")), true, exitNotFound, ""},
		"no such kind":                    {apierrors.NewNotFound(object, ""), true, exitNotFound, "kf doctor"},
		"no right":                        {fmt.Errorf("list: %w", apierrors.NewForbidden(object, "", nil)), true, exitForbidden, "kubectl -n demo create rolebinding"},
		"no login":                        {apierrors.NewUnauthorized("x"), true, exitForbidden, "log in again"},
		"no answer":                       {&url.Error{Op: "Get", URL: "u", Err: io.EOF}, true, exitUnreachable, "is the cluster up"},
		"refused":                         {apierrors.NewBadRequest("x"), true, exitFailed, ""},
		"conflict":                        {apierrors.NewConflict(object, "shop", errors.New("x")), true, exitFailed, "say it again"},
	} {
		help := advice(c.err, "demo")
		if got := codeOf(c.err, c.asked); got != c.want || !strings.Contains(help, c.help) || (c.help == "") != (help == "") {
			t.Errorf("%s: exit code %d, %q; want %d, %q", name, got, help, c.want, c.help)
		}
	}
}
