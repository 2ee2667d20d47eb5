package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
)

// webURL is the annotation of the Knative Service web by which its operator says where people find it.
const webURL = "kf.dev/web-url"

type open struct {
	*target
	at        string
	printOnly bool
}

func newOpen(t *target) *cobra.Command {
	o := &open{target: t}
	c := &cobra.Command{
		Use:   "open [APP_NAME | JOB_NAME | TASK_NAME]",
		Short: "Open the page of the Space, or of an App, a Job or a Task, in a browser",
		Long: `open prints the address of the page of an App, a Job or a Task, looked for in this order, or of the Space, and opens it
where there is a browser. Where the pages are it reads of the function web's Knative Service: its annotation kf.dev/web-url, else its
URL. --url says otherwise, as KF_WEB_URL does: http://localhost:8080, say, after kubectl port-forward.`,
		Example: `  kf open
  kf open shop
  kf open shop-x7k2p --print
  kf open nightly --url http://localhost:8080`,
		Args: cobra.MaximumNArgs(1),
		RunE: o.run,
	}
	c.Flags().StringVar(&o.at, "url", "", "where the pages are; KF_WEB_URL, or what the cluster says, when left out")
	c.Flags().BoolVar(&o.printOnly, "print", false, "print the address, and open nothing")
	return c
}

func (o *open) run(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	at, err := baseURL(firstOf(o.at, os.Getenv("KF_WEB_URL")))
	if err != nil {
		return coded{exitUsage, err}
	}
	if err := o.connect(); err != nil {
		return err
	}
	path := "/spaces/" + o.space
	if len(args) == 1 {
		if path, err = o.pageOf(ctx, args[0]); err != nil {
			return err
		}
	}
	if at == "" {
		if at, err = o.whereWebIs(ctx); err != nil {
			return err
		}
	}
	o.printf("%s\n", at+path)
	if program := browserOf(runtime.GOOS, os.Getenv); program != "" && !o.printOnly {
		if err := exec.CommandContext(ctx, program, at+path).Run(); err != nil {
			o.progress("No browser was opened: %v", err)
		}
	}
	return nil
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// baseURL checks where somebody said that the pages are; "" is nowhere.
func baseURL(at string) (string, error) {
	u, err := url.Parse(at)
	if at != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "") {
		return "", fmt.Errorf("%.100q is no address of pages: say it as https://kf.example.com", at)
	}
	return strings.TrimRight(at, "/"), nil
}

// pageOf is the path of the page of what has a name.
func (o *open) pageOf(ctx context.Context, name string) (string, error) {
	for _, kind := range []struct {
		path string
		find func() (bool, error)
	}{
		{"apps", func() (bool, error) { return found(client.Find(ctx, o.kf.Apps(o.space), o.space, name)) }},
		{"jobs", func() (bool, error) { return found(client.Find(ctx, o.kf.TaskSchedules(o.space), o.space, name)) }},
		{"tasks", func() (bool, error) { return found(client.Find(ctx, o.kf.Tasks(o.space), o.space, name)) }},
	} {
		there, err := kind.find()
		if err != nil {
			return "", err
		}
		if there {
			return "/spaces/" + o.space + "/" + kind.path + "/" + name, nil
		}
	}
	return "", notFound("there is no App, Job or Task %q in Space %q", name, o.space)
}

func found[T any](object *T, err error) (bool, error) { return object != nil, err }

// whereWebIs reads of the function's Knative Service where the pages are.
func (o *open) whereWebIs(ctx context.Context) (string, error) {
	const otherwise = "; say where its pages are: --url, or KF_WEB_URL (docs/web.md)"
	objects, err := dynamic.NewForConfig(o.cfg)
	if err != nil {
		return "", err
	}
	services := schema.GroupVersionResource{Group: "serving.knative.dev", Version: "v1", Resource: "services"}
	web, err := objects.Resource(services).Namespace(systemNamespace).Get(ctx, "web", metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return "", notFound("the function web is not on this cluster%s", otherwise)
	case err != nil:
		return "", fmt.Errorf("look for the function web: %w%s", err, otherwise)
	}
	at := web.GetAnnotations()[webURL]
	if at == "" {
		at, _, _ = unstructured.NestedString(web.Object, "status", "url")
	}
	at, err = baseURL(at)
	switch {
	case err != nil:
		return "", fmt.Errorf("the function web's annotation %s: %w", webURL, err)
	case at == "":
		return "", notFound("the function web has no address yet%s", otherwise)
	case strings.Contains(at, ".svc.cluster.local"):
		o.progress("The pages are to be reached from inside of the cluster alone. From here:\n"+
			"  kubectl -n %s port-forward deployment/%s 8080:8012\nthen: kf open --url http://localhost:8080",
			systemNamespace, revisionOf(web))
	}
	return at, nil
}

// revisionOf is the name of the Deployment that serves.
func revisionOf(web *unstructured.Unstructured) string {
	name, _, _ := unstructured.NestedString(web.Object, "status", "latestReadyRevisionName")
	return firstOf(name, "web-00001") + "-deployment"
}

// browserOf is the program that opens an address in the user's browser, "" where there is none to be seen.
func browserOf(system string, env func(string) string) string {
	switch {
	case system == "darwin":
		return "open"
	case system == "windows":
		return "explorer"
	case env("DISPLAY") != "" || env("WAYLAND_DISPLAY") != "":
		return "xdg-open"
	}
	return ""
}
