package cnb

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Key is a short hash of all that the images are made from: the module in dir, without its tests, the compiler, the machine's kind and
// Debian's programs. Images that a registry has under it need not be made again.
func Key(dir string, d Debian) (string, error) {
	h := sha256.New()
	add := func(name, file string) error {
		b, err := os.ReadFile(file)
		fmt.Fprintf(h, "%s %d\n%s", name, len(b), b)
		return err
	}
	fmt.Fprintln(h, runtime.Version(), runtime.GOARCH)
	for _, program := range []string{d.Busybox, d.Bash} {
		if err := add(filepath.Base(program), program); err != nil {
			return "", err
		}
	}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error { // in the order of names
		if err != nil || e.IsDir() || strings.HasSuffix(p, "_test.go") {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		return add(fmt.Sprint(rel, " ", info.Mode()&0o100), p)
	})
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), err
}
