package e2e

import (
	"archive/tar"
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// busybox has /bin/sh, which is no bash, and neither ENTRYPOINT nor CMD.
func busybox() string { return os.Getenv("KO_DOCKER_REPO") + "/base/busybox:latest" }

// made pushes busybox with other files and another configuration, and returns what it is called.
func made(t *testing.T, tag string, files map[string][]byte, change func(*v1.Config)) string {
	t.Helper()
	ref := func(image string) name.Reference {
		r, err := name.ParseReference(image, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	img, err := remote.Image(ref(busybox()))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for path, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(path, "/"), Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	if img, err = mutate.AppendLayers(img, layer); err != nil {
		t.Fatal(err)
	}
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config := *cf.Config.DeepCopy()
	change(&config)
	if img, err = mutate.Config(img, config); err != nil {
		t.Fatal(err)
	}
	image := os.Getenv("KO_DOCKER_REPO") + "/e2e/made:" + tag
	if err := remote.Write(ref(image), img); err != nil {
		t.Fatal(err)
	}
	return image
}

// bash is this machine's, with the libraries that it needs.
func bash(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	add := func(path, from string) {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		files[path] = b
	}
	add("/bin/bash", "/bin/bash")
	libraries, err := exec.Command("ldd", "/bin/bash").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range regexp.MustCompile(`/\S+\.so\S*`).FindAllString(string(libraries), -1) {
		add(filepath.Clean(path), path)
	}
	return files
}

// launcher is what buildpacks' does with one string, and with words.
func launcher(shell string) []byte {
	return []byte("#!" + shell + "\nif [ \"$1\" = -- ]; then shift; exec \"$@\"; fi\nexec " + shell + " -c \"$@\"\n")
}

// TestACommandStartsAsItsImageMeansIt, on real Pods: by bash or sh, a buildpack's launcher, ENTRYPOINT and CMD, or as words.
func TestACommandStartsAsItsImageMeansIt(t *testing.T) {
	w := newWorld(t)
	withBash := bash(t)
	withLauncher := map[string][]byte{"/cnb/lifecycle/launcher": launcher("/bin/bash"), "/cnb/process/web": []byte("#!/bin/sh\necho web\n")}
	for path, content := range withBash {
		withLauncher[path] = content
	}
	nothing := func(*v1.Config) {}
	cnb := func(c *v1.Config) {
		c.Entrypoint, c.Labels = []string{"/cnb/process/web"}, map[string]string{"io.buildpacks.build.metadata": "{}"}
	}
	echo := []byte("#!/bin/busybox sh\nfor word; do echo \"[$word]\"; done\n")
	noShell := func(c *v1.Config) { c.Entrypoint = []string{"/entry"} }
	gone := map[string][]byte{"/entry": echo, "/bin/.wh.sh": nil}
	odd := func(a *v1alpha1.App) {
		a.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "app.mode", Value: "blue"}, {Name: "my-var", Value: "1"}}
	}
	for name, image := range map[string]string{
		"bashful":  made(t, "bash", withBash, nothing),
		"packed":   made(t, "cnb", withLauncher, cnb),
		"small":    made(t, "cnb-small", map[string][]byte{"/cnb/lifecycle/launcher": launcher("/bin/sh"), "/cnb/process/web": echo}, cnb),
		"scripted": made(t, "entry", map[string][]byte{"/entry": echo}, func(c *v1.Config) { c.Entrypoint, c.Cmd = []string{"/entry", "a"}, []string{"b c", "$$ $(x)"} }),
		"shelless": made(t, "none", gone, noShell),
		"cmd":      made(t, "cmd", map[string][]byte{"/entry": echo}, func(c *v1.Config) { c.Cmd = []string{"/entry", "cmd"} }),
	} {
		change := odd
		if name != "bashful" {
			change = nil
		}
		w.app(t, name, image, change)
	}
	const mode = `env | grep -c -e '^app.mode=blue' -e '^my-var=1'`
	for name, task := range map[string]struct{ app, command, want string }{
		"bash-env":    {"bashful", mode, "2\n"},
		"bash-is-it":  {"bashful", `[[ $BASH_VERSION ]] && echo "$0"`, "/bin/bash\n"},
		"cnb-line":    {"packed", `echo migrated | tr a-z A-Z`, "MIGRATED\n"},
		"cnb-web":     {"packed", "", "web\n"},
		"cnb-words":   {"small", `echo "big world" '|'`, "big world |\n"},
		"entry-cmd":   {"scripted", "", "[a]\n[b c]\n[$$ $(x)]\n"},
		"entry-shell": {"scripted", `echo shell | tr a-z A-Z`, "SHELL\n"},
		"none-words":  {"shelless", `hello "big world"`, "[hello]\n[big world]\n"},
		"cmd-alone":   {"cmd", "", "[cmd]\n"},
	} {
		w.task(t, name, task.app, task.command, nil)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, reason, message := w.ends(t, name); reason != v1alpha1.ReasonSucceeded {
				t.Errorf("%s: %s", reason, message)
			}
			if got := w.log(t, name); got != task.want {
				t.Errorf("%q, want %q", got, task.want)
			}
		})
	}
	w.task(t, "nothing-to-run", "shop", "", nil)
	t.Run("nothing to run", func(t *testing.T) {
		t.Parallel()
		if task, reason, message := w.ends(t, "nothing-to-run"); reason != v1alpha1.ReasonInvalidTask || !strings.Contains(message, "no command") || task.Status.ExitCode != nil {
			t.Errorf("%s %s %v", reason, message, task.Status.ExitCode)
		}
	})
}

// TestSignalsAreToldAsAShellTellsThem: in the status, its message, and by kf.
func TestSignalsAreToldAsAShellTellsThem(t *testing.T) {
	w := newWorld(t)
	for signal, code := range map[string]int{"KILL": 137, "SEGV": 139, "ABRT": 134, "TERM": 143} {
		name := "dies-by-" + strings.ToLower(signal)
		w.task(t, name, "shop", "kill -"+signal+" $$", nil)
		t.Run(signal, func(t *testing.T) {
			t.Parallel()
			task, reason, message := w.ends(t, name)
			if task.Status.ExitCode == nil || int(*task.Status.ExitCode) != code || reason != v1alpha1.ReasonFailed ||
				!strings.Contains(message, fmt.Sprintf("code %d: it was ended by signal %d", code, code-128)) {
				t.Errorf("%s %s %v", reason, message, task.Status.ExitCode)
			}
		})
	}
	t.Run("kf", func(t *testing.T) {
		t.Parallel()
		if out, code := w.kf(t, "run-task", "shop", "-c", "kill -KILL $$", "--wait"); code != 137 {
			t.Errorf("exit code %d, want 137:\n%s", code, out)
		}
	})
}

// TestWhatPushSaysArrivesByteForByte: a start command that a shell reads, a variable, the memory that is the limit.
func TestWhatPushSaysArrivesByteForByte(t *testing.T) {
	w := newWorld(t)
	wild := "$$ $(GREETING) $(context.taskRun.name) $(params.x) ${A} \"q\" 'q' `b`\n\r\n\t🦊 \\"
	if out, code := w.kf(t, "push", "wild", "--docker-image", busybox(), "--task", "-e", "GREETING=hi", "-e", "A="+wild, "-m", "64M",
		"-c", `echo "$GREETING $$" | tr a-z A-Z; echo "$MEMORY_LIMIT"; echo "$VCAP_APPLICATION"; echo "[${VCAP_SERVICES-unset}]"`); code != 0 {
		t.Fatal(out)
	}
	w.task(t, "starts", "wild", "", nil)
	w.task(t, "prints", "wild", `printf %s "$A" | base64`, nil)
	w.task(t, "smaller", "wild", `echo $MEMORY_LIMIT; tail /dev/zero`, func(t *v1alpha1.Task) { t.Spec.Memory = "32Mi" })
	quoted := "printf %s '" + strings.ReplaceAll(wild, "'", `'\''`) + "' | base64" // a log keeps no carriage return
	w.task(t, "says", "wild", quoted, nil)
	for name, want := range map[string]*regexp.Regexp{
		"starts":  regexp.MustCompile(`^HI [0-9]+\n64M\n.*"mem":64.*\n\[{}\]\n$`),
		"prints":  regexp.MustCompile("^" + regexp.QuoteMeta(wild) + "$"),
		"says":    regexp.MustCompile("^" + regexp.QuoteMeta(wild) + "$"),
		"smaller": regexp.MustCompile(`^32M\n`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ends := map[string]string{"smaller": v1alpha1.ReasonOutOfMemory}[name] // the limit is real
			if _, reason, message := w.ends(t, name); reason != cmp.Or(ends, v1alpha1.ReasonSucceeded) {
				t.Errorf("%s: %s", reason, message)
			}
			got := w.log(t, name)
			if name == "prints" || name == "says" {
				b, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(got, "\n", ""))
				if err != nil {
					t.Fatalf("%q: %v", got, err)
				}
				got = string(b)
			}
			if !want.MatchString(got) {
				t.Errorf("%q, want %s", got, want)
			}
		})
	}
}

// TestInitContainersRunFirst, and what fails in one is said.
func TestInitContainersRunFirst(t *testing.T) {
	w := newWorld(t)
	for name, command := range map[string]string{"fetches": "echo fetched > /data/file", "can-t": "exit 4"} {
		w.app(t, name, busybox(), func(a *v1alpha1.App) {
			p := &a.Spec.Template.Spec
			p.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
			mount := []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
			p.InitContainers = []corev1.Container{{Name: "fetch", Image: busybox(), Command: []string{"/bin/sh", "-c", command}, VolumeMounts: mount}}
			p.Containers[0].VolumeMounts = mount
		})
		w.task(t, name+"-task", name, "cat /data/file", nil)
	}
	if _, reason, message := w.ends(t, "fetches-task"); reason != v1alpha1.ReasonSucceeded || w.log(t, "fetches-task") != "fetched\n" {
		t.Errorf("%s: %s", reason, message)
	}
	task, reason, message := w.ends(t, "can-t-task")
	if reason != v1alpha1.ReasonFailed || !strings.Contains(message, `initContainer "fetch" exited with code 4`) || task.Status.ExitCode != nil {
		t.Errorf("%s: %s, exit code %v", reason, message, task.Status.ExitCode)
	}
}
