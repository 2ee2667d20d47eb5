// Package waiting says what a Pod that has not started waits for, in the words of those who know: the scheduler and the kubelet, which
// write Events and tell Tekton nothing, and the registry and Kubernetes, which Tekton quotes.
package waiting

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Words are what was written last about a Pod; "" where nothing was. What the scheduler says is of no account once there is a node.
type Words struct {
	Scheduler, Kubelet     string
	scheduledAt, kubeletAt time.Time
}

// since leaves out what is older, and was written about an earlier Pod of the name.
func (w Words) since(made time.Time) Words {
	if w.scheduledAt.Before(made) {
		w.Scheduler = ""
	}
	if w.kubeletAt.Before(made) {
		w.Kubelet = ""
	}
	return w
}

// Asked keeps what was read of Events: once for each namespace, however many of its Pods wait.
type Asked struct {
	read       func(ctx context.Context, namespace string) ([]*corev1.Event, error)
	namespaces sync.Map // of func() (map[string]Words, error)
}

// Ask asks a reader of a namespace's Events.
func Ask(read func(ctx context.Context, namespace string) ([]*corev1.Event, error)) *Asked {
	return &Asked{read: read}
}

// About is what was written about a Pod that was made no earlier than that.
func (a *Asked) About(ctx context.Context, namespace, pod string, made time.Time) (Words, error) {
	once, _ := a.namespaces.LoadOrStore(namespace, sync.OnceValues(func() (map[string]Words, error) {
		events, err := a.read(ctx, namespace)
		return Latest(events), err
	}))
	words, err := once.(func() (map[string]Words, error))()
	return words[pod].since(made), err
}

// Warnings are the Events that say what is wrong with a namespace's Pods.
func Warnings(ctx context.Context, kube kubernetes.Interface, namespace string) ([]*corev1.Event, error) {
	ofPods := metav1.ListOptions{FieldSelector: "type=Warning,involvedObject.kind=Pod"}
	return client.Collect(client.All[*corev1.Event](ctx, kube.CoreV1().Events(namespace), ofPods))
}

// reasons of the kubelet's Events that say why a Pod does not start; the scheduler's is FailedScheduling.
var failedStarts = []string{"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedMapVolume", "NetworkNotReady"}

// Latest are the words about each Pod, by its name.
func Latest(events []*corev1.Event) map[string]Words {
	slices.SortStableFunc(events, func(a, b *corev1.Event) int { return when(a).Compare(when(b)) })
	words := map[string]Words{}
	for _, e := range events {
		w := words[e.InvolvedObject.Name]
		switch {
		case e.Reason == "FailedScheduling":
			w.Scheduler, w.scheduledAt = e.Message, when(e)
		case slices.Contains(failedStarts, e.Reason):
			w.Kubelet, w.kubeletAt = mount.ReplaceAllString(e.Message, ""), when(e)
		}
		words[e.InvolvedObject.Name] = w
	}
	return words
}

// when an Event was seen last: which of its times is kept depends on who wrote it.
func when(e *corev1.Event) time.Time {
	last := e.LastTimestamp.Time
	if e.Series != nil && e.Series.LastObservedTime.After(last) {
		last = e.Series.LastObservedTime.Time
	}
	for _, at := range []time.Time{e.EventTime.Time, e.CreationTimestamp.Time} {
		if at.After(last) {
			last = at
		}
	}
	return last
}

var (
	mount = regexp.MustCompile(`^MountVolume\.SetUp failed for volume "` + v1alpha1.AwaitedVolume + `" : `)
	// These are how Tekton wraps what it passes on (pkg/pod/status.go, getWaitingMessage).
	stepSays   = regexp.MustCompile(`^build step "[^"]*" is pending with reason (".*")$`)
	statusSays = regexp.MustCompile(`^pod status "([^"]*)":"[^"]*"; message: (".*")$`)
	backOff    = regexp.MustCompile(`^(Back-off pulling image "[^"]*": )?ErrImagePull: `)
)

// Quoted are the words of Kubernetes, or the registry's, in what Tekton says; "" where it says nothing but that a Pod starts.
func Quoted(tekton string) string {
	said := tekton
	if m := stepSays.FindStringSubmatch(said); m != nil {
		said = unquote(m[1])
	} else if m := statusSays.FindStringSubmatch(said); m != nil {
		if m[1] != string(corev1.PodScheduled) {
			return ""
		}
		said = unquote(m[2])
	}
	if said == "Pending" || strings.HasPrefix(said, "Not all Steps in the Task") {
		return ""
	}
	return backOff.ReplaceAllString(said, "")
}

func unquote(quoted string) string {
	if s, err := strconv.Unquote(quoted); err == nil {
		return s
	}
	return quoted
}
