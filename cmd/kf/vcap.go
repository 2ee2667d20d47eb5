package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// vcapServices is what VCAP_SERVICES says: services by label, in Cloud Foundry's form and Kf's.
type vcapServices map[string][]vcapService

// userProvided is the label of services whose credentials the user brings.
const userProvided = "user-provided"

type vcapService struct {
	BindingName  *string                    `json:"binding_name,omitempty"`
	InstanceName string                     `json:"instance_name,omitempty"`
	Name         string                     `json:"name"` // the binding's if it has one, else the instance's
	Label        string                     `json:"label"`
	Tags         []string                   `json:"tags"`
	Plan         string                     `json:"plan,omitempty"`
	Credentials  map[string]json.RawMessage `json:"credentials"`
	// VolumeMounts are another's, and stay.
	VolumeMounts json.RawMessage `json:"volume_mounts,omitempty"`
}

func readVCAP(text []byte) (vcapServices, error) {
	v := vcapServices{}
	if len(text) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("VCAP_SERVICES is no JSON object of services: %w", err)
	}
	return v, nil
}

// bind puts a service in place of the one of its instance, or adds it.
func (v vcapServices) bind(s vcapService) {
	v.unbind(s.InstanceName)
	v[s.Label] = append(v[s.Label], s)
	slices.SortStableFunc(v[s.Label], func(a, b vcapService) int { return strings.Compare(a.Name, b.Name) })
}

// unbind takes a service instance out, and says whether it was there.
func (v vcapServices) unbind(instance string) (found bool) {
	for label, services := range v {
		left := slices.DeleteFunc(services, func(s vcapService) bool { return s.InstanceName == instance })
		found = found || len(left) < len(services)
		if v[label] = left; len(left) == 0 {
			delete(v, label)
		}
	}
	return found
}

// environment is what the Secret of an App's bindings holds: VCAP_SERVICES, and DATABASE_URL where a service has a uri, by
// the rule of Cloud Foundry and Kf: the first one's.
func (v vcapServices) environment() (map[string][]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	env := map[string][]byte{"VCAP_SERVICES": b}
	labels := make([]string, 0, len(v))
	for label := range v {
		labels = append(labels, label)
	}
	slices.Sort(labels)
	for _, label := range labels {
		for _, s := range v[label] {
			var uri string
			if json.Unmarshal(s.Credentials["uri"], &uri) == nil && uri != "" && env["DATABASE_URL"] == nil {
				env["DATABASE_URL"] = []byte(uri)
			}
		}
	}
	return env, nil
}
