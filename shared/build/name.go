package build

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Name is the name of the PipelineRun that builds what an App asks for. It is a hash of all that the App says of its build, so the
// name is the lock. Settings are not in it: what an operator changes builds no App by itself, but at its next push.
func Name(app *v1alpha1.App) string {
	spec := app.Spec.Build.Spec
	env, err := json.Marshal(spec.Env)
	if err != nil {
		panic(err) // it came as JSON
	}
	selector, err := json.Marshal(spec.NodeSelector) // sorted by key
	if err != nil {
		panic(err)
	}
	fields := []string{
		string(app.UID), strconv.Itoa(app.Spec.Build.UpdateRequests), spec.Name, spec.Kind, spec.APIVersion, string(env), string(selector),
	}
	for _, p := range sortedParams(spec) {
		fields = append(fields, p.Name, p.Value)
	}
	return named(app.Name, "-build-", fields)
}

// RebaseName is the name of the PipelineRun that rebases an App's image, "" if nobody has asked for it.
func RebaseName(app *v1alpha1.App) string {
	if app.Spec.Build.RebaseRequests == 0 {
		return ""
	}
	return named(app.Name, "-rebase-", []string{string(app.UID), strconv.Itoa(app.Spec.Build.RebaseRequests)})
}

// named is a name of at most 63 characters, as Tekton asks for: a long App's name is cut, and is in the hash. Each field of that is
// led by its length, so that no two lists of fields make one text.
func named(app, kind string, fields []string) string {
	h := sha256.New()
	for _, f := range append([]string{app}, fields...) {
		h.Write([]byte(strconv.Itoa(len(f)) + ":" + f))
	}
	end := kind + hex.EncodeToString(h.Sum(nil))[:12]
	return strings.TrimRight(app[:min(len(app), 63-len(end))], "-.") + end
}

// Labels are those of an App's builds: what selects them, and the NetworkPolicies of the Space.
func Labels(app string) map[string]string {
	return map[string]string{
		v1alpha1.ManagedByLabel: v1alpha1.ManagedByKf, v1alpha1.ComponentLabel: v1alpha1.BuildComponent, v1alpha1.NameLabel: app,
		v1alpha1.NetworkPolicyLabel: v1alpha1.NetworkPolicyBuild,
	}
}

// Of selects an App's builds.
func Of(app string) metav1.ListOptions {
	l := Labels(app)
	delete(l, v1alpha1.NetworkPolicyLabel)
	return metav1.ListOptions{LabelSelector: labels.Set(l).String()}
}

// AppOf is the name of the App that a PipelineRun builds, "" if it builds none. Only Owned says that it is the very App's.
func AppOf(run *tekton.PipelineRun) string {
	owner := metav1.GetControllerOf(run)
	if owner == nil || owner.Kind != "App" || owner.APIVersion != v1alpha1.GroupVersion.String() {
		return ""
	}
	return owner.Name
}

// Owned says whether a PipelineRun is this very App's.
func Owned(run *tekton.PipelineRun, app *v1alpha1.App) bool { return metav1.IsControlledBy(run, app) }
