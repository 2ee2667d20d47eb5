package tekton

import (
	"strings"
	"testing"
)

// TestSettings: what our cluster has lacks nothing, and each can lack something.
func TestSettings(t *testing.T) {
	for _, s := range Settings {
		if lacks := s.Lacks(s.Value); lacks != "" {
			t.Errorf("%s as it is set lacks %s", s.Key, lacks)
		}
		if s.Lacks("false") == "" {
			t.Errorf("%s as false lacks nothing", s.Key)
		}
		if !strings.Contains(s.Patch(), s.ConfigMap) || strings.Contains(s.Patch(), "\n") {
			t.Errorf("not one command: %s", s.Patch())
		}
	}
	for value, want := range map[string]string{
		"default: {requests: {cpu: 1m, memory: 1Mi}, limits: {cpu: 1m, memory: 1Mi}}": "",
		"prepare: {requests: {cpu: 1m, memory: 1Mi}, limits: {cpu: 1m, memory: 1Mi}}": "place-scripts",
		"default: {limits: {memory: 1Mi}}":                                            "prepare, place-scripts",
		"- x":                                                                         "can't be read",
	} {
		if lacks := resources(value); (lacks == "") != (want == "") || !strings.Contains(lacks, want) {
			t.Errorf("%s lacks %q, want %q", value, lacks, want)
		}
	}
}
