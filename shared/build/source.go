package build

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

// ErrNotSet is what an operator has yet to set: with it, the build starts.
var ErrNotSet = errors.New("the cluster is not set up to build")

// ownTask says whether a build is a Tekton Task of the operator's, and not one that is built in.
func ownTask(s *v1alpha1.BuildSpec) bool {
	return s.Kind != "" && s.Kind != v1alpha1.BuiltinTaskKind
}

// Inputs are what a build is made from: what its App says, else the settings.
type Inputs struct {
	Source, Builder, Run string
	Buildpacks           []string
	Env                  map[string]string
}

// buildpack is the ID of a buildpack, with its version or without (buildpacks/spec, buildpack.md).
var buildpack = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9./_-]*(@[A-Za-z0-9][A-Za-z0-9.+_-]*)?$`)

// variable is the name of a variable that can be the name of a file.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// InputsOf reads what an App's build is made from. The error is the user's to mend, or, if it is ErrNotSet, the operator's.
func InputsOf(app *v1alpha1.App, s Settings) (in Inputs, err error) {
	spec := app.Spec.Build.Spec
	in = Inputs{
		Source:  spec.Param(v1alpha1.ParamSourceImage),
		Builder: cmp.Or(spec.Param(v1alpha1.ParamBuilderImage), s.BuilderImage),
		Run:     cmp.Or(spec.Param(v1alpha1.ParamRunImage), s.RunImage),
		Env:     map[string]string{},
	}
	if !ownTask(spec) && spec.Name != v1alpha1.BuildpackV3Task {
		return in, fmt.Errorf("there is no way to build %.80q: %s is built in, and kind Task names a Tekton Task of yours",
			spec.Name, v1alpha1.BuildpackV3Task)
	}
	if in.Source == "" {
		return in, errors.New("there is no source: push the App from a folder (the parameter SOURCE_IMAGE names an image that has it)")
	}
	for param, image := range map[string]string{
		v1alpha1.ParamSourceImage: in.Source, v1alpha1.ParamBuilderImage: in.Builder, v1alpha1.ParamRunImage: in.Run,
	} {
		if image != "" && imageName(image) != nil {
			return in, fmt.Errorf("%s %.200q is not the name of an image", param, image)
		}
	}
	for b := range strings.SplitSeq(spec.Param(v1alpha1.ParamBuildpack), ",") {
		if b = strings.TrimSpace(b); b == "" {
			continue
		}
		if !buildpack.MatchString(b) || strings.Contains(b, "..") {
			return in, fmt.Errorf("%s %.80q is not the ID of a buildpack: write it as example/ruby or example/ruby@1.2.3",
				v1alpha1.ParamBuildpack, b)
		}
		in.Buildpacks = append(in.Buildpacks, b)
	}
	for _, v := range slices.Concat(s.Env, spec.Env) { // the App's own win
		if v.ValueFrom != nil || !variable.MatchString(v.Name) {
			return in, fmt.Errorf("the variable %.80q of the build: a name has letters, digits, '_', '.' and '-', "+
				"and a value stands in the App or Space itself", v.Name)
		}
		if unfit := verbatim.UnfitVariable(v.Name, v.Value); unfit != "" {
			return in, fmt.Errorf("the variable %.80q of the build: %s", v.Name, unfit)
		}
		in.Env[v.Name] = verbatim.Meant(v.Value)
	}
	if n := len(escaped(in.Env)) + len(envOfBuild); n >= verbatim.MaxString {
		return in, fmt.Errorf("the build's environment has %d bytes: the kernel takes no more than %d", n, verbatim.MaxString)
	}
	return in, settled(spec, in, s)
}

// settled says whether an operator has set what a build needs.
func settled(spec *v1alpha1.BuildSpec, in Inputs, s Settings) error {
	const where = "in the ConfigMap " + ConfigMap + " of the namespace kf-tasks"
	switch {
	case s.ContainerRegistry == "":
		return fmt.Errorf("%w: set containerRegistry %s", ErrNotSet, where)
	case in.Builder == "" && !ownTask(spec):
		return fmt.Errorf("%w: set builderImage %s, or push with a builder", ErrNotSet, where)
	}
	if ownTask(spec) {
		return checkOwnTask(spec)
	}
	return nil
}

// checkOwnTask: what a Task of the operator's is told is the user's own text, which Tekton would read.
func checkOwnTask(spec *v1alpha1.BuildSpec) error {
	switch {
	case spec.Kind != kindTask && spec.Kind != kindClusterTask:
		return fmt.Errorf("what builds can't be of kind %.80q: it is %s, %s or %s",
			spec.Kind, v1alpha1.BuiltinTaskKind, kindTask, kindClusterTask)
	case len(validation.IsDNS1123Subdomain(spec.Name)) > 0:
		return fmt.Errorf("%.80q can't be the name of a Tekton Task", spec.Name)
	case len(spec.Env) > 0:
		return errors.New("a Tekton Task of yours is told parameters, and no environment")
	}
	for _, p := range spec.Params {
		if !variable.MatchString(p.Name) || strings.Contains(p.Value, "$(") || verbatim.Unfit(p.Value) != "" {
			return fmt.Errorf("the parameter %.80q: a name has letters, digits, '_', '.' and '-', and a value no $(", p.Name)
		}
	}
	return nil
}

// escaped is the environment as JSON without a dollar, which Tekton and Kubernetes would read.
func escaped(env map[string]string) string {
	b, err := json.Marshal(env) // sorted by name
	if err != nil {
		panic(err) // plain strings: can't fail
	}
	return strings.ReplaceAll(string(b), "$", `\u0024`)
}

// digestOf is the image of a repository by its digest; "" if that is none.
func digestOf(repository, digest string) string {
	ref, err := name.NewDigest(repository + "@" + digest)
	if err != nil || !strings.HasPrefix(digest, "sha256:") {
		return ""
	}
	return ref.Name()
}

func sortedParams(spec *v1alpha1.BuildSpec) []v1alpha1.BuildParam {
	return slices.SortedFunc(slices.Values(spec.Params), func(a, b v1alpha1.BuildParam) int { return cmp.Compare(a.Name, b.Name) })
}
