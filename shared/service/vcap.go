// Package service has what an App is told of the services that it is bound to: VCAP_SERVICES, in Cloud Foundry's form and Kf's, and
// files, in that of servicebinding.io. It is pure, and its errors repeat no value.
package service

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// The variables of the Secret that an App's bindings fill.
const (
	VCAPServices = "VCAP_SERVICES"
	DatabaseURL  = "DATABASE_URL"
)

// VCAP is what VCAP_SERVICES says: services by label.
type VCAP map[string][]Service

// Service is one of them, as an App sees it.
type Service struct {
	BindingName  *string     `json:"binding_name,omitempty"`
	InstanceName string      `json:"instance_name,omitempty"`
	Name         string      `json:"name"` // the binding's if it has one, else the instance's
	Label        string      `json:"label"`
	Tags         []string    `json:"tags"`
	Plan         string      `json:"plan,omitempty"`
	Credentials  Credentials `json:"credentials"`
	// VolumeMounts are another's, and stay.
	VolumeMounts json.RawMessage `json:"volume_mounts,omitempty"`
}

// ReadVCAP reads VCAP_SERVICES; of nothing it is an empty one.
func ReadVCAP(text []byte) (VCAP, error) {
	v := VCAP{}
	if len(text) == 0 {
		return v, nil
	}
	if json.Unmarshal(text, &v) != nil || v == nil {
		return nil, errors.New("VCAP_SERVICES is no JSON object of services")
	}
	return v, nil
}

// Bind puts a service in place of the one of its instance, or adds it.
func (v VCAP) Bind(s Service) {
	v.Unbind(s.InstanceName)
	v[s.Label] = append(v[s.Label], s)
	slices.SortStableFunc(v[s.Label], func(a, b Service) int { return strings.Compare(a.Name, b.Name) })
}

// Unbind takes a service instance out, and says whether it was there.
func (v VCAP) Unbind(instance string) (found bool) {
	for label, services := range v {
		left := slices.DeleteFunc(services, func(s Service) bool { return s.InstanceName == instance })
		found = found || len(left) < len(services)
		if v[label] = left; len(left) == 0 {
			delete(v, label)
		}
	}
	return found
}

// Of is the service of an instance, nil if the App is not bound to it.
func (v VCAP) Of(instance string) *Service {
	for _, services := range v {
		for i := range services {
			if services[i].InstanceName == instance {
				return &services[i]
			}
		}
	}
	return nil
}

// Environment is what the Secret of an App's bindings holds: VCAP_SERVICES, and DATABASE_URL where a service has a uri, by
// the rule of Cloud Foundry and Kf: the first one's.
func (v VCAP) Environment() (map[string][]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, errors.New("the credentials are no JSON")
	}
	env := map[string][]byte{VCAPServices: b}
	for _, label := range slices.Sorted(maps.Keys(v)) {
		for _, s := range v[label] {
			var uri string
			if json.Unmarshal(s.Credentials["uri"], &uri) == nil && uri != "" && env[DatabaseURL] == nil {
				env[DatabaseURL] = []byte(uri)
			}
		}
	}
	return env, nil
}
