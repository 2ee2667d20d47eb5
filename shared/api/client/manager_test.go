package client

import (
	"strings"
	"testing"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// FuzzFieldManager: whatever a sender calls itself, the API server takes it.
func FuzzFieldManager(f *testing.F) {
	f.Add("/billing")
	f.Add(strings.Repeat("é", 100))
	f.Add("/a\u200bb\xff")
	f.Fuzz(func(t *testing.T, source string) {
		m := fieldManager(source)
		if errs := validation.ValidateFieldManager(m, field.NewPath("fieldManager")); len(errs) > 0 || !utf8.ValidString(m) {
			t.Errorf("%q: %v", m, errs)
		}
		if len(utilvalidation.IsDNS1123Subdomain(source)) == 0 && len(source) < 120 && m != source {
			t.Errorf("%q became %q", source, m)
		}
	})
}
