package pipelinerun

import (
	"errors"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// known is an App whose image was looked into.
func known(shell v1alpha1.Shell, path string, entrypoint, cmd []string) func(*v1alpha1.App) {
	return func(a *v1alpha1.App) {
		a.Status.StartCommands = v1alpha1.StartCommandStatus{
			Image: a.Status.Image, Digest: "sha256:2", Shell: shell, ShellPath: path, Container: entrypoint, Args: cmd,
		}
	}
}

// with is an App whose image is known, and whose container is as given.
func with(known func(*v1alpha1.App), c corev1.Container) func(*v1alpha1.App) {
	return func(a *v1alpha1.App) {
		known(a)
		c.Name = v1alpha1.UserContainer
		a.Spec.Template.Spec.Containers[0] = c
	}
}

func started(line string) func(*v1alpha1.App) {
	return func(a *v1alpha1.App) {
		a.Spec.Template.StartCommand = line
		a.Spec.Template.Spec.Containers[0].Args = []string{line}
	}
}

func both(changes ...func(*v1alpha1.App)) func(*v1alpha1.App) {
	return func(a *v1alpha1.App) {
		for _, c := range changes {
			c(a)
		}
	}
}

func TestStartCommand(t *testing.T) {
	const cnb, sh, bash, none = v1alpha1.ShellLauncher, v1alpha1.ShellPOSIX, "/bin/bash", v1alpha1.ShellNone
	words := func(s ...string) []string { return s }
	relayed := func(shell string, s ...string) []string {
		return append([]string{shell, "-c", relay, shell[strings.LastIndex(shell, "/")+1:]}, s...)
	}
	bb := known(sh, "/bin/sh", nil, nil)
	odd := []corev1.EnvVar{{Name: "app.mode", Value: "blue"}}
	for name, test := range map[string]struct {
		app     func(*v1alpha1.App)
		command string
		want    []string // nothing: Tekton looks
		err     error
	}{
		// a Task's command
		"shell":           {bb, "a | b", relayed("/bin/sh", "/bin/sh", "-c", "a | b"), nil},
		"bash":            {known(sh, bash, words("/entry"), nil), "a | b", relayed(bash, bash, "-c", "a | b"), nil},
		"merged /usr":     {known(sh, "/usr/bin/bash", nil, nil), "a", relayed("/usr/bin/bash", "/usr/bin/bash", "-c", "a"), nil},
		"not looked into": {nil, "a | b", relayed("/bin/sh", "/bin/sh", "-c", "a | b"), nil},
		"noted before paths were": {func(a *v1alpha1.App) {
			a.Status.StartCommands = v1alpha1.StartCommandStatus{Image: a.Status.Image, Shell: sh}
		}, "a", relayed("/bin/sh", "/bin/sh", "-c", "a"), nil},
		"read from another image": {both(known(none, "", words("/old"), nil), func(a *v1alpha1.App) { a.Status.StartCommands.Image = "older" }),
			"x", relayed("/bin/sh", "/bin/sh", "-c", "x"), nil},
		"buildpacks":                    {known(cnb, bash, words("/cnb/process/web"), nil), "a | b", relayed(bash, cnbLauncher, "a | b"), nil},
		"buildpacks without bash":       {known(cnb, "/bin/sh", words("/cnb/process/web"), nil), "a 'b c'", relayed("/bin/sh", cnbLauncher, "--", "a", "b c"), nil},
		"buildpacks on no shell":        {known(cnb, "", words("/cnb/process/web"), nil), "a 'b c'", words(cnbLauncher, "--", "a", "b c"), nil},
		"Kf's v2 buildpacks":            {known(cnb, bash, words("/lifecycle/entrypoint.bash"), nil), "a", relayed(bash, "/lifecycle/entrypoint.bash", "a"), nil},
		"no shell":                      {known(none, "", words("/app"), words("serve")), `migrate --to "last one"`, words("/app", "migrate", "--to", "last one"), nil},
		"no shell, no entrypoint":       {known(none, "", nil, words("/app")), `/other "x y"`, words("/other", "x y"), nil},
		"no shell, bad quote":           {known(none, "", words("/app"), nil), `migrate "`, nil, errNoShell},
		"no shell, no word":             {known(none, "", words("/app"), nil), `''`, words("/app", ""), nil},
		"blank":                         {bb, " \n", nil, errBlank},
		"the App's entrypoint":          {with(bb, corev1.Container{Command: words("/run", "$(A)")}), "a | b", relayed("/bin/sh", "/run", "$(A)", "a | b"), nil},
		"dollars are the shell's":       {bb, "echo $$ $(date) ${A}", relayed("/bin/sh", "/bin/sh", "-c", "echo $$$ $$(date) ${A}"), nil},
		"variables that sh loses":       {with(bb, corev1.Container{Env: odd}), "a", relayed("/bin/sh", "/bin/sh", "-c", "a"), nil},
		"a program keeps them":          {with(bb, corev1.Container{Env: odd, Command: words("/run")}), "", words("/run"), nil},
		"a program keeps a ConfigMap's": {with(bb, corev1.Container{EnvFrom: []corev1.EnvFromSource{{}}, Command: words("/run")}), "", words("/run"), nil},

		// the App's, as `kf push --command` gave it
		"the App's line":                   {both(bb, started("a | b")), "", relayed("/bin/sh", "/bin/sh", "-c", "a | b"), nil},
		"the App's line and an ENTRYPOINT": {both(known(sh, "/bin/sh", words("/entry"), words("/bin/sh")), started("a | b")), "", relayed("/bin/sh", "/bin/sh", "-c", "a | b"), nil},
		"the App's line, not looked into":  {started("a | b"), "", relayed("/bin/sh", "/bin/sh", "-c", "a | b"), nil},
		"the App's line and buildpacks":    {both(known(cnb, bash, words("/cnb/process/web"), nil), started("a | b")), "", relayed(bash, cnbLauncher, "a | b"), nil},
		"the Task's before the App's":      {both(bb, started("a | b")), "c", relayed("/bin/sh", "/bin/sh", "-c", "c"), nil},
		"args that were changed since": {both(known(sh, "/bin/sh", words("/entry"), nil), started("a"), func(a *v1alpha1.App) { a.Spec.Template.Spec.Containers[0].Args = words("b") }),
			"", relayed("/bin/sh", "/entry", "b"), nil},

		// as in Kubernetes and Docker
		"command and args":      {with(known(sh, "/bin/sh", words("/entry"), words("cmd")), corev1.Container{Command: words("/run"), Args: words("$(A)")}), "", relayed("/bin/sh", "/run", "$(A)"), nil},
		"command alone":         {with(known(none, "", words("/entry"), words("cmd")), corev1.Container{Command: words("/run")}), "", words("/run"), nil},
		"args and ENTRYPOINT":   {with(known(none, "", words("/entry", "$(A)"), words("cmd")), corev1.Container{Args: words("serve", "$(A)")}), "", words("/entry", "$$(A)", "serve", "$(A)"), nil},
		"args in place of CMD":  {with(known(none, "", nil, words("/cmd", "x")), corev1.Container{Args: words("/run", "y")}), "", words("/run", "y"), nil},
		"one line in its place": {with(known(sh, "/bin/sh", nil, words("/bin/sh")), corev1.Container{Args: words("a | b")}), "", relayed("/bin/sh", "/bin/sh", "-c", "a | b"), nil},
		"one word in its place": {with(known(sh, "/bin/sh", nil, words("/bin/sh")), corev1.Container{Args: words("/run")}), "", relayed("/bin/sh", "/run"), nil},
		"ENTRYPOINT and CMD":    {known(none, "", words("/entry"), words("cmd", "$$")), "", words("/entry", "cmd", "$$$"), nil},
		"CMD alone":             {known(none, "", nil, words("/cmd", "x")), "", words("/cmd", "x"), nil},
		"neither":               {bb, "", nil, errNoCommand},
		"args, not looked into": {with(func(*v1alpha1.App) {}, corev1.Container{Args: words("serve")}), "", nil, nil},
		"nothing is known":      {nil, "", nil, nil},
		"noted before CMD was":  {both(bb, func(a *v1alpha1.App) { a.Status.StartCommands.Digest = "" }), "", nil, nil},
	} {
		a := app(test.app)
		c := a.Spec.Template.Spec.Containers[0]
		command, args, err := startCommand(a, c, v1alpha1.TaskSpec{Command: test.command})
		got := append(command, args...)
		if len(test.want) == 0 {
			got = command
		}
		if !errors.Is(err, test.err) || len(got)+len(test.want) > 0 && !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %q %v, want %q %v", name, got, err, test.want, test.err)
		}
	}
}

// TestWordsAreRunWithoutAShell: as `docker run IMAGE WORDS` would; what reads one string gets it quoted.
func TestWordsAreRunWithoutAShell(t *testing.T) {
	const cnb, sh, bash, none = v1alpha1.ShellLauncher, v1alpha1.ShellPOSIX, "/bin/bash", v1alpha1.ShellNone
	words := []string{"a b", "$(date); $HOME", "|"}
	literal := []string{"a b", "$$(date); $HOME", "|"}
	for name, test := range map[string]struct {
		app  func(*v1alpha1.App)
		want []string // before the words
	}{
		"the App's entrypoint":   {with(known(sh, bash, []string{"/entry"}, nil), corev1.Container{Command: []string{"/run", "-x"}}), []string{"/run", "-x"}},
		"the image's":            {known(none, "", []string{"/entry"}, []string{"cmd"}), []string{"/entry"}},
		"none: it is a program":  {known(none, "", nil, []string{"cmd"}), nil},
		"the App's line is left": {both(known(none, "", []string{"/entry"}, nil), started("serve")), []string{"/entry"}},
		"buildpacks":             {known(cnb, "", []string{"/cnb/process/web"}, nil), []string{cnbLauncher, "--"}},
		"not looked into":        {nil, nil},
	} {
		a := app(test.app)
		command, args, err := startCommand(a, a.Spec.Template.Spec.Containers[0], v1alpha1.TaskSpec{Args: words})
		got := slices.Concat(command, args)
		if len(got) > 4 && got[2] == relay {
			got = got[4:]
		}
		if want := slices.Concat(test.want, literal); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q %v, want %q", name, got, err, want)
		}
	}
	a := app(known(cnb, bash, []string{"/lifecycle/entrypoint.bash"}, nil))
	_, args, err := startCommand(a, a.Spec.Template.Spec.Containers[0], v1alpha1.TaskSpec{Args: words})
	if line := args[len(args)-1]; err != nil || line != `'a b' '$$(date); $HOME' \|` {
		t.Errorf("Kf's v2 buildpacks: %q %v", line, err)
	}
}

// TestTheRelayTellsHowItsProgramEnded, by each shell of this machine: its exit code, and 128+n of a signal. What it runs is the
// image's program and not the shell's own, has the dollars for its process id, and is there to get signals sent to the group.
func TestTheRelayTellsHowItsProgramEnded(t *testing.T) {
	for _, shell := range []string{"dash", "bash", "busybox"} {
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("%s is not on this machine", shell)
			continue
		}
		sh := []string{path}
		if shell == "busybox" {
			sh = []string{path, "sh"}
		}
		run := func(line string, term bool) (string, int) {
			words := append(append([]string{}, sh...), "-c", relay, shell)
			words = append(append(words, sh...), "-c", line)
			cmd := exec.Command(words[0], words[1:]...)
			var out strings.Builder
			cmd.Stdout = &out
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			ready, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if term {
				if _, err := ready.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
				if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait()
			return out.String(), cmd.ProcessState.ExitCode()
		}
		for line, want := range map[string]int{
			"exit 0": 0, "exit 3": 3, "exit 255": 255, "kill -KILL $$": 137, "kill -SEGV $$": 139, "kill -ABRT $$": 134, "kill -TERM $$": 143,
			"/no/such/program": 127, "exec /no/such/program": 127, "kill -USR1 $$": 138, `test "$$" -gt 1`: 0,
		} {
			if _, code := run(line, false); code != want {
				t.Errorf("%s: %q: exit code %d, want %d", shell, line, code, want)
			}
		}
		if out, code := run(`trap 'echo told; exit 7' TERM; echo ready >&2; while :; do sleep 0.1; done`, true); code != 7 || out != "told\n" {
			t.Errorf("%s: a program that takes its time at SIGTERM: %q, exit code %d, want what it said and 7", shell, out, code)
		}
		if _, code := run(`echo ready >&2; while :; do sleep 0.1; done`, true); code != 143 {
			t.Errorf("%s: a program that SIGTERM ends: exit code %d, want 143", shell, code)
		}
	}
}

// TestAProcessType is run by its program; one that is not there is refused with those that are, and of an image that was not looked into
// nobody knows.
func TestAProcessType(t *testing.T) {
	cnb := known(v1alpha1.ShellLauncher, "/bin/bash", []string{"/cnb/process/web"}, nil)
	types := func(a *v1alpha1.App) { a.Status.Processes = []v1alpha1.Process{{Type: "web"}, {Type: "worker"}} }
	for name, test := range map[string]struct {
		app   func(*v1alpha1.App)
		of    string
		want  string
		err   string
		unfit bool
	}{
		"one that is there":                 {both(cnb, types), "worker", "/cnb/process/worker", "", false},
		"whatever the App starts":           {both(cnb, types, started("bin/web")), "worker", "/cnb/process/worker", "", false},
		"another":                           {both(cnb, types), "clock", "", `no process type "clock": the image has web, worker`, false},
		"of an image that was not built so": {known(v1alpha1.ShellPOSIX, "/bin/sh", nil, nil), "worker", "", "the image has none", false},
		"of one that was not looked into":   {nil, "worker", "", "not known", true},
	} {
		a := app(test.app)
		command, args, err := startCommand(a, a.Spec.Template.Spec.Containers[0], v1alpha1.TaskSpec{Process: test.of})
		var unfit *UnfitApp
		all := append(command, args...)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) || errors.As(err, &unfit) != test.unfit {
				t.Errorf("%s: %v, want %q", name, err, test.err)
			}
		} else if err != nil || len(all) == 0 || all[len(all)-1] != test.want {
			t.Errorf("%s: %q %v, want %q", name, all, err, test.want)
		}
	}
}
