package build

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// ConfigMap is the name of the ConfigMap that has the settings, in the functions' namespace.
const ConfigMap = "build"

// Keys of the ConfigMap that not only builds read.
const (
	KeyContainerRegistry  = "containerRegistry"
	KeyBuilderImage       = "builderImage"
	KeyRunImage           = "runImage"
	KeyInsecureRegistries = "insecureRegistries"
)

// Settings are an operator's settings of all builds.
type Settings struct {
	// ContainerRegistry is the prefix of images, such as registry.example/kf.
	ContainerRegistry string
	// BuilderImage builds where the App names no other; RunImage is what is put under an App, the builder's own choice if "".
	BuilderImage, RunImage string
	// InsecureRegistries are hosts, with their port, that are spoken to by plain HTTP.
	InsecureRegistries []string
	// Timeout is how long a build may take.
	Timeout time.Duration
	// Memory is the limit of each step, and what the step that builds requests; CPU is what that requests. There is no limit of CPU.
	Memory, CPU resource.Quantity
	// Disk is the limit of all that a build writes on its node: the source unpacked, layers, and what its steps log.
	Disk resource.Quantity
	// Keep is how many runs of an App's builds are kept.
	Keep int
	// UserID and GroupID are CNB_USER_ID and CNB_GROUP_ID of the builder image, as whom all steps run.
	UserID, GroupID int64
	// Env is the environment of a Space's builds; ServiceAccount is what their Pods run as. An App's own win.
	Env            []corev1.EnvVar
	ServiceAccount string
}

// In is the settings as they hold in a Space (nil if there is none): what it says counts before what holds for all. The error names
// what of it is wrong.
func (s Settings) In(of *v1alpha1.Space) (Settings, error) {
	if of == nil {
		return s, nil
	}
	for key, value := range map[string]string{
		KeyContainerRegistry: of.Spec.BuildConfig.ContainerRegistry,
		KeyBuilderImage:      of.Spec.Build.BuilderImage, KeyRunImage: of.Spec.Build.RunImage,
	} {
		if value == "" {
			continue
		}
		if err := readers[key](&s, value); err != nil {
			return s, fmt.Errorf("Space %s: %s %.200q: %w", of.Name, key, value, err)
		}
	}
	for _, v := range of.Spec.BuildConfig.Env {
		s.Env = append(s.Env, corev1.EnvVar{Name: v.Name, Value: v.Value, ValueFrom: v.ValueFrom})
	}
	s.ServiceAccount = of.Spec.BuildConfig.ServiceAccount
	return s, nil
}

// Defaults are the settings where nobody sets any.
func Defaults() Settings {
	return Settings{
		Timeout: time.Hour, Memory: resource.MustParse("1Gi"), CPU: resource.MustParse("250m"), Disk: resource.MustParse("20Gi"),
		Keep: 5, UserID: 1000, GroupID: 1000,
	}
}

// ReadSettings reads the data of the ConfigMap. What is left out or empty is the default; the error names what is wrong.
func ReadSettings(data map[string]string) (Settings, error) {
	s := Defaults()
	for _, key := range slices.Sorted(keys(data)) {
		value := strings.TrimSpace(data[key])
		if value == "" {
			continue
		}
		read, known := readers[key]
		if !known {
			return s, fmt.Errorf("ConfigMap %s: there is no setting %.80q", ConfigMap, key)
		}
		if err := read(&s, value); err != nil {
			return s, fmt.Errorf("ConfigMap %s: %s %.200q: %w", ConfigMap, key, value, err)
		}
	}
	return s, nil
}

func keys(data map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range data {
			if !yield(k) {
				return
			}
		}
	}
}

var readers = map[string]func(*Settings, string) error{
	KeyContainerRegistry: func(s *Settings, v string) error {
		v = strings.TrimRight(v, "/")
		s.ContainerRegistry = v
		host, _, _ := strings.Cut(v, "/")
		if _, err := name.NewRepository(v+"/app", name.StrictValidation); err != nil {
			return fmt.Errorf("write the registry's host and a path, such as registry.example/kf")
		}
		return registryHost(host)
	},
	KeyBuilderImage: func(s *Settings, v string) error { s.BuilderImage = v; return imageName(v) },
	KeyRunImage:     func(s *Settings, v string) error { s.RunImage = v; return imageName(v) },
	KeyInsecureRegistries: func(s *Settings, v string) error {
		for host := range strings.SplitSeq(v, ",") {
			host = strings.TrimSpace(host)
			if err := registryHost(host); err != nil {
				return err
			}
			s.InsecureRegistries = append(s.InsecureRegistries, host)
		}
		return nil
	},
	"timeout": func(s *Settings, v string) (err error) {
		if s.Timeout, err = time.ParseDuration(v); err == nil && s.Timeout < time.Second {
			err = fmt.Errorf("a build must have a time limit, such as 1h")
		}
		return err
	},
	"memory":  func(s *Settings, v string) error { return quantity(&s.Memory, v, "16Mi") },
	"cpu":     func(s *Settings, v string) error { return quantity(&s.CPU, v, "1m") },
	"disk":    func(s *Settings, v string) error { return quantity(&s.Disk, v, "16Mi") },
	"keep":    func(s *Settings, v string) (err error) { s.Keep, err = number(v); return err },
	"userID":  func(s *Settings, v string) error { return id(&s.UserID, v) },
	"groupID": func(s *Settings, v string) error { return id(&s.GroupID, v) },
}

// imageCharacters are those of a name of an image. The parser takes others in a host without a port, such as $(context.x).
var imageCharacters = regexp.MustCompile(`^[A-Za-z0-9\[][A-Za-z0-9._:/@\[\]-]*$`)

// imageName refuses what is not the name of an image. What one can be has no character that Tekton or a shell reads.
func imageName(v string) error {
	if _, err := name.ParseReference(v); err != nil || !imageCharacters.MatchString(v) {
		return fmt.Errorf("not the name of an image")
	}
	return nil
}

func registryHost(v string) error {
	host, port, err := net.SplitHostPort(v)
	if err != nil {
		host, port = v, "443"
	}
	if _, bad := strconv.ParseUint(port, 10, 16); bad != nil ||
		net.ParseIP(host) == nil && len(validation.IsDNS1123Subdomain(host)) > 0 {
		return fmt.Errorf("write hosts as registry.example:5000, with commas in between")
	}
	return nil
}

func quantity(into *resource.Quantity, v, least string) error {
	q, err := resource.ParseQuantity(v)
	if err != nil {
		return err
	}
	if q.Cmp(resource.MustParse(least)) < 0 {
		return fmt.Errorf("less than %s: say a unit", least)
	}
	*into = q
	return nil
}

func number(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err == nil && (n < 1 || n > 1000) {
		err = fmt.Errorf("must be from 1 to 1000")
	}
	return n, err
}

// id refuses root: the steps that run buildpacks refuse it as well, and so does Pod Security.
func id(into *int64, v string) error {
	n, err := strconv.ParseInt(v, 10, 32)
	if err == nil && n < 1 {
		err = fmt.Errorf("must be that of a user who is not root")
	}
	*into = n
	return err
}

// Insecure says whether the registry of an image is one that is spoken to by plain HTTP.
func (s Settings) Insecure(image string) bool {
	host, _, _ := strings.Cut(image, "/")
	return slices.Contains(s.InsecureRegistries, host)
}

// Repository is where the images of an App are. No namespace has a dot in its name, so no two Apps have one repository.
func (s Settings) Repository(namespace, app string) string {
	return s.ContainerRegistry + "/app-" + namespace + "." + app
}
