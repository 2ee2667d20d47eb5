package pipelinerun

import (
	"regexp"
	"strings"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

// Two others read dollars on the way to a process. Tekton replaces $(context.taskRun.name) and its like, refuses a run with a
// $(params.x) that it does not know, and has no way to escape either. After it the kubelet replaces $(NAME) by a variable,
// and takes $$ for one dollar (Container.args in the API reference). So a "$(" that is meant as it stands is written as a
// variable that holds the dollar, and "(": Tekton finds nothing of its own in that, and the kubelet puts it together.
const dollar = "$(" + verbatim.DollarEnv + ")"

// arriving writes a string so that it arrives byte for byte, past Tekton and the kubelet.
func arriving(s string) string { return pastTekton(verbatim.Literal(s), nil) }

// pastTekton writes what is in Kubernetes' syntax so that Kubernetes reads the same in it, and Tekton finds nothing of its own.
// defined are the variables of the container.
func pastTekton(s string, defined map[string]bool) string {
	var b strings.Builder
	lastClose := strings.LastIndexByte(s, ')')
	for i := 0; i < len(s); i++ {
		switch rest := s[i+1:]; {
		case s[i] != '$':
			b.WriteByte(s[i])
		case strings.HasPrefix(rest, "$("):
			b.WriteString(dollar)
			i++
		case strings.HasPrefix(rest, "$"):
			b.WriteString("$$")
			i++
		case strings.HasPrefix(rest, "(") && i < lastClose:
			name, _, _ := strings.Cut(rest[1:], ")")
			reference := "$(" + name + ")"
			if !defined[name] && (len(validation.IsEnvVarName(name)) > 0 || tektons.MatchString(name)) {
				reference = arriving(reference) // no variable, so Kubernetes leaves it as it stands
			}
			b.WriteString(reference)
			i += len(name) + 2
		default:
			b.WriteByte('$')
		}
	}
	return b.String()
}

// tektons are the names that Tekton replaces, or refuses (docs/variables.md of Tekton's).
var tektons = regexp.MustCompile(`^(params|context|workspaces|results|steps?|tasks|finally|inputs|outputs|artifacts|credentials)\.`)

// keepDollars makes what a step says in Kubernetes' syntax pass Tekton.
func keepDollars(step *tekton.Step) {
	defined := map[string]bool{}
	for _, e := range step.Env {
		defined[e.Name] = true
	}
	for i := range step.Env {
		step.Env[i].Value = pastTekton(step.Env[i].Value, defined)
	}
	defined[verbatim.DollarEnv] = true
	step.Command, step.Args = pastTektonEach(step.Command, defined), pastTektonEach(step.Args, defined)
	for _, s := range append(append(values(step.Env), step.Command...), step.Args...) {
		if strings.Contains(s, dollar) { // a variable is defined where a later one, or the arguments, name it
			step.Env = append([]corev1.EnvVar{{Name: verbatim.DollarEnv, Value: "$"}}, step.Env...)
			return
		}
	}
}

func values(env []corev1.EnvVar) (all []string) {
	for _, e := range env {
		all = append(all, e.Value)
	}
	return all
}

func pastTektonEach(all []string, defined map[string]bool) (past []string) {
	for _, s := range all {
		past = append(past, pastTekton(s, defined))
	}
	return past
}

func literalEach(all []string) (written []string) {
	for _, s := range all {
		written = append(written, verbatim.Literal(s))
	}
	return written
}
