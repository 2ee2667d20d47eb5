package cnb

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Debian is what the images have of the machine: a shell with its tools, and the bash that the launcher runs commands by.
type Debian struct{ Busybox, Bash string }

// FindDebian looks for the packages busybox-static and bash-static.
func FindDebian() (d Debian, err error) {
	if d.Busybox, err = static("busybox-static", "/bin/busybox", "/usr/bin/busybox"); err != nil {
		return d, err
	}
	d.Bash, err = static("bash-static", "/bin/bash-static", "/usr/bin/bash-static")
	return d, err
}

// static is the first of the paths that is there, which must run without the libraries of the machine.
func static(pkg string, paths ...string) (string, error) {
	for _, p := range paths {
		f, err := elf.Open(p)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", p, err)
		}
		defer f.Close()
		for _, part := range f.Progs {
			if part.Type == elf.PT_INTERP {
				return "", fmt.Errorf("%s needs libraries, which the image does not have: install the package %s", p, pkg)
			}
		}
		return p, nil
	}
	return "", fmt.Errorf("%s is not there: install the package %s (bin/cluster prepare does)", paths[0], pkg)
}

// applets are the names that busybox goes by.
func (d Debian) applets() ([]string, error) {
	out, err := exec.Command(d.Busybox, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --list: %w", d.Busybox, err)
	}
	return strings.Fields(string(out)), nil
}

// base has a shell, its tools, a user, and what that user may write into.
func (d Debian) base() (tree, error) {
	t := tree{}
	applets, err := d.applets()
	if err != nil {
		return nil, err
	}
	for _, name := range applets {
		t.link("/bin/"+name, "busybox")
	}
	if err := t.program("/bin/busybox", d.Busybox); err != nil { // it lists itself too
		return nil, err
	}
	if err := t.program("/bin/bash", d.Bash); err != nil {
		return nil, err
	}
	t.link("/usr/bin/env", "/bin/busybox") // where scripts look for it
	t.text("/etc/passwd", fmt.Sprintf("root:x:0:0:root:/root:/bin/sh\ncnb:x:%d:%d:cnb:/home/cnb:/bin/bash\n", User, Group))
	t.text("/etc/group", fmt.Sprintf("root:x:0:\ncnb:x:%d:\n", Group))
	t.text("/etc/os-release", fmt.Sprintf("ID=%s\nVERSION_ID=%s\nPRETTY_NAME=\"%s %s\"\n", distro, distroVersion, distro, distroVersion))
	t.folder("/tmp", 0o1777)
	t.home("/home/cnb")
	return t, nil
}
