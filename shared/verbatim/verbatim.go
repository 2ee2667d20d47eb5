// Package verbatim is about strings that are to reach a process byte for byte: its arguments and its environment.
package verbatim

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
)

// MaxString is what Linux takes as one argument, or as NAME=VALUE of an environment, without the zero that ends it
// (MAX_ARG_STRLEN, 32 pages).
const MaxString = 128<<10 - 1

// DollarEnv is a variable that this system gives to a Task, where it needs one: its value is a dollar.
const DollarEnv = "KF_DOLLAR"

// Literal writes a string in Kubernetes' syntax, so that Kubernetes leaves it as it is. It reads $(NAME) as a variable and $$ as
// one dollar, in commands, arguments and variables (Container.args in the API reference): a dollar that it would take for its
// own is doubled.
func Literal(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		if s[i] == '$' && i+1 < len(s) && (s[i+1] == '$' || s[i+1] == '(') {
			b.WriteByte('$')
		}
	}
	return b.String()
}

// Meant is what a string in Kubernetes' syntax means, as far as it means the same everywhere: $(NAME) stays as it is.
func Meant(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		b.WriteByte(s[i])
		if strings.HasPrefix(s[i:], "$$") {
			i++
		}
	}
	return b.String()
}

// Unfit says why no process can be given an argument, "" if one can.
func Unfit(s string) string {
	switch {
	case strings.Contains(s, "\x00"):
		return "it holds a NUL byte, where a process would see its end"
	case len(s) > MaxString:
		return fmt.Sprintf("it has %d bytes: the kernel takes no more than %d", len(s), MaxString)
	case !utf8.ValidString(s):
		return "it is not valid UTF-8, and would not arrive as it is"
	}
	return ""
}

// UnfitVariable says why no process can be given a variable, "" if one can.
func UnfitVariable(name, value string) string {
	switch {
	case name == DollarEnv:
		return DollarEnv + " is this system's own: choose another name"
	case len(validation.IsRelaxedEnvVarName(name)) > 0:
		return fmt.Sprintf("%.80q is no name of a variable: it must be printable ASCII without '='", name)
	}
	return Unfit(name + "=" + value)
}
