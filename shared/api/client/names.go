package client

import "k8s.io/apimachinery/pkg/util/validation"

// ValidName says whether an object can have the name. Names come from outside, by events, references and command lines,
// and become parts of paths. Not every client of client-go refuses one that makes another path of it: its client of
// metadata joins ".." and "a/b" as they are.
func ValidName(name string) bool { return validation.IsDNS1123Subdomain(name) == nil }

// ValidNamespace says the same of a namespace.
func ValidNamespace(name string) bool { return validation.IsDNS1123Label(name) == nil }
