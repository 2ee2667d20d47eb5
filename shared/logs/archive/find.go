package archive

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/registry"
)

// In reads the archive of a namespace: by the digest that a Task says, else by its UID, else by its name. Without a place there is
// nothing.
func (s Store) In(places Places, namespace string) tasklog.Archive {
	return func(ctx context.Context, task *v1alpha1.Task) (*tasklog.Kept, error) {
		place, err := places.Of(ctx, namespace)
		if err != nil || place == nil {
			return nil, err
		}
		return s.Find(ctx, place.Repository, task)
	}
}

// Find reads what a repository has of a Task, nil if that is nothing. Whoever may write to it may have put there what they like, so what
// it has is bounded, and read as what a Task wrote.
func (s Store) Find(ctx context.Context, in name.Repository, task *v1alpha1.Task) (*tasklog.Kept, error) {
	ref, err := reference(in, task)
	if err != nil {
		return nil, err
	}
	img, err := s.image(ctx, ref)
	if answers(err, http.StatusNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ref, err)
	}
	manifest, err := img.Manifest()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ref, err)
	}
	kept := &tasklog.Kept{Task: &v1alpha1.Task{}, Missing: manifest.Annotations[missingAnnotation]}
	if err := json.Unmarshal([]byte(manifest.Annotations[taskAnnotation]), kept.Task); err != nil || kept.Task.Name != task.Name {
		return nil, fmt.Errorf("%s is not the log of Task %s", ref, task.Name)
	}
	for _, l := range manifest.Layers {
		if l.MediaType == layerType {
			kept.Parts = append(kept.Parts, s.part(ref.Context().Digest(l.Digest.String()), l))
		}
	}
	return kept, nil
}

func reference(in name.Repository, task *v1alpha1.Task) (name.Reference, error) {
	switch {
	case tasklog.InArchive(task):
		_, digest, _ := strings.Cut(task.Status.Log.Archive, "@") // a status names no other repository than the Space's
		return name.NewDigest(in.Name()+"@"+digest, scheme(in)...)
	case task.UID != "":
		return in.Tag("uid." + string(task.UID)), nil
	}
	return in.Tag("task." + task.Name), nil
}

func scheme(in name.Repository) []name.Option {
	if in.Scheme() == "http" {
		return []name.Option{name.Insecure}
	}
	return nil
}

func (s Store) image(ctx context.Context, ref name.Reference) (v1.Image, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return remote.Image(ref, s.options(ctx)...)
}

// part reads a layer, whose digest is checked at its end.
func (s Store) part(ref name.Digest, l v1.Descriptor) tasklog.Part {
	return tasklog.Part{Pod: l.Annotations[podAnnotation], Open: func(ctx context.Context, tail *int64) (io.ReadCloser, error) {
		layer, err := remote.Layer(ref, s.options(ctx)...)
		if err != nil {
			return nil, err
		}
		body, err := registry.Open(layer)
		if err != nil || tail == nil {
			return body, err
		}
		lines, err := strconv.ParseInt(l.Annotations[linesAnnotation], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("how many lines are in %s: %w", ref, err)
		}
		r := bufio.NewReader(body)
		if err := skip(r, lines-*tail); err != nil {
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{r, body}, nil
	}}
}

// skip reads over so many lines, however long they are.
func skip(r *bufio.Reader, lines int64) error {
	for lines > 0 {
		switch _, err := r.ReadSlice('\n'); {
		case err == nil:
			lines--
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
	return nil
}
