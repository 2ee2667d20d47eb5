package source

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kf-tasks/kf-tasks/shared/registry"
)

// Limits bound what is unpacked: a small layer can hold a large disk.
type Limits struct {
	Entries int   // files, folders and links, and folders that are in names only
	Bytes   int64 // of all files
}

// DefaultLimits are more than a source has.
var DefaultLimits = Limits{Entries: 1_000_000, Bytes: 16 << 30}

// Fetch reads an image of source by its digest, which is checked, and unpacks it into a folder that is there. Who chose the image and its
// registry is not trusted: see Untar, and the package registry. Credentials come from the docker configuration (DOCKER_CONFIG).
func Fetch(ctx context.Context, image name.Digest, dir string, limits Limits) (Summary, error) {
	img, err := remote.Image(image, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithTransport(registry.Transport()), remote.WithUserAgent("kf"))
	if err != nil {
		return Summary{}, fmt.Errorf("read the source %s: %w", image, err)
	}
	layers, err := img.Layers()
	if err != nil {
		return Summary{}, fmt.Errorf("read the source %s: %w", image, err)
	}
	if len(layers) != 1 {
		return Summary{}, fmt.Errorf("the source %s has %d layers, and an image of source has one: push it with kf", image, len(layers))
	}
	r, err := registry.Open(layers[0])
	if err != nil {
		return Summary{}, fmt.Errorf("read the source %s: %w", image, err)
	}
	summary, err := Untar(r, dir, limits)
	if err = errors.Join(err, r.Close()); err != nil {
		return Summary{}, fmt.Errorf("unpack the source %s: %w", image, err)
	}
	return summary, nil
}

// uncompressed opens a layer's tar.
func uncompressed(l v1.Layer) (io.ReadCloser, error) { return registry.Open(l) }

// Untar unpacks the files under Root of a layer's tar into a folder that is there, and nothing of what else is in it. Nothing leaves
// the folder: not by a name, a link, or a link on the way of either, which the kernel sees to (os.Root). Modes are 0755 and 0644; owners,
// times, devices and attributes are not taken over. The tar is read to its very end, so that who gave it has checked its digest.
func Untar(from io.Reader, dir string, limits Limits) (Summary, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Summary{}, fmt.Errorf("open the folder %s: %w", dir, err)
	}
	defer root.Close()
	buffered := bufio.NewReaderSize(from, 1<<20)
	u := unpacker{root: root, in: tar.NewReader(buffered), left: limits}
	for {
		header, err := u.in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = u.entry(header)
		}
		if err != nil {
			return Summary{}, err
		}
	}
	n, err := io.Copy(io.Discard, io.LimitReader(buffered, maxPadding+1))
	if err == nil && n > maxPadding {
		err = errors.New("it goes on after the end of its files") // so its digest is not known
	}
	if err != nil {
		return Summary{}, err
	}
	if err := u.checkLinks(); err != nil {
		return Summary{}, err
	}
	if u.Files == 0 {
		return Summary{}, fmt.Errorf("there is no file under %s in it", Root)
	}
	return u.Summary, nil
}

// checkLinks looks where the links lead, when all that they may lead over is there.
func (u *unpacker) checkLinks() error {
	for _, link := range u.links {
		info, err := u.root.Lstat(link)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().Type() != fs.ModeSymlink {
			continue // a later entry has its place
		}
		if err != nil {
			return err
		}
		target, err := u.root.Readlink(link)
		if err != nil {
			return err
		}
		if err := checkLink(link, target, u.root.Stat); err != nil {
			return err
		}
	}
	return nil
}

// maxLinkNames bounds the names of links, which are all held, in bytes: a hundred thousand links and more.
const maxLinkNames = 16 << 20

// maxPadding is how much may follow the end of an archive; tar's blocks are filled up to 10 KiB.
const maxPadding = 1 << 20

var errTooMany = errors.New("it has more files and folders than source may have")

type unpacker struct {
	Summary
	root   *os.Root
	in     *tar.Reader
	left   Limits
	links  []string // to be looked at when all that they may lead over is there
	names  int      // bytes of them
	buffer [64 << 10]byte
}

func (u *unpacker) entry(h *tar.Header) error {
	if u.left.Entries--; u.left.Entries < 0 {
		return errTooMany
	}
	name, inside := strings.CutPrefix(path.Clean("/"+h.Name), Root+"/")
	if !inside {
		return nil // another file of the image, or Root itself
	}
	if strings.Contains(h.Name, "/../") || strings.HasSuffix(h.Name, "/..") || !utf8.ValidString(name) || len(name) > maxPath {
		return fmt.Errorf("the name %.100q is none that source may have", h.Name)
	}
	switch h.Typeflag {
	case tar.TypeDir, tar.TypeReg, tar.TypeSymlink, tar.TypeLink:
	default:
		return fmt.Errorf("%.100q is neither file, folder nor link (type %q)", h.Name, h.Typeflag)
	}
	if err := u.folders(path.Dir(name)); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir {
		return u.root.MkdirAll(name, 0o755)
	}
	// A later entry counts, and is not written through a link.
	if err := u.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	u.Files++
	switch h.Typeflag {
	case tar.TypeSymlink:
		u.links = append(u.links, name)
		if u.names += len(name); u.names > maxLinkNames {
			return errors.New("it has more links than source may have")
		}
		if err := checkLink(name, h.Linkname, func(string) (fs.FileInfo, error) { return nil, nil }); err != nil {
			return err
		}
		return u.root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		to, inside := strings.CutPrefix(path.Clean("/"+h.Linkname), Root+"/")
		if !inside {
			return fmt.Errorf("%.100q is a hard link to %.100q, which is no file of the source", h.Name, h.Linkname)
		}
		if info, err := u.root.Lstat(to); err != nil || !info.Mode().IsRegular() {
			return fmt.Errorf("%.100q is a hard link to %.100q, which is no file of the source", h.Name, h.Linkname)
		}
		return u.root.Link(to, name)
	}
	return u.file(h, name)
}

// folders makes those that a name leads through. They count as entries do: one name can ask for two thousand.
func (u *unpacker) folders(name string) error {
	for missing := name; missing != "."; missing = path.Dir(missing) {
		if _, err := u.root.Lstat(missing); err == nil {
			break
		}
		u.left.Entries--
	}
	if u.left.Entries < 0 {
		return errTooMany
	}
	return u.root.MkdirAll(name, 0o755)
}

func (u *unpacker) file(h *tar.Header, name string) error {
	if u.left.Bytes -= h.Size; u.left.Bytes < 0 {
		return errors.New("it has more bytes than source may have")
	}
	mode := fs.FileMode(0o644)
	if h.Mode&0o111 != 0 {
		mode = 0o755
	}
	f, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, u.in, u.buffer[:])
	u.Bytes += n
	return errors.Join(err, f.Close())
}
