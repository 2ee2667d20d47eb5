package cnb

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/buildpacks/lifecycle/api"
)

// Version is the lifecycle's, as go.mod pins it.
const Version = "0.21.0"

// Programs are the compiled ones: the lifecycle, which is all phases under many names, and what starts the processes of an App.
type Programs struct{ Lifecycle, Launcher string }

const module = "github.com/buildpacks/lifecycle"

// phases are the names of the lifecycle's program.
var phases = []string{"analyzer", "builder", "creator", "detector", "exporter", "extender", "rebaser", "restorer"}

// Compile builds the programs of the module in dir, as Go files of it pin them, into the folder out. What is there and up to date stays.
func Compile(ctx context.Context, dir, out string) (Programs, error) {
	out, err := filepath.Abs(out)
	if err != nil {
		return Programs{}, err
	}
	p := Programs{Lifecycle: filepath.Join(out, "lifecycle"), Launcher: filepath.Join(out, "launcher")}
	for pkg, to := range map[string]string{"lifecycle": p.Lifecycle, "launcher": p.Launcher} {
		// Without its version it would say 0.0.0. No trace of the machine: the same sources give the same program.
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w -X "+module+"/cmd.Version="+Version,
			"-o", to, module+"/cmd/"+pkg)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false -mod=readonly", "GOWORK=off")
		if said, err := cmd.CombinedOutput(); err != nil {
			return Programs{}, fmt.Errorf("compile %s/cmd/%s: %w\n%s", module, pkg, err, said)
		}
	}
	return p, nil
}

// lifecycle is where every builder image has it.
func (p Programs) lifecycle() (tree, error) {
	t := tree{}
	for _, program := range []string{p.Lifecycle, p.Launcher} {
		if err := t.program("/cnb/lifecycle/"+filepath.Base(program), program); err != nil {
			return nil, err
		}
	}
	for _, name := range phases {
		t.link("/cnb/lifecycle/"+name, "lifecycle")
	}
	t.text("/cnb/lifecycle/lifecycle.toml", descriptor())
	return t, nil
}

// descriptor says which versions of the specifications the lifecycle speaks.
func descriptor() string {
	var b strings.Builder
	for _, of := range []struct {
		name string
		apis api.APIs
	}{{"buildpack", api.Buildpack}, {"platform", api.Platform}} {
		fmt.Fprintf(&b, "[apis.%s]\ndeprecated = %s\nsupported = %s\n\n", of.name, of.apis.Deprecated, of.apis.Supported)
	}
	fmt.Fprintf(&b, "[api]\nbuildpack = %q\nplatform = %q\n\n", api.Buildpack.Supported[0], api.Platform.Supported[0])
	fmt.Fprintf(&b, "[lifecycle]\nversion = %q\n", Version)
	return b.String()
}
