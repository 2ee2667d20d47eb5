package image

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func TestProcesses(t *testing.T) {
	for label, want := range map[string][]v1alpha1.Process{
		``: nil, `{}`: nil, `[1]`: nil,
		`{"processes": [{"type": "web", "command": ["bin/web", "-v"], "args": ["8080"], "direct": true}, {"type": "worker", "command": "bin/work"}]}`: {
			{Type: "web", Command: []string{"bin/web", "-v"}, Args: []string{"8080"}}, {Type: "worker", Command: []string{"bin/work"}}},
		`{"processes": [{"type": "../x"}, {"type": ".."}, {"type": ""}, {"type": "a b"}, {"type": "web"}, {"type": "web", "command": ["again"]}]}`: {{Type: "web"}},
	} {
		if got := processes(label); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", label, got, want)
		}
	}
}

// TestALabelFillsNoStatus: whoever made the image chose what it says.
func TestALabelFillsNoStatus(t *testing.T) {
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf(`{"type": "t%d", "command": ["%s"]}`, i, strings.Repeat("x", 9000)))
	}
	got := processes(`{"processes": [` + strings.Join(many, ",") + `]}`)
	if len(got) != maxProcesses || len(got[0].Command[0]) != maxWord {
		t.Errorf("%d processes, the first with %d bytes", len(got), len(got[0].Command[0]))
	}
}
