package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/kelseyhightower/envconfig"
	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/shared/retention"
)

// Each setting stands in the Service's YAML with its default, and in the README.
func TestSettingsAreDeployedAndDocumented(t *testing.T) {
	deployed, err := os.ReadFile("../../config/knative/prune.yaml")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var service struct {
		Spec struct {
			Template struct {
				Spec struct {
					Containers []struct {
						Env []struct{ Name, Value string }
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal(deployed, &service); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, e := range service.Spec.Template.Spec.Containers[0].Env {
		env[e.Name] = e.Value
	}
	for i := range reflect.TypeFor[config]().NumField() {
		f := reflect.TypeFor[config]().Field(i)
		name := f.Tag.Get("envconfig")
		if name == "" {
			continue
		}
		if env[name] != f.Tag.Get("default") {
			t.Errorf("%s is %q in the code and %q in config/knative/prune.yaml", name, f.Tag.Get("default"), env[name])
		}
		if !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("%s is not in the README", name)
		}
	}
}

func TestTheDefaultIsKfs(t *testing.T) {
	var cfg config
	if err := envconfig.Process("", &cfg); err != nil {
		t.Fatal(err)
	}
	policy, err := cfg.policy()
	if err != nil || policy != retention.Default() || policy.Keep != 500 {
		t.Errorf("%+v, %v", policy, err)
	}
}

func TestABadSettingIsNotServed(t *testing.T) {
	for _, bad := range []config{{Retain: "0"}, {Retain: "many"}, {Retain: ""}} {
		if policy, err := bad.policy(); err == nil {
			t.Errorf("RETAIN=%q was taken for %+v", bad.Retain, policy)
		}
	}
}
