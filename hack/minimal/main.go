// minimal writes config/options/minimal/functions.yaml: the functions of config/knative as plain Deployments and Services, for a cluster
// without Knative Serving. What Serving sets by itself is written out here; what it alone can do (scale, hold requests back) goes.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	decoder "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const header = "# The functions as plain Deployments and Services. Made from config/knative by hack/minimal (make generate).\n"

func main() {
	if err := run("config/knative", "config/options/minimal/functions.yaml"); err != nil {
		fmt.Fprintln(os.Stderr, "minimal:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	files, err := filepath.Glob(filepath.Join(from, "*.yaml"))
	if err != nil {
		return err
	}
	out := bytes.NewBufferString(header)
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		objects, err := objectsOf(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, o := range objects {
			b, err := yaml.Marshal(o)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "---\n%s", b)
		}
	}
	return os.WriteFile(to, out.Bytes(), 0o644)
}

// object is any of Kubernetes', as its YAML has it.
type object = map[string]any

// objectsOf are the objects of a file, with two in place of each of Serving's.
func objectsOf(file string) (objects []object, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for d := decoder.NewYAMLOrJSONDecoder(f, 4096); ; {
		var o object
		switch err := d.Decode(&o); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		case o["apiVersion"] != "serving.knative.dev/v1":
			objects = append(objects, o)
			continue
		}
		d, err := deployment(o)
		if err != nil {
			return nil, err
		}
		objects = append(objects, d, service(o))
	}
}

// The function's own port, which Serving tells it as PORT; and what the Service has, so that its address is the same as Serving's.
const containerPort, servicePort = 8080, 80

// drain is how long a Pod that is to go still answers: until nobody sends to it any more. Serving's queue-proxy does so too.
const drain = 5

func deployment(ksvc object) (object, error) {
	metadata := ksvc["metadata"].(object)
	name := metadata["name"].(string)
	template := ksvc["spec"].(object)["template"].(object)
	pod := template["spec"].(object)
	scale, _ := template["metadata"].(object)["annotations"].(object)["autoscaling.knative.dev/min-scale"].(string)
	replicas, err := strconv.Atoi(scale)
	if err != nil {
		return nil, fmt.Errorf("min-scale of %s: %w", name, err)
	}
	pod["enableServiceLinks"] = false
	pod["terminationGracePeriodSeconds"] = pod["timeoutSeconds"].(float64) + drain
	for _, servings := range []string{"containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds"} {
		delete(pod, servings)
	}
	container := pod["containers"].([]any)[0].(object)
	container["name"] = "user-container"
	container["ports"] = []any{object{"containerPort": containerPort}}
	container["lifecycle"] = object{"preStop": object{"sleep": object{"seconds": drain}}}
	probe := container["readinessProbe"].(object)
	probe["periodSeconds"] = 2
	probe["httpGet"].(object)["port"] = containerPort
	labels := metadata["labels"].(object)
	delete(labels, "networking.knative.dev/visibility")
	return object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
		"spec": object{
			"replicas": max(replicas, 1), // nothing would start one that sleeps
			"selector": object{"matchLabels": selector(name)},
			"template": object{"metadata": object{"labels": selector(name)}, "spec": pod},
		},
	}, nil
}

func service(ksvc object) object {
	metadata := ksvc["metadata"].(object)
	labels := object{"app.kubernetes.io/part-of": "kf-tasks"}
	return object{
		"apiVersion": "v1", "kind": "Service", "metadata": object{"name": metadata["name"], "namespace": metadata["namespace"], "labels": labels},
		"spec": object{
			"selector": selector(metadata["name"].(string)),
			"ports":    []any{object{"name": "http", "port": servicePort, "targetPort": containerPort}},
		},
	}
}

// selector is the label that Serving gives its Pods: what selects a function's Pods, as NetworkPolicies do, is the same with and without.
func selector(name string) object { return object{"serving.knative.dev/service": name} }
