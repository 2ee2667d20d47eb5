package quantity

import (
	"strings"
	"testing"
)

// TestBytesAreWhatCfReads: the same letters, and the same powers of 1024, whatever the number.
func TestBytesAreWhatCfReads(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "512M": "512Mi", "512m": "512Mi", "512MB": "512Mi", "512mib": "512Mi", "512Mi": "512Mi", "1G": "1Gi", "1gb": "1Gi", "2T": "2Ti",
		"1.5G": "1536Mi", "1.5g": "1536Mi", "0.5M": "512Ki", "1024M": "1024Mi", "1.0G": "1Gi", "2048K": "2048Ki", "1P": "1Pi", "0.25K": "256",
	} {
		if got, err := Bytes(in); got != want || err != nil {
			t.Errorf("%q becomes %q, %v; want %q", in, got, err, want)
		}
	}
	for in, why := range map[string]string{
		"512": "no unit", "0.5": "no unit", "0": "write, for example, 512M", "0M": "nothing", "0.0G": "nothing", "-1G": "below zero", "-1": "below zero",
		"1.0001K": "whole number of bytes", "lots": "not a quantity", "1e9": "not a quantity", "1GG": "not a quantity", " 1G": "not a quantity", "1G\n": "not a quantity",
		"1,5G": "not a quantity", "M": "not a quantity", ".5G": "not a quantity", "1E": "not a quantity",
	} {
		if got, err := Bytes(in); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q becomes %q, %v; want an error with %q", in, got, err, why)
		}
	}
}

func TestCores(t *testing.T) {
	for in, good := range map[string]bool{"": true, "1": true, "0.5": true, "500m": true, "0": false, "-1": false, "1e1.5": false, "x": false} {
		if got, err := Cores(in); (err == nil) != good || good && got != in {
			t.Errorf("%q: %q %v", in, got, err)
		}
	}
}
