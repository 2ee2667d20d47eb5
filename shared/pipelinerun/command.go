package pipelinerun

import (
	"errors"
	"fmt"
	"strings"

	shellquote "github.com/kballard/go-shellquote"
	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// startCommand says what the container starts. A Task's command is one string with shell semantics, as in Cloud
// Foundry; who interprets it depends on the App and its image:
//
//	the App sets an entrypoint (container.command)    entrypoint + string, as in Kf
//	a buildpack's image, whose launcher takes strings  image's entrypoint + string
//	an image with a shell, or one not looked into      /bin/sh -c string
//	an image without a shell                           image's entrypoint + the string's words
//
// A Task without a command starts what the App starts.
func startCommand(app *v1alpha1.App, c corev1.Container, taskCommand string) (command, args []string, err error) {
	known := app.Status.StartCommands
	if known.Image != app.Status.Image {
		known = v1alpha1.StartCommandStatus{} // read from another image: worth nothing
	}
	if taskCommand == "" {
		command = c.Command
		if len(command) == 0 && len(c.Args) > 0 {
			command = known.Container // spares Tekton a look-up in the registry; empty if not known
		}
		return command, c.Args, nil
	}
	switch {
	case len(c.Command) > 0:
		return c.Command, []string{literal(taskCommand)}, nil
	case known.Shell == v1alpha1.ShellLauncher && len(known.Container) > 0:
		return known.Container, []string{literal(taskCommand)}, nil
	case known.Shell == v1alpha1.ShellNone:
		if len(known.Container) == 0 {
			return nil, nil, errors.New("the image has neither a shell nor an entrypoint that could run a command: " +
				"set the App's entrypoint")
		}
		words, err := shellquote.Split(taskCommand)
		if err != nil {
			return nil, nil, fmt.Errorf("the image has no shell, and the command can't be split into words: %w", err)
		}
		for i := range words {
			words[i] = literal(words[i])
		}
		return known.Container, words, nil
	default:
		return []string{"/bin/sh", "-c"}, []string{literal(taskCommand)}, nil
	}
}

// literal keeps the kubelet from reading $(NAME) and $$ in a command as its own: they are the shell's. Kubernetes
// expands $(NAME) in arguments and takes $$ for an escaped dollar (Container.args in the API reference).
func literal(s string) string { return strings.ReplaceAll(s, "$", "$$") }
