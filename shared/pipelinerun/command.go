package pipelinerun

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	shellquote "github.com/kballard/go-shellquote"
	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/usage"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

var (
	errNoCommand = errors.New("there is no command: neither the Task nor its App names one, and the image has neither ENTRYPOINT " +
		"nor CMD: run a Task with a command, or push the App with one")
	errBlank      = errors.New("spec.command is blank: leave it out to run what the App runs")
	errNoShell    = errors.New("the image has no shell, and the command can't be split into words")
	errNotTheOnly = errors.New("the image has no shell, and the command holds no word")
)

// cnbLauncher runs a command in an image of Cloud Native Buildpacks as its processes are run (buildpacks/spec, platform.md).
const cnbLauncher = "/cnb/lifecycle/launcher"

// relay runs a program, and says by which signal it was ended: as 128 and the signal's number, as every shell does. Tekton's
// entrypoint, which is its parent, says 255 of each. It sends the signals that the container gets to all processes of the
// group, so the program has them, and the time to act on them; the relay only outlives them. The program is run in its place
// in a subshell: a shell's own echo is not the image's. When it has ended, the relay reports what it took; whatever becomes of that, the
// relay ends as the program did.
const relay = relayBegins + `; s=$?; trap 'exit $s' 0; { ` + usage.Report + `; } 2>/dev/null; exit $s`

// relayBegins is what every relay has begun with, those of runs that were made before the present one too.
const relayBegins = `trap : HUP INT QUIT ALRM TERM USR1 USR2; (exec "$@")`

// relayed says whether a command is a relay's.
func relayed(command []string) bool {
	return slices.ContainsFunc(command, func(word string) bool { return strings.HasPrefix(word, relayBegins) })
}

// startCommand says what the container starts, in Kubernetes' syntax. A command is one string with shell semantics, as in Cloud
// Foundry, the Task's or the App's; who interprets it depends on the App and its image:
//
//	the App sets an entrypoint (container.command)    entrypoint + string, as in Kf
//	a buildpack's image                               its launcher + string, or its words where the image has no bash
//	an image with a shell, or one not looked into     the shell, -c, string
//	an image without a shell                          image's entrypoint + the string's words
//
// A process type is run by the program that buildpacks have put into the image for it. Words (args) are run without a shell.
//
// Without one the container's command and args are what they are in Kubernetes, and the image's ENTRYPOINT and CMD after them
// what they are in Docker.
func startCommand(app *v1alpha1.App, c corev1.Container, task v1alpha1.TaskSpec) (command, args []string, err error) {
	im, taskCommand := imageOf(app, c), task.Command
	line := cmp.Or(taskCommand, startLine(app, c))
	switch {
	case task.Process != "":
		command, err = im.process(app, task.Process)
		args = literalEach(task.Args) // in place of the process's own
	case taskCommand != "" && strings.TrimSpace(taskCommand) == "":
		return nil, nil, errBlank
	case len(task.Args) > 0:
		command, args = im.runs(c, task.Args)
	case line != "":
		command, args, err = im.reads(c, line)
	case len(c.Command) > 0:
		command, args = c.Command, c.Args
	case len(c.Args) > 0:
		command, args = im.withArgs(c.Args)
	case im.looked() && len(im.Container)+len(im.Args) == 0:
		err = errNoCommand
	case im.looked():
		all := literalEach(slices.Concat(im.Container, im.Args))
		command, args = all[:1], all[1:]
	}
	if err != nil {
		return nil, nil, err
	}
	if shell := im.relayShell(command); shell != "" {
		return []string{shell, "-c", relay, path.Base(shell)}, slices.Concat(command, args), nil
	}
	return command, args, nil
}

// cnbProcesses has a program for each process type of an image of Cloud Native Buildpacks (buildpacks/spec, platform.md).
const cnbProcesses = "/cnb/process/"

// process is the program of a process type. What types there are is known of an image that was looked into.
func (im image) process(app *v1alpha1.App, of string) (command []string, err error) {
	var types []string
	for _, p := range app.Status.Processes {
		if types = append(types, p.Type); p.Type == of {
			return []string{cnbProcesses + of}, nil
		}
	}
	switch {
	case !im.looked():
		why := fmt.Sprintf("whether its image has a process type %q is not known before it was looked into", of)
		return nil, &UnfitApp{[]string{why}}
	case len(types) == 0:
		return nil, fmt.Errorf("there is no process type %q: the image has none, as one that buildpacks have built has; run a command", of)
	}
	return nil, fmt.Errorf("there is no process type %q: the image has %s", of, strings.Join(types, ", "))
}

// startLine is the App's start command, where it was given as one string.
func startLine(app *v1alpha1.App, c corev1.Container) string {
	if line := app.Spec.Template.StartCommand; len(c.Args) == 1 && c.Args[0] == verbatim.Literal(line) {
		return line
	}
	return ""
}

// image is what is known of an App's image.
type image struct {
	v1alpha1.StartCommandStatus
	odd bool // there are variables that sh does not hand on
}

// imageOf is the App's image: nothing is known of it if what was read was another's.
func imageOf(app *v1alpha1.App, c corev1.Container) image {
	im := image{odd: len(c.EnvFrom) > 0 || len(oddNames(c.Env)) > 0}
	if app.Status.StartCommands.Image == app.Status.Image {
		im.StartCommandStatus = app.Status.StartCommands
	}
	return im
}

// looked says whether ENTRYPOINT and CMD are known. The digest is noted since both are, though the layers, where a shell would be,
// could not be read.
func (im image) looked() bool { return im.Digest != "" }

func (im image) shell() string { return cmp.Or(im.ShellPath, "/bin/sh") }

// cnb says whether it is of Cloud Native Buildpacks: the other launchers are of Kf's v2 buildpacks.
func (im image) cnb() bool {
	return im.Shell == v1alpha1.ShellLauncher && (len(im.Container) == 0 || !strings.HasPrefix(im.Container[0], "/lifecycle/"))
}

func isBash(shell string) bool { return path.Base(shell) == "bash" }

// reads has a line read as the image can.
func (im image) reads(c corev1.Container, line string) (command, args []string, err error) {
	switch {
	case len(c.Command) > 0:
		return c.Command, []string{verbatim.Literal(line)}, nil
	case im.cnb() && isBash(im.ShellPath):
		return []string{cnbLauncher}, []string{verbatim.Literal(line)}, nil
	case im.cnb():
		words, err := split(line)
		return []string{cnbLauncher, "--"}, words, err
	case im.Shell == v1alpha1.ShellLauncher: // Kf's v2 buildpacks
		return literalEach(im.Container), []string{verbatim.Literal(line)}, nil
	case im.Shell == v1alpha1.ShellNone:
		words, err := split(line)
		if err != nil {
			return nil, nil, err
		}
		all := slices.Concat(literalEach(im.Container), words)
		return all[:1], all[1:], nil
	default:
		return []string{im.shell(), "-c"}, []string{verbatim.Literal(line)}, nil
	}
}

// runs is how words are run without a shell, as `docker run IMAGE WORDS` would.
func (im image) runs(c corev1.Container, words []string) (command, args []string) {
	if im.Shell == v1alpha1.ShellLauncher && !im.cnb() && len(c.Command) == 0 { // they take one string, which bash reads
		words = []string{shellquote.Join(words...)}
	}
	words = literalEach(words)
	switch {
	case len(c.Command) > 0:
		return c.Command, words
	case im.cnb():
		return []string{cnbLauncher, "--"}, words
	case len(im.Container) > 0:
		return literalEach(im.Container), words
	case !im.looked():
		return nil, words // Tekton asks the registry for ENTRYPOINT
	}
	return words[:1], words[1:]
}

func split(line string) ([]string, error) {
	words, err := shellquote.Split(line)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoShell, err)
	}
	if len(words) == 0 {
		return nil, errNotTheOnly
	}
	return literalEach(words), nil
}

// notAName is what no program's file name holds, and what a shell is needed for.
var notAName = regexp.MustCompile("[\\s|&;<>()`\"'*?]")

// withArgs are args without a command, which take the place of CMD. Where there is no ENTRYPOINT the first of them is the
// program; a single one that can't be the name of one is what `kf push --command` of Kf's own CLI leaves there.
func (im image) withArgs(args []string) (command, rest []string) {
	switch {
	case len(im.Container) > 0:
		return literalEach(im.Container), args
	case !im.looked():
		return nil, args // Tekton asks the registry for ENTRYPOINT
	case len(args) == 1 && im.ShellPath != "" && notAName.MatchString(args[0]):
		return []string{im.shell(), "-c"}, args
	}
	return args[:1], args[1:]
}

// relayShell is the shell that runs the relay, "" for none: the one that reads the command in any case, or the image's, if that
// takes no variable away.
func (im image) relayShell(command []string) string {
	switch {
	case len(command) == 0 || im.Shell == v1alpha1.ShellNone:
		return ""
	case command[0] == im.shell() && len(command) == 2:
		return im.shell()
	case isBash(im.ShellPath) || !im.odd:
		return im.ShellPath
	}
	return ""
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// oddNames are the variables that only some shells hand on to what they start: bash does, dash and busybox' do not.
func oddNames(env []corev1.EnvVar) (odd []string) {
	for _, e := range env {
		if !plainName.MatchString(e.Name) {
			odd = append(odd, e.Name)
		}
	}
	return odd
}

// LostVariables are those of an App that its Tasks' commands do not get, for the image's shell leaves them out.
func LostVariables(app *v1alpha1.App) []string {
	p := app.Spec.Template.Spec
	if len(p.Containers) == 0 {
		return nil
	}
	c := p.Containers[ownContainer(p)]
	im := imageOf(app, c)
	if im.Shell != v1alpha1.ShellPOSIX || isBash(im.ShellPath) || len(c.Command) > 0 {
		return nil
	}
	return oddNames(c.Env)
}
