package source

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

// Packed is the image of a folder. Its layer is a file in the temporary folder (TMPDIR), compressed, until it is closed: a registry wants
// to know the digest before it is sent anything, a part that failed is sent again, and the folder may change meanwhile.
type Packed struct {
	v1.Image
	Summary
	Size int64 // of the compressed layer, in bytes
	file string
}

// Close removes the file.
func (p *Packed) Close() error { return os.Remove(p.file) }

// Pack makes the image of a folder.
func Pack(ctx context.Context, dir string) (_ *Packed, err error) {
	f, err := os.CreateTemp("", "kf-source-*.tgz")
	if err != nil {
		return nil, fmt.Errorf("make room for the source: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			os.Remove(f.Name())
		}
	}()
	l := &layer{file: f.Name()}
	summary, err := l.write(ctx, dir, f)
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		return nil, err
	}
	if img, err = mutate.AppendLayers(img, l); err != nil {
		return nil, err
	}
	return &Packed{Image: img, Summary: summary, Size: l.size, file: f.Name()}, nil
}

// layer is a v1.Layer in a file.
type layer struct {
	file           string
	digest, diffID v1.Hash
	size           int64
}

// write packs a folder into a file, and learns what the layer is called.
func (l *layer) write(ctx context.Context, dir string, f io.Writer) (Summary, error) {
	inside, outside := sha256.New(), &counted{Hash: sha256.New()}
	buffered := bufio.NewWriterSize(io.MultiWriter(f, outside), 1<<20)
	z := gzip.NewWriter(buffered) // its header has no name and no time, if it is told none
	summary, err := Tar(ctx, dir, io.MultiWriter(z, inside))
	if err != nil {
		return Summary{}, err
	}
	if err := errors.Join(z.Close(), buffered.Flush()); err != nil {
		return Summary{}, fmt.Errorf("write the packed source: %w", err)
	}
	l.diffID, l.digest, l.size = named(inside), named(outside), outside.n
	return summary, nil
}

type counted struct {
	hash.Hash
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.Hash.Write(p)
}

func named(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

func (l *layer) Digest() (v1.Hash, error)             { return l.digest, nil }
func (l *layer) DiffID() (v1.Hash, error)             { return l.diffID, nil }
func (l *layer) Size() (int64, error)                 { return l.size, nil }
func (l *layer) MediaType() (types.MediaType, error)  { return types.OCILayer, nil }
func (l *layer) Compressed() (io.ReadCloser, error)   { return os.Open(l.file) }
func (l *layer) Uncompressed() (io.ReadCloser, error) { return uncompressed(l) }
