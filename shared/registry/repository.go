package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// Repository is one below a registry's prefix, such as registry.example/kf. Hosts in insecure are spoken to by plain HTTP, as are those
// that are this machine.
func Repository(prefix, below string, insecure []string) (name.Repository, error) {
	text := prefix + "/" + below
	repo, err := name.NewRepository(text)
	if err == nil && strings.Contains(prefix, "://") {
		err = errors.New("it begins with the host, not with a scheme")
	}
	if err != nil {
		return name.Repository{}, fmt.Errorf("%q is no place for images, such as registry.example/kf: %w", prefix, err)
	}
	if slices.Contains(insecure, repo.RegistryStr()) {
		return name.NewRepository(text, name.Insecure)
	}
	return repo, nil
}
