package main

import (
	"strings"
	"testing"
)

func TestQuantitiesOfCloudFoundry(t *testing.T) {
	for in, want := range map[string]string{"512M": "512Mi", "1.5G": "1536Mi", "": ""} {
		r := resources{memory: in, disk: in, cpu: "0.5"}
		if err := r.check(); err != nil || r.memory != want || r.disk != want || r.cpu != "0.5" {
			t.Errorf("%q becomes %+v, %v; want %q", in, r, err, want)
		}
	}
	if err := (&resources{memory: "lots"}).check(); err == nil || !strings.Contains(err.Error(), "--memory-limit") {
		t.Error(err)
	}
}
