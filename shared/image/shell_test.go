package image

import (
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// TestTheBestShell, whatever layer brings it, links it, or takes it away.
func TestTheBestShell(t *testing.T) {
	type files = []string
	for name, test := range map[string]struct {
		layers []files
		want   string
	}{
		"none":                  {[]files{{"app"}}, ""},
		"sh":                    {[]files{{"bin/sh"}}, "/bin/sh"},
		"merged /usr":           {[]files{{"./usr/bin/sh"}}, "/usr/bin/sh"},
		"bash of the same":      {[]files{{"bin/sh", "bin/bash"}}, "/bin/bash"},
		"bash of a later layer": {[]files{{"bin/sh"}, {"app"}, {"usr/bin/bash"}}, "/usr/bin/bash"},
		"taken away":            {[]files{{"bin/sh"}, {"bin/.wh.sh"}}, ""},
		"bash taken away":       {[]files{{"bin/sh", "bin/bash"}, {"bin/.wh.bash"}}, "/bin/sh"},
		"all of bin":            {[]files{{"bin/sh"}, {".wh.bin"}}, ""},
		"all in bin":            {[]files{{"usr/bin/sh"}, {"usr/bin/.wh..wh..opq", "usr/bin/app"}}, ""},
		"another bin":           {[]files{{"bin/sh"}, {"opt/bin/.wh.sh", "opt/.wh..wh..opq"}}, "/bin/sh"},
		"brought back":          {[]files{{"bin/sh"}, {"bin/.wh.sh"}, {"bin/sh"}}, "/bin/sh"},
		"another's":             {[]files{{"opt/bin/bash", "bin/shell"}}, ""},
	} {
		got, err := findShell(layered(t, v1.Config{}, test.layers...))
		if got != test.want || err != nil {
			t.Errorf("%s: %q %v, want %q", name, got, err, test.want)
		}
	}
}

// TestALargeLayerIsNotReadForMore: a shell that is there will do.
func TestALargeLayerIsNotReadForMore(t *testing.T) {
	large := "noise*" + strings.Repeat("x", maxMore>>20+1)
	if got, err := findShell(layered(t, v1.Config{}, []string{"bin/sh"}, []string{large, "bin/bash"})); got != "/bin/sh" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}
