// Package manifests turns the manifests that Tekton's and Knative's modules carry into what can be applied here: their
// ko:// references become the names of our images.
package manifests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/kf-tasks/kf-tasks/test/cluster/internal/build"
)

// Set is one file to apply: patterns below a module's folder, less those that contain a word of Without.
type Set struct {
	Name     string
	Patterns map[string][]string // module: patterns
	Without  []string
}

// The sets, in the order in which they are needed. Autoscalers of the control planes are left out: they need metrics
// that this cluster does not have.
var (
	TektonBase = Set{Name: "tekton-base", Patterns: map[string][]string{"github.com/tektoncd/pipeline": {
		"config/100-namespace/*.yaml", "config/2*.yaml", "config/300-crds/*.yaml", "config/5*.yaml", "config/clusterrole-*.yaml", "config/config-*.yaml"}}}
	TektonDeploy = Set{Name: "tekton-deploy", Patterns: map[string][]string{"github.com/tektoncd/pipeline": {
		"config/controller.yaml", "config/webhook.yaml", "config/events.yaml"}}}
	EventingBase = Set{Name: "eventing-base", Patterns: map[string][]string{"knative.dev/eventing": {
		"config/core/1*.yaml", "config/core/2*.yaml", "config/core/resources/*.yaml", "config/core/roles/*.yaml",
		"config/core/configmaps/*.yaml", "config/core/webhooks/*.yaml",
		// without these CRDs the controller does not start
		"third_party/eventing-integrations-latest/*.yaml"}}}
	EventingDeploy = Set{Name: "eventing-deploy", Patterns: map[string][]string{"knative.dev/eventing": {"config/core/deployments/*.yaml"}},
		Without: []string{"request-reply"}}
	EventingBroker = Set{Name: "eventing-broker", Patterns: map[string][]string{"knative.dev/eventing": {
		"config/channels/in-memory-channel/*.yaml", "config/channels/in-memory-channel/*/*.yaml",
		"config/brokers/mt-channel-broker/*/*.yaml"}}}
	ServingBase = Set{Name: "serving-base", Patterns: map[string][]string{
		"knative.dev/serving": {"config/core/100*.yaml", "config/core/200-roles/*.yaml", "config/core/200-serviceaccount.yaml",
			"config/core/300-knativecertificate.yaml", "config/core/300-resources/*.yaml"},
		"knative.dev/networking": {"config/ingress.yaml", "config/certificate.yaml", "config/domain-claim.yaml", "config/serverlessservice.yaml"},
		"knative.dev/caching":    {"config/image.yaml"}}}
	ServingConfig = Set{Name: "serving-config", Patterns: map[string][]string{
		"knative.dev/serving":    {"config/core/999-cache.yaml", "config/core/configmaps/*.yaml", "config/core/webhooks/*.yaml"},
		"knative.dev/networking": {"config/config-network.yaml"}}}
	JetStream     = Set{Name: "jetstream-channel", Patterns: map[string][]string{"knative.dev/eventing-natss": {"config/jetstream/*.yaml"}}}
	ServingDeploy = Set{Name: "serving-deploy", Patterns: map[string][]string{"knative.dev/serving": {"config/core/deployments/*.yaml"}}}
)

// Render reads a set. moduleDir finds a module's folder; shell is the image for Tekton's script steps.
func Render(s Set, moduleDir func(string) (string, error), shell string) (string, error) {
	var out bytes.Buffer
	var modules []string
	for m := range s.Patterns {
		modules = append(modules, m)
	}
	sort.Sort(sort.Reverse(sort.StringSlice(modules))) // serving first: it makes the namespace
	for _, m := range modules {
		dir, err := moduleDir(m)
		if err != nil {
			return "", err
		}
		for _, pattern := range s.Patterns[m] {
			files, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				return "", err
			}
			if len(files) == 0 {
				return "", fmt.Errorf("%s: module %s has nothing like %s: has the version changed?", s.Name, m, pattern)
			}
			for _, f := range files {
				if skip(filepath.Base(f), s.Without) {
					continue
				}
				b, err := os.ReadFile(f)
				if err != nil {
					return "", err
				}
				// A document may end without a newline: one goes between in any case.
				fmt.Fprintf(&out, "---\n%s\n", Rewrite(string(b), shell))
			}
		}
	}
	return out.String(), nil
}

func skip(base string, without []string) bool {
	for _, w := range append([]string{"hpa", "placeholder"}, without...) {
		if strings.Contains(base, w) {
			return true
		}
	}
	return false
}

var (
	koRef    = regexp.MustCompile(`ko://([^\s"',]+)`)
	shellRef = regexp.MustCompile(`cgr\.dev/chainguard/busybox@sha256:[0-9a-f]+`)
	cpuAsked = regexp.MustCompile(`(requests:\n(?: *#.*\n)* +cpu: *)"?[1-9][0-9]{2}m"?`)
)

// Rewrite puts our images in place of those that the manifest names, and has parts ask for less of the processors: the one node has
// two cores, and what they ask for by default leaves no room for a build beside them.
func Rewrite(yaml, shell string) string {
	yaml = koRef.ReplaceAllStringFunc(yaml, func(ref string) string { return build.ImageOf(strings.TrimPrefix(ref, "ko://")) })
	yaml = cpuAsked.ReplaceAllString(yaml, "${1}50m")
	return shellRef.ReplaceAllString(yaml, shell)
}
