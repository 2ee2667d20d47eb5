// registry COMMAND... runs a command with a registry of its own: KO_DOCKER_REPO and KO_DEFAULTBASEIMAGE lead there. It has a base image
// for amd64 and arm64 that holds what ko's own has for programs of Go but CA certificates: users, and a /tmp. So a release can be made,
// and compared with another, where no registry is reached. When the command ends it is gone.
package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: registry COMMAND...")
		os.Exit(2)
	}
	err := run(os.Args[1:])
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(command []string) error {
	blobs, err := os.MkdirTemp("", "registry-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(blobs)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	quiet := registry.Logger(log.New(io.Discard, "", 0))
	go func() {
		_ = http.Serve(listener, registry.New(quiet, registry.WithBlobHandler(registry.NewDiskBlobHandler(blobs))))
	}()
	host := listener.Addr().String()
	base, err := push(host + "/base")
	if err != nil {
		return fmt.Errorf("push the base image: %w", err)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "KO_DOCKER_REPO="+host+"/kf-tasks", "KO_DEFAULTBASEIMAGE="+base)
	return cmd.Run()
}

// push puts the base image for both architectures there, and returns its name by digest.
func push(repository string) (string, error) {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return "", err
	}
	layer, err := files()
	if err != nil {
		return "", err
	}
	all := v1.ImageIndex(empty.Index)
	for _, arch := range []string{"amd64", "arm64"} {
		img, err := mutate.AppendLayers(empty.Image, layer)
		if err != nil {
			return "", err
		}
		img, err = mutate.ConfigFile(img, &v1.ConfigFile{OS: "linux", Architecture: arch, Config: v1.Config{User: "65532"}})
		if err != nil {
			return "", err
		}
		img = mutate.MediaType(img, types.OCIManifestSchema1)
		of := v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}
		all = mutate.AppendManifests(all, mutate.IndexAddendum{Add: img, Descriptor: of})
	}
	digest, err := all.Digest()
	if err != nil {
		return "", err
	}
	return repo.Digest(digest.String()).String(), remote.WriteIndex(repo.Tag("latest"), all)
}

func files() (v1.Layer, error) {
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	const users = "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n"
	for _, header := range []*tar.Header{
		{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}, {Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "etc/passwd", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(users))},
	} {
		if err := tw.WriteHeader(header); err != nil {
			return nil, err
		}
	}
	if _, err := io.WriteString(tw, users); err != nil {
		return nil, err
	}
	return static.NewLayer(buf.Bytes(), types.OCIUncompressedLayer), tw.Close()
}
