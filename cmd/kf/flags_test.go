package main

import (
	"strings"
	"testing"
)

func TestQuantitiesOfCloudFoundry(t *testing.T) {
	for in, want := range map[string]string{"512M": "512Mi", "1G": "1Gi", "1gb": "1Gi", "512Mi": "512Mi", "0.5": "0.5", "": ""} {
		if got := fromCF(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	if err := (&resources{memory: "lots"}).check(); err == nil || !strings.Contains(err.Error(), "--memory-limit") {
		t.Error(err)
	}
}
