package main

import (
	"bytes"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
)

// FuzzQuantities: what the flags take is a quantity, and the same when it is given again; what they refuse is said in one row.
func FuzzQuantities(f *testing.F) {
	for _, s := range []string{"", "512M", "1G", "512", "-1G", "0", "1e1.5", "1e999", "9999999999999999999G", "500m", ".5", "0x10", "1GB", "\x1b[2J\n", "1 G", "½G"} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, cpu, memory, disk string) {
		r := resources{cpu, memory, disk}
		if err := r.check(); err != nil {
			var out bytes.Buffer
			screen{&out, &out}.progress("Error: %v", err)
			if bytes.Count(out.Bytes(), []byte("\n")) != 1 || bytes.ContainsAny(out.Bytes(), "\x1b\r\x7f") {
				t.Errorf("%q", out.String())
			}
			return
		}
		for _, s := range []string{r.cpu, r.memory, r.disk} {
			if s == "" {
				continue
			}
			if _, err := resource.ParseQuantity(s); err != nil {
				t.Errorf("%+v: %q is taken: %v", r, s, err)
			}
		}
		if again := r; again.check() != nil || again != r {
			t.Errorf("%+v becomes %+v", r, again)
		}
	})
}
