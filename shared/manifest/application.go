package manifest

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// unheeded are keys of an App that Cloud Foundry or Kf knows (docs.cloudfoundry.org, "App manifest attribute reference"; Kf's
// pkg/kf/manifest), and why they change nothing here.
var unheeded = func() map[string]string {
	const serves = "an App that is there for its Tasks serves nothing"
	all := map[string]string{
		"metadata":                  "labels and annotations are set by kubectl label and kubectl annotate",
		"timeout":                   "it is how long a server may take to start; kf run-task --timeout bounds a Task",
		"lifecycle":                 "an App is built by buildpacks",
		"dockerfile":                "an App is built by buildpacks",
		"build":                     "an App is built by buildpacks",
		"features":                  "the App's image decides",
		"app-features":              "the App's image decides",
		"cnb-credentials":           "the build has the credentials of the Space's ServiceAccount",
		"log-rate-limit-per-second": "the log is not limited",
		"log_rate_limit_per_second": "the log is not limited",
		"args":                      "say command",
		"entrypoint":                "say command",
	}
	for _, key := range []string{
		"routes", "route", "random-route", "default-route", "no-route", "host", "hosts", "domain", "domains", "no-hostname", "instances",
		"sidecars", "health-check-type", "health-check-http-endpoint", "health-check-invocation-timeout", "health-check-interval",
		"readiness-health-check-type", "readiness-health-check-http-endpoint", "readiness-health-check-invocation-timeout",
		"readiness-health-check-interval", "enable-http2", "ports", "startupProbe", "livenessProbe", "readinessProbe",
	} {
		all[key] = serves
	}
	return all
}()

func (r *reader) application(n *yaml.Node) (app Application, err error) {
	fields, err := r.fields(n, "an application")
	if err != nil {
		return app, err
	}
	app.Line = n.Line
	task := -1 // its processes come last: they count for more
	for i, f := range fields {
		if f.name == "processes" {
			task = i
			continue
		}
		if err := r.attribute(&app, f); err != nil {
			return app, err
		}
	}
	if task >= 0 {
		if err := r.processes(&app, fields[task]); err != nil {
			return app, err
		}
	}
	if app.DockerImage != "" && (len(app.Buildpacks) > 0 || app.Path != "") {
		return app, at(n, "the App has both an image (docker) and what an image is built from (buildpacks, path): leave out one of them")
	}
	return app, nil
}

func (r *reader) attribute(app *Application, f field) (err error) {
	switch f.name {
	case "name":
		app.Name, err = r.text(f)
	case "path":
		app.Path, err = r.text(f)
	case "stack":
		app.Stack, err = r.text(f)
	case "cpu":
		app.CPU, err = r.text(f)
	case "buildpack":
		if !null(f.value) {
			var one string
			one, err = r.text(f)
			app.Buildpacks = []string{one}
		}
	case "buildpacks":
		app.Buildpacks, err = r.texts(f)
	case "env":
		app.Env, err = r.env(f)
	case "services":
		app.Services, err = r.services(f)
	case "docker":
		app.DockerImage, err = r.docker(f)
	default:
		return r.resource(app, f, "an application")
	}
	return err
}

// resource reads what an App and its process have both.
func (r *reader) resource(app *Application, f field, of string) (err error) {
	switch f.name {
	case "memory":
		app.Memory, err = r.text(f)
	case "disk_quota", "disk-quota":
		app.Disk, err = r.text(f)
	case "command":
		command := ""
		if !null(f.value) {
			if command, err = r.text(f); command == "default" { // as of Cloud Foundry's CLI
				command = ""
			}
		}
		app.Command = &command
	default:
		why, known := unheeded[f.name]
		if !known {
			return at(f.key, "unknown key %q of %s", f.name, of)
		}
		r.warn(f.key, "%s is not heeded: %s", f.name, why)
	}
	return err
}

// processes takes what is said of the process that is there for Tasks.
func (r *reader) processes(app *Application, f field) error {
	list, err := r.list(f.value, "processes")
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, n := range list {
		fields, err := r.fields(n, "a process")
		if err != nil {
			return err
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == "type" })
		if i < 0 {
			return at(n, "a process needs a type")
		}
		kind, err := r.text(fields[i])
		if err != nil {
			return err
		}
		if seen[kind] {
			return at(n, "there is another process of type %q", kind)
		}
		if seen[kind] = true; kind != "task" {
			r.warn(n, "the process %q is not heeded: of an App that is there for its Tasks, there is the process task", kind)
			continue
		}
		for _, f := range slices.Delete(fields, i, i+1) {
			if err := r.resource(app, f, "a process"); err != nil {
				return err
			}
		}
	}
	return nil
}

// env reads variables. Whatever a scalar is in YAML, a variable is as it is written: 010 stays 010.
func (r *reader) env(f field) (env []Variable, err error) {
	if null(f.value) {
		return nil, nil
	}
	fields, err := r.fields(f.value, "env")
	if err != nil {
		return nil, err
	}
	for _, v := range fields {
		value, err := r.text(v)
		if err != nil {
			return nil, err
		}
		if v.name == "" || strings.Contains(v.name, "=") {
			return nil, at(v.key, "%q is no name of a variable", v.name)
		}
		env = append(env, Variable{v.name, value})
	}
	slices.SortFunc(env, func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
	return env, nil
}

// services reads names, and objects with a name.
func (r *reader) services(f field) (services []Service, err error) {
	list, err := r.list(f.value, f.name)
	if err != nil {
		return nil, err
	}
	for _, n := range list {
		if real := resolve(n); real.Kind == yaml.ScalarNode {
			name, err := r.text(field{name: "a service", key: n, value: n})
			if err != nil {
				return nil, err
			}
			services = append(services, Service{Name: name})
			continue
		}
		fields, err := r.fields(n, "a service")
		if err != nil {
			return nil, err
		}
		var s Service
		for _, f := range fields {
			switch f.name {
			case "name":
				s.Name, err = r.text(f)
			case "binding_name":
				s.BindingName, err = r.text(f)
			case "parameters":
				r.warn(f.key, "parameters are not heeded: a service here has the credentials that its user gave")
			default:
				err = at(f.key, "unknown key %q of a service", f.name)
			}
			if err != nil {
				return nil, err
			}
		}
		if s.Name == "" {
			return nil, at(n, "a service needs a name")
		}
		services = append(services, s)
	}
	return services, nil
}

func (r *reader) docker(f field) (image string, err error) {
	fields, err := r.fields(f.value, "docker")
	if err != nil {
		return "", err
	}
	for _, f := range fields {
		switch f.name {
		case "image":
			image, err = r.text(f)
		case "username":
			r.warn(f.key, "username is not heeded: the Space's ServiceAccount has the registry's credentials (imagePullSecrets)")
		default:
			err = at(f.key, "unknown key %q of docker", f.name)
		}
		if err != nil {
			return "", err
		}
	}
	if image == "" {
		return "", at(f.key, "docker needs an image")
	}
	return image, nil
}
