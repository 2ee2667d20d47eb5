package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/docs/page"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// docs are all pages.
func docs(t *testing.T) []*page.Page {
	t.Helper()
	pages, err := page.All(harness.Root())
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// notHere are groups whose CustomResourceDefinitions an API server without Knative does not have.
var notHere = []string{"eventing.knative.dev", "serving.knative.dev", "sources.knative.dev"}

// TestTheDocsObjectsAreTaken: every object of every page, by the API server, with its rules and without a field that it does not know. Nothing is kept.
func TestTheDocsObjectsAreTaken(t *testing.T) {
	c := harness.New(t)
	namespace := c.Namespace(t, "docs")
	d, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.Kube.Discovery()))
	take := func(o *unstructured.Unstructured) error {
		gvk := o.GroupVersionKind()
		m, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if meta.IsNoMatchError(err) && slices.Contains(notHere, gvk.Group) {
			return nil
		}
		if err != nil {
			return err
		}
		options := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}
		if m.Scope.Name() == meta.RESTScopeNameRoot {
			_, err = d.Resource(m.Resource).Create(ctx, o, options)
			return err
		}
		o.SetNamespace(namespace)
		_, err = d.Resource(m.Resource).Namespace(namespace).Create(ctx, o, options)
		return err
	}
	taken := 0
	for _, p := range docs(t) {
		for _, b := range p.Blocks {
			part := b.Marked("part of")
			if b.Lang != "yaml" || b.Marked("file") != "" || b.Marked("no object") != "" || part != "" && part != "App" {
				continue
			}
			for doc := range strings.SplitSeq(b.Text, "\n---") {
				o := &unstructured.Unstructured{}
				if err := yaml.UnmarshalStrict([]byte(doc), &o.Object); err != nil {
					t.Fatal(err) // test/drift says so first
				}
				if part != "" {
					o.SetAPIVersion(v1alpha1.GroupVersion.String())
					o.SetKind(part)
					o.SetName("part")
				}
				if err := take(o); err != nil {
					t.Errorf("%s:%d: %s %s: %v", p.Path, b.Line, o.GetKind(), o.GetName(), err)
				}
				taken++
			}
		}
	}
	if taken < 10 {
		t.Errorf("only %d objects found", taken)
	}
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "kf.dev/v1alpha1", "kind": "Task", "metadata": map[string]any{"name": "x"},
		"spec": map[string]any{"appRef": map[string]any{"name": "shop"}, "comand": "x"}}}
	if err := take(o); err == nil || !strings.Contains(err.Error(), "comand") {
		t.Errorf("a field that is misspelled is taken: %v", err)
	}
}

// pageSpaces are the namespaces that the pages' examples are in, with their Apps.
var pageSpaces = map[string][]string{"shop": {"shop", "billing"}, "my-space": {"my-app", "my-audit"}, "kf-demo": {"shop"}}

// TestTheDocsCommandsRun: each block of a shell that does not say why it isn't run, is run. kf does what it says; of kubectl, what changes something
// is asked of the API server as a dry run, so that no test finds what a page has left.
func TestTheDocsCommandsRun(t *testing.T) {
	c := newCLI(t)
	c.ready(metav1.ConditionTrue, "it is played")
	spaces := map[string]string{} // each in a namespace of its own
	for space, apps := range pageSpaces {
		spaces[space] = c.Namespace(t, space)
		for _, app := range apps {
			c.App(t, spaces[space], app)
		}
	}
	c.Task(t, spaces["my-space"], "my-app", "my-app-x7k2p")
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "billing"}}
	if _, err := c.Kube.CoreV1().ServiceAccounts(spaces["shop"]).Create(ctx, account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(-n |--space |namespace |=)(shop|my-space|kf-demo)([ :\n])`)
	placed := func(script string) string {
		return names.ReplaceAllStringFunc(script, func(found string) string {
			m := names.FindStringSubmatch(found)
			if m[1] == "=" && m[3] != ":" { // tasks.kf.dev/x=shop is no namespace, --serviceaccount=shop:billing has one
				return found
			}
			return m[1] + spaces[m[2]] + m[3]
		})
	}
	shell := c.shell(spaces["shop"])
	ran, not := 0, map[string]int{}
	for _, p := range docs(t) {
		for _, b := range p.Blocks {
			if b.Lang != "sh" {
				continue
			}
			if b.Marker != "" {
				what, _, _ := strings.Cut(b.Marker, ":")
				not[what]++
				continue
			}
			ran++
			if out, err := shell(placed(b.Text)); err != nil {
				t.Errorf("%s:%d: %v: if it can't be run here, say why in <!-- not run: why --> before it\n%s%s", p.Path, b.Line, err, b.Text, out)
			}
		}
	}
	t.Logf("%d blocks were run; not here: %v", ran, not)
	if ran < 8 {
		t.Errorf("only %d blocks were run", ran)
	}
	if _, err := shell(placed("kubectl -n shop get nothing")); err == nil {
		t.Error("a command that fails passes")
	}
}

// kubectlScript has what changes something be a dry run.
const kubectlScript = `#!/bin/bash
case " $* " in
*" create token "*) exec %[1]s "$@" ;;
*" create "*) out=$(%[1]s "$@" --dry-run=server 2>&1) || { [[ $out == *"already exists"* ]] || { echo "$out"; exit 1; }; } ;; # an earlier block may have made it
*" patch "*|*" annotate "*|*" label "*|*" delete "*|*" apply "*) exec %[1]s "$@" --dry-run=server ;;
*) exec %[1]s "$@" ;;
esac
`

// shell runs a script with kf and kubectl, in a Space, and in a folder with the files that pages name.
func (c *cli) shell(space string) func(script string) (string, error) {
	c.Helper()
	dir := c.TempDir()
	kf := c.Command(c, space)
	kubeconfig := kf.Args[len(kf.Args)-1]
	kubectl := "kubectl"
	if env, err := os.ReadFile(filepath.Join(filepath.Dir(kubeconfig), "env")); err == nil {
		if m := regexp.MustCompile(`(?m)^export CLUSTER_KUBE=(.*)$`).FindSubmatch(env); m != nil {
			kubectl = string(m[1]) + " kubectl"
		}
	}
	for name, text := range map[string]string{
		"kf":        fmt.Sprintf("#!/bin/sh\nexec %s \"$@\" --space %s\n", kf.Path, space),
		"kubectl":   fmt.Sprintf(kubectlScript, kubectl),
		"push.json": `{"ref": "refs/heads/main", "after": "1f0c2a9", "repository": {"full_name": "shop/shop"}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			c.Fatal(err)
		}
	}
	return func(script string) (string, error) {
		cmd := exec.CommandContext(c.Context(), "bash", "-euo", "pipefail", "-c", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "KUBECONFIG="+kubeconfig, "HOME="+dir)
		out, err := cmd.CombinedOutput()
		if errors.Is(err, exec.ErrNotFound) {
			c.Fatal(err)
		}
		return string(out), err
	}
}
