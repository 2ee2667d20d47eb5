// Package kubeevent puts Kubernetes Events on objects: what `kubectl describe` shows, where a person looks who wonders
// what is wrong with an object.
package kubeevent

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	eventsv1client "k8s.io/client-go/kubernetes/typed/events/v1"

	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// maxNote is how many bytes the API server takes (k8s.io/kubernetes pkg/apis/core/validation/events.go).
const maxNote = 1024

// Warning is a Kubernetes Event of type Warning.
type Warning struct {
	About  corev1.ObjectReference // APIVersion, Kind, Namespace, Name; UID where it is known
	Reason string                 // a word in CamelCase
	Action string                 // what was tried, a word in CamelCase
	Note   string                 // what is wrong and what to do; cut to what the API server takes
	By     string                 // the function that says so
	// Once tells this occurrence from others of the kind: with the same, there is one Event until Kubernetes forgets it.
	Once string
	// Among, if it is set, is how many Events of the reason there are in a namespace at most, until Kubernetes forgets them,
	// whatever they are about: for what strangers can cause. Some occurrences are then not shown.
	Among uint64
}

// Warn shows a warning on its object. There already is success, and so is a namespace that is gone.
func Warn(ctx context.Context, c eventsv1client.EventsGetter, w Warning, now time.Time) error {
	_, err := c.Events(w.About.Namespace).Create(ctx, w.event(now), metav1.CreateOptions{})
	if err == nil || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) ||
		apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	return fmt.Errorf("show %s on %s %s/%s: %w", w.Reason, w.About.Kind, w.About.Namespace, w.About.Name, err)
}

func (w Warning) event(now time.Time) *eventsv1.Event {
	about := w.About.Name + "\x00" + string(w.About.UID) + "\x00" + w.Once
	if w.Among > 0 {
		of := sha256.Sum256([]byte(about))
		about = fmt.Sprint(binary.BigEndian.Uint64(of[:]) % w.Among)
	}
	sum := sha256.Sum256([]byte(w.By + "\x00" + w.Reason + "\x00" + about))
	return &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: w.About.Namespace, Name: fmt.Sprintf("kf-%s-%x", w.By, sum[:10])},
		EventTime:           metav1.NewMicroTime(now),
		Type:                corev1.EventTypeWarning,
		Reason:              w.Reason,
		Action:              w.Action,
		Note:                cut(inert.Line(w.Note)),
		Regarding:           w.About,
		ReportingController: "kf-tasks/" + w.By,
		ReportingInstance:   w.By,
	}
}

// cut shortens a text to maxNote bytes, between two characters.
func cut(s string) string {
	const dots = "..."
	if len(s) <= maxNote {
		return s
	}
	end := maxNote - len(dots)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + dots
}
