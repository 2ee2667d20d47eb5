package service

import (
	"encoding/json"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Credentials are values by their names, each as JSON.
type Credentials map[string]json.RawMessage

// ReadCredentials reads one JSON object.
func ReadCredentials(text []byte) (Credentials, error) {
	var c Credentials
	if json.Unmarshal(text, &c) != nil || c == nil {
		return nil, errors.New("no JSON object")
	}
	return c, nil
}

// With is the credentials with others beside them, which win: as Kf adds the parameters of a binding.
func (c Credentials) With(others Credentials) Credentials {
	all := Credentials{}
	for _, each := range []Credentials{c, others} {
		for name, value := range each {
			all[name] = value
		}
	}
	return all
}

// KfForm is the credentials as a Secret has them in Kf's form: values stay JSON. Left out are those whose name can be no key.
func (c Credentials) KfForm() map[string][]byte {
	data := map[string][]byte{}
	for name, value := range c {
		if len(validation.IsConfigMapKey(name)) == 0 {
			data[name] = value
		}
	}
	return data
}

// Entries that every binding has (servicebinding.io, spec 1.1, Well-known Secret Entries).
const (
	typeFile     = "type"
	providerFile = "provider"
)

// Files are the credentials as files by their names: a string is what it says, anything else is JSON. Type and provider are the
// credentials' own where they have them. Left out are names that can be no file's.
func (c Credentials) Files(class string) map[string][]byte {
	files := map[string][]byte{typeFile: []byte(class), providerFile: []byte(class)}
	for name, value := range c.KfForm() {
		var text string
		if json.Unmarshal(value, &text) == nil && string(value) != "null" {
			value = []byte(text)
		}
		files[name] = value
	}
	return files
}

// Unnamed are the names that can be neither a key of a Secret nor a file, in order.
func (c Credentials) Unnamed() (names []string) {
	for name := range c {
		if len(validation.IsConfigMapKey(name)) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
