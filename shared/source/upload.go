package source

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kf-tasks/kf-tasks/shared/registry"
)

// Repository is where the source of an App goes, below the registry's prefix (registry.example/kf): a namespace has no dot, so no two
// Apps have one.
func Repository(prefix, namespace, app string, insecure []string) (name.Repository, error) {
	return registry.Repository(prefix, "src-"+namespace+"."+app, insecure)
}

// Upload sends the image to a repository, with the credentials that docker and podman keep, and returns its name by digest. It asks first
// what the registry has: of an image that is there nothing is sent, nor of a layer that is. What fails on the way is sent again from its
// beginning, a few times with pauses in between; after that, as after an end of the program, the next Upload sends what is not there.
// Progress, if it is not nil, is told how many bytes of how many are there; it is called by one goroutine at a time.
func (p *Packed) Upload(ctx context.Context, to name.Repository, progress func(done, of int64)) (name.Digest, error) {
	digest, err := p.Digest()
	if err != nil {
		return name.Digest{}, err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent("kf")}
	told := make(chan struct{})
	if progress == nil {
		close(told)
	} else {
		updates := make(chan v1.Update, 16)
		options = append(options, remote.WithProgress(updates))
		go func() {
			defer close(told)
			for u := range updates { // remote closes it
				if u.Error == nil {
					progress(u.Complete, u.Total)
				}
			}
		}()
	}
	// A registry clears away what no tag names; this one is the image's own.
	err = remote.Write(to.Tag(digest.Hex[:16]), p.Image, options...)
	<-told
	if err != nil {
		return name.Digest{}, fmt.Errorf("upload the source to %s: %w", to, err)
	}
	return to.Digest(digest.String()), nil
}
