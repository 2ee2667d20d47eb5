package build

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Archive writes an image archive that holds the images of programs, unless it is there. Layers are not compressed:
// the archive is imported on the machine that made it, and compressing cost three times what it saved.
func (c *Cache) Archive(group string, programs []Program) (string, error) {
	file := filepath.Join(c.Dir, group+".tar")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	c.Say("packing the images of %s", group)
	images := map[name.Reference]v1.Image{}
	for _, p := range programs {
		ref, err := name.NewTag(p.Image, name.WeakValidation)
		if err != nil {
			return "", err
		}
		bin := "/ko-app/" + path.Base(p.Package) // where ko puts it, and Knative's manifests expect it
		img, err := Image(Content{
			Files: map[string]string{bin: c.Bin(p)}, Entrypoint: []string{bin}, User: p.User,
		})
		if err != nil {
			return "", fmt.Errorf("image of %s: %w", p.Package, err)
		}
		images[ref] = img
	}
	tmp := fmt.Sprint(file, ".", os.Getpid()) // another run may write it too
	if err := tarball.MultiRefWriteToFile(tmp, images); err != nil {
		return "", fmt.Errorf("write %s: %w", file, err)
	}
	return file, os.Rename(tmp, file)
}

// Content is what an image of one layer holds.
type Content struct {
	Files      map[string]string // path in the image: file on this machine
	Text       map[string]string // path in the image: content
	Links      map[string]string // path in the image: target
	Entrypoint []string
	User       string
}

// Image makes an image of one layer, with a /tmp for all.
func Image(c Content) (v1.Image, error) {
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	made := map[string]bool{"/": true}
	var dir func(string, int64) error
	dir = func(d string, mode int64) error {
		if made[d] {
			return nil
		}
		if err := dir(path.Dir(d), 0o755); err != nil {
			return err
		}
		made[d] = true
		return tw.WriteHeader(&tar.Header{Name: strings.TrimPrefix(d, "/") + "/", Typeflag: tar.TypeDir, Mode: mode})
	}
	if err := dir("/tmp", 0o1777); err != nil {
		return nil, err
	}
	add := func(to string, size int64, r io.Reader, mode int64) error {
		if err := dir(path.Dir(to), 0o755); err != nil {
			return err
		}
		if err := tw.WriteHeader(&tar.Header{Name: strings.TrimPrefix(to, "/"), Typeflag: tar.TypeReg, Mode: mode, Size: size}); err != nil {
			return err
		}
		_, err := io.Copy(tw, r)
		return err
	}
	for _, to := range sorted(c.Files) {
		f, err := os.Open(c.Files[to])
		if err != nil {
			return nil, err
		}
		st, err := f.Stat()
		if err == nil {
			err = add(to, st.Size(), f, 0o755)
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	for _, to := range sorted(c.Text) {
		if err := add(to, int64(len(c.Text[to])), strings.NewReader(c.Text[to]), 0o644); err != nil {
			return nil, err
		}
	}
	for _, to := range sorted(c.Links) {
		if err := dir(path.Dir(to), 0o755); err != nil {
			return nil, err
		}
		if err := tw.WriteHeader(&tar.Header{Name: strings.TrimPrefix(to, "/"), Typeflag: tar.TypeSymlink, Linkname: c.Links[to], Mode: 0o777}); err != nil {
			return nil, err
		}
	}
	if err := tw.Close(); err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer(buf.Bytes(), types.DockerUncompressedLayer))
	if err != nil {
		return nil, err
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	cf = cf.DeepCopy()
	cf.OS, cf.Architecture = "linux", "amd64"
	cf.Config.Entrypoint, cf.Config.User = c.Entrypoint, c.User
	cf.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/ko-app"}
	return mutate.ConfigFile(img, cf)
}

func sorted(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Bases are the two images that others build on: "static" for Go programs (ko's base) and "busybox" with a shell.
func Bases() (map[string]v1.Image, error) {
	users := map[string]string{
		"/etc/passwd": "root:x:0:0:root:/:/bin/sh\nnonroot:x:65532:65532:nonroot:/tmp:/bin/sh\n",
		"/etc/group":  "root:x:0:\nnonroot:x:65532:\n",
	}
	static, err := Image(Content{Text: users, User: "65532"})
	if err != nil {
		return nil, err
	}
	busybox := Content{Files: map[string]string{"/bin/busybox": "/bin/busybox"}, Text: users, Links: map[string]string{}, User: "65532"}
	for _, applet := range strings.Fields("sh ash cat echo env false grep head ls mkdir nslookup printenv printf ps rm sed seq sleep sort tail tee test touch tr true uname wc wget yes kill date dd awk cut id") {
		busybox.Links["/bin/"+applet] = "/bin/busybox"
	}
	shell, err := Image(busybox)
	if err != nil {
		return nil, err
	}
	return map[string]v1.Image{"static": static, "busybox": shell}, nil
}

// Push puts an image into a registry.
func Push(ref string, img v1.Image) error {
	r, err := name.ParseReference(ref)
	if err != nil {
		return err
	}
	return remote.Write(r, img)
}
