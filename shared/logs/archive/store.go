package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
	"github.com/kf-tasks/kf-tasks/shared/registry"
)

// Media types of the artifact.
const (
	configType types.MediaType = "application/vnd.kf.task.log.config.v1+json"
	layerType  types.MediaType = "application/vnd.kf.task.log.v1+gzip"
)

// Annotations: of the manifest, how the Task ended and what is missing of its log; of a layer, whose it is.
const (
	taskAnnotation    = "dev.kf.task"
	missingAnnotation = "dev.kf.log.missing"
	podAnnotation     = "dev.kf.log.pod"
	linesAnnotation   = "dev.kf.log.lines"
)

// maxSaid bounds each text that goes into a manifest, in bytes: a registry takes four MiB of it, and we read less.
const maxSaid = 8 << 10

// Patience is how long a registry is waited for: for one manifest, and for all of a log that is pushed.
const patience, pushPatience = 20 * time.Second, 5 * time.Minute

// Store reaches registries.
type Store struct {
	Reach http.RoundTripper
	Keys  authn.Keychain
}

// New is a Store with the credentials that docker keeps: those of the file config.json in the folder that DOCKER_CONFIG names.
func New() Store { return Store{Reach: registry.Transport(), Keys: authn.DefaultKeychain} }

func (s Store) options(ctx context.Context) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(s.Keys), remote.WithTransport(s.Reach), remote.WithUserAgent("kf-tasks"),
		remote.WithRetryBackoff(remote.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Steps: 2}), // who asks for it tries again
	}
}

// timeFormat is that of the tags by time, in UTC: their order is that of time.
const timeFormat = "20060102150405"

// tags are an artifact's, the one by time last.
func tags(t *v1alpha1.Task) []string {
	return []string{"uid." + string(t.UID), "task." + t.Name, t.EndedAt().UTC().Format(timeFormat) + "." + string(t.UID)}
}

// Push brings what a spool has of an ended Task's log to the repository, and returns the artifact's name by digest. Done twice, it
// is one artifact.
func (s Store) Push(ctx context.Context, to name.Repository, spool *Spool, task *v1alpha1.Task, missing string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, pushPatience)
	defer cancel()
	img, err := artifact(spool, task, missing)
	if err != nil {
		return "", err
	}
	digest, err := img.Digest()
	if err != nil {
		return "", err
	}
	for _, tag := range tags(task) { // of what is there nothing is sent again
		if err := remote.Write(to.Tag(tag), img, s.options(ctx)...); err != nil {
			return "", fmt.Errorf("push the log to %s: %w", to, err)
		}
	}
	return to.Digest(digest.String()).String(), nil
}

// artifact makes the image of a log.
func artifact(spool *Spool, task *v1alpha1.Task, missing string) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), configType)
	parts := spool.all()
	if len(parts) == 0 { // some registries take no manifest without a layer
		spool.Open(sink.Origin{}).Close()
		parts = spool.all()
	}
	for _, p := range parts {
		if p.file == nil || p.lost.Err != nil && p.lines == 0 {
			continue
		}
		layer, err := tarball.LayerFromFile(p.file.Name(), tarball.WithMediaType(layerType))
		if err != nil {
			return nil, fmt.Errorf("the spool: %w", err)
		}
		img, err = mutate.Append(img, mutate.Addendum{Layer: layer, MediaType: layerType, Annotations: map[string]string{
			podAnnotation: p.origin.Pod, linesAnnotation: strconv.FormatInt(p.lines, 10),
		}})
		if err != nil {
			return nil, err
		}
	}
	said, err := json.Marshal(ended(task))
	if err != nil {
		return nil, err
	}
	about := map[string]string{
		taskAnnotation: string(said), "org.opencontainers.image.title": task.Namespace + "/" + task.Name,
		"org.opencontainers.image.created": task.EndedAt().UTC().Format(time.RFC3339),
	}
	if missing != "" {
		about[missingAnnotation] = short(missing)
	}
	return mutate.Annotations(img, about).(v1.Image), nil
}

// ended is what is kept of a Task: which it was and how it ended, and not its command or its environment.
func ended(t *v1alpha1.Task) *v1alpha1.Task {
	kept := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{
		Name: t.Name, Namespace: t.Namespace, UID: t.UID, CreationTimestamp: t.CreationTimestamp,
		Labels: map[string]string{v1alpha1.VersionLabel: t.Labels[v1alpha1.VersionLabel]},
	}}
	kept.Spec.AppRef = t.Spec.AppRef
	kept.Status = v1alpha1.TaskStatus{
		ID: t.ID(), StartTime: t.Status.StartTime, CompletionTime: t.Status.CompletionTime,
		Duration: t.Status.Duration, ExitCode: t.Status.ExitCode,
	}
	for _, c := range t.Status.Conditions {
		if c.Type == v1alpha1.ConditionSucceeded {
			c.Message = short(c.Message)
			kept.Status.Conditions = append(kept.Status.Conditions, c)
		}
	}
	return kept
}

func short(s string) string {
	if len(s) > maxSaid {
		s = strings.ToValidUTF8(s[:maxSaid], "") + "..."
	}
	return s
}

// answers says whether an error is a registry's answer of one of the statuses.
func answers(err error, statuses ...int) bool {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return false
	}
	return slices.Contains(statuses, answer.StatusCode)
}

// Keep is Push, and returns what there is to say of it on the Task. missing is what the reader of the log missed.
func (s Store) Keep(ctx context.Context, to name.Repository, spool *Spool, task *v1alpha1.Task, missing string) (v1alpha1.TaskLog, error) {
	if lost := spool.Missing(); lost != "" {
		missing = strings.TrimPrefix(missing+"; "+lost, "; ")
	}
	ref, err := s.Push(ctx, to, spool, task, missing)
	if err != nil {
		return v1alpha1.TaskLog{}, err
	}
	log := v1alpha1.TaskLog{State: v1alpha1.ArchiveComplete, Archive: ref, Message: "the archive has every line"}
	if missing != "" {
		log.State, log.Message = v1alpha1.ArchiveIncomplete, missing
	}
	log.Lines, log.Bytes = spool.Lines()
	return log, nil
}
