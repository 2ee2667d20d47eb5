package pipelinerun

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/tektoncd/pipeline/pkg/container"
	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

// tekton is what Tekton replaces in a step, as it does when it makes a Pod (pkg/reconciler/taskrun/resources/apply.go).
var tektonReplaces = map[string]string{
	"context.taskRun.name": "REPLACED", "context.task.name": "REPLACED", "credentials.path": "REPLACED", "params.x": "REPLACED",
	"context.pipelineRun.name": "REPLACED", "steps.step-user-container.exitCode.path": "REPLACED", "workspaces.x.path": "REPLACED",
}

// expand is how the kubelet reads a string: k8s.io/kubernetes/third_party/forked/golang/expansion, in short.
func expand(s string, env map[string]string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		switch i++; s[i] {
		case '$':
			b.WriteByte('$')
		case '(':
			name, _, closed := strings.Cut(s[i+1:], ")")
			value, there := env[name]
			switch {
			case !closed:
				b.WriteString("$(")
			case there:
				b.WriteString(value)
				i += len(name) + 1
			default:
				b.WriteString("$(" + name + ")")
				i += len(name) + 1
			}
		default:
			b.WriteString("$" + s[i:i+1])
		}
	}
	return b.String()
}

// arrived is what a process gets of the App's own step: its arguments, and its environment.
func arrived(t *testing.T, app *v1alpha1.App, command string) (argv []string, env map[string]string) {
	t.Helper()
	run, err := For(app, task(func(t *v1alpha1.Task) { t.Spec.Command = command }), 1, Options{})
	if err != nil {
		t.Fatal(err)
	}
	run.SetDefaults(context.Background())
	if err := run.Validate(context.Background()); err != nil {
		t.Fatalf("Tekton would refuse it: %v", err)
	}
	step := run.Spec.PipelineSpec.Tasks[0].TaskSpec.Steps[0]
	container.ApplyStepReplacements(&step, tektonReplaces, nil)
	env = map[string]string{"FROM_A_SECRET": "s"}
	for _, e := range step.Env {
		env[e.Name] = expand(e.Value, env)
	}
	for _, s := range append(step.Command, step.Args...) {
		argv = append(argv, expand(s, env))
	}
	return argv, env
}

var wild = []string{
	"$", "$$", "$$$", "$$$$", "$(", "$)", "$()", "$$(", "$(date)", "$(GREETING)", "$$(GREETING)", "$$$(GREETING)",
	"$(context.taskRun.name)", "$$(context.taskRun.name)", "$$$(context.taskRun.name)", "$(params.x)", "$(params['x'])", `$(params["x"])`, "$(params.nope)",
	"$(tasks.a.results.b)", "$(steps.a.results.b)", "$(workspaces.x.path)", "$(results.x.path)", "$(credentials.path)", "$($(context.taskRun.name))",
	"$(x $(context.taskRun.name) y)", "a$(context.taskRun.name", "$(KF_DOLLAR)", "$(KF_DOLLAR)(params.x)", "${GREETING} $GREETING `x` \"q\" 'q' \\",
	"one\ntwo\r\nthree\ttab", "🦊 ü \u2028 \u202e", "$\n$(context.task.name)\r\n", strings.Repeat("$(", 2<<10),
}

// TestWhatATaskSaysArrivesByteForByte, past Tekton and the kubelet: in a command, and in what `kf push` writes.
func TestWhatATaskSaysArrivesByteForByte(t *testing.T) {
	for _, s := range wild {
		argv, _ := arrived(t, app(known(v1alpha1.ShellPOSIX, "/bin/bash", nil, nil)), s)
		if got := argv[len(argv)-1]; got != s {
			t.Errorf("the command %.60q arrives as %.60q", s, got)
		}
		argv, env := arrived(t, app(func(a *v1alpha1.App) {
			known(v1alpha1.ShellNone, "", []string{"/entry", s}, nil)(a)
			c := &a.Spec.Template.Spec.Containers[0]
			c.Args = []string{verbatim.Literal(s)}
			c.Env = []corev1.EnvVar{{Name: "GREETING", Value: "hi"}, {Name: "A", Value: verbatim.Literal(s)}}
		}), "")
		if argv[1] != s || argv[2] != s || env["A"] != s {
			t.Errorf("%q arrives as %q of the image, %q of the App, %q of its environment", s, argv[1], argv[2], env["A"])
		}
	}
}

// TestAPodSpecIsReadAsKubernetesReadsIt: whoever writes one by kubectl has what Kubernetes makes of it, and Tekton nothing.
func TestAPodSpecIsReadAsKubernetesReadsIt(t *testing.T) {
	before := map[string]string{"GREETING": "hi", "dotted.name": "d", "FROM_A_SECRET": "s", "VCAP_SERVICES": "{}"}
	for _, s := range append(wild, "$(FROM_A_SECRET) $(dotted.name)") {
		if strings.Contains(s, verbatim.DollarEnv) {
			continue
		}
		argv, env := arrived(t, app(func(a *v1alpha1.App) {
			a.Spec.Template.Spec.Containers[0] = corev1.Container{Name: v1alpha1.UserContainer, Command: []string{"/run", s},
				Env: []corev1.EnvVar{{Name: "GREETING", Value: "hi"}, {Name: "dotted.name", Value: "d"}, {Name: "A", Value: s}}}
		}), "")
		want := expand(s, before)
		after := maps.Clone(env)
		if got := argv[1]; got != expand(s, after) || env["A"] != want {
			t.Errorf("%q arrives as %q, and %q in the environment; Kubernetes makes %q of it", s, got, env["A"], want)
		}
	}
}

func TestADollarIsAddedOnlyWhereItIsNeeded(t *testing.T) {
	for command, needed := range map[string]bool{"echo $HOME $$ 5$": false, "echo $(date)": true} {
		if _, env := arrived(t, app(nil), command); (env[verbatim.DollarEnv] == "$") != needed {
			t.Errorf("%s: %q", command, env)
		}
	}
}
