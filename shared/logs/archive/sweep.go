package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// ErrNoDelete is met where a registry deletes nothing.
var ErrNoDelete = errors.New("the registry does not delete: let it, or have it clear away old tags itself")

// Bounds of one sweep: pages of tags that are read, tags in one, and artifacts that are deleted.
const maxPages, pageSize, maxDeleted = 20, 1000, 1000

// Sweep deletes the logs of Tasks that ended before a time, and returns how many. It asks for the first page of tags, where those by time
// are in a registry that sorts them as the specification says, and for the next ones as long as there is something to delete on each; in
// one that does not sort them, for all of a bounded number.
func (s Store) Sweep(ctx context.Context, in name.Repository, before time.Time) (deleted int, err error) {
	puller, err := remote.NewPuller(append(s.options(ctx), remote.WithPageSize(pageSize))...)
	if err != nil {
		return 0, err
	}
	lister, err := puller.Lister(ctx, in)
	if answers(err, http.StatusNotFound) {
		return 0, nil // nothing was pushed yet
	}
	if err != nil {
		return 0, fmt.Errorf("list the tags of %s: %w", in, err)
	}
	for range maxPages {
		if !lister.HasNext() {
			return deleted, nil
		}
		page, err := lister.Next(ctx)
		if answers(err, http.StatusNotFound) {
			return deleted, nil
		}
		if err != nil {
			return deleted, fmt.Errorf("list the tags of %s: %w", in, err)
		}
		tags, more := Expired(page.Tags, before)
		for _, tag := range tags {
			if deleted == maxDeleted {
				return deleted, nil // the next sweep goes on
			}
			if err := s.delete(ctx, in, tag); err != nil {
				return deleted, err
			}
			deleted++
		}
		if !more {
			return deleted, nil
		}
	}
	return deleted, nil
}

// Expired are the tags by time of what ended before a time. more says that the next page may have such, too: it has not where this one
// is sorted, as the specification says, and past them.
func Expired(tags []string, before time.Time) (expired []string, more bool) {
	for _, tag := range tags {
		digits, _, _ := strings.Cut(tag, ".")
		if at, err := time.Parse(timeFormat, digits); err == nil && at.Before(before) {
			expired = append(expired, tag)
		}
	}
	return expired, len(expired) == len(tags) || !slices.IsSorted(tags)
}

// delete deletes an artifact: the manifest, and the tags that lead to it, of which a registry may keep some. The tag by which a sweep finds
// it goes last.
func (s Store) delete(ctx context.Context, in name.Repository, byTime string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tag := in.Tag(byTime)
	got, err := remote.Get(tag, s.options(ctx)...)
	if answers(err, http.StatusNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", tag, err)
	}
	if err := s.remove(ctx, in.Digest(got.Digest.String())); err != nil {
		return err
	}
	_, uid, _ := strings.Cut(byTime, ".")
	others := []name.Tag{in.Tag("uid." + uid)}
	var manifest struct{ Annotations map[string]string }
	var task v1alpha1.Task
	if json.Unmarshal(got.Manifest, &manifest) == nil && json.Unmarshal([]byte(manifest.Annotations[taskAnnotation]), &task) == nil {
		byName := in.Tag("task." + task.Name)
		if is, err := remote.Head(byName, s.options(ctx)...); err == nil && is.Digest == got.Digest { // not a later Task's
			others = append(others, byName)
		}
	}
	for _, tag := range append(others, tag) {
		// Most registries have deleted the tags with what they led to, and some never delete one by its name.
		if err := s.remove(ctx, tag); err != nil && !errors.Is(err, ErrNoDelete) && !answers(err, http.StatusBadRequest) {
			return err
		}
	}
	return nil
}

func (s Store) remove(ctx context.Context, ref name.Reference) error {
	err := remote.Delete(ref, s.options(ctx)...)
	switch {
	case err == nil || answers(err, http.StatusNotFound):
		return nil
	case answers(err, http.StatusMethodNotAllowed):
		return ErrNoDelete
	}
	return fmt.Errorf("delete %s: %w", ref, err)
}
