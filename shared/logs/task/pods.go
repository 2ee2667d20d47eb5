package task

import (
	"context"
	"io"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
)

// Container is the container of a Task's Pod that runs the user's command; the others are Tekton's.
const Container = "step-" + v1alpha1.UserContainer

// Streams returns a copy of cfg for a client that reads logs. Each stream has a connection of its own: on a shared
// HTTP/2 connection Go buffers up to 4 MiB for each stream whose reader is slow.
func Streams(cfg *rest.Config) *rest.Config {
	c := rest.CopyConfig(cfg)
	c.NextProtos = []string{"http/1.1"}
	c.DisableCompression = true
	c.QPS = -1
	return c
}

// StreamsAs returns a maker of such clients for callers: they carry the caller's token, and no credential of cfg's own.
func StreamsAs(cfg *rest.Config) func(token string) (corev1client.PodsGetter, error) {
	anonymous := Streams(rest.AnonymousClientConfig(cfg))
	return func(token string) (corev1client.PodsGetter, error) {
		c := rest.CopyConfig(anonymous)
		c.BearerToken = token
		return corev1client.NewForConfig(c)
	}
}

// Pod is what a reader of logs needs to know of a Pod.
type Pod struct {
	Name    string
	UID     types.UID
	Task    string
	ID      string
	Created time.Time
	State   follow.State
	// Ran says that the container was seen running or ended: there was a log.
	Ran                   bool
	Deleting              bool
	StartedAt, FinishedAt time.Time
}

func podOf(p *corev1.Pod) Pod {
	s := Pod{
		Name: p.Name, UID: p.UID, Created: p.CreationTimestamp.Time, Deleting: p.DeletionTimestamp != nil,
		Task: p.Labels[v1alpha1.TaskLabel], ID: p.Labels[v1alpha1.VersionLabel],
	}
	for _, c := range p.Status.ContainerStatuses {
		if c.Name != Container {
			continue
		}
		switch {
		case c.State.Running != nil:
			s.State, s.Ran, s.StartedAt = follow.Running, true, c.State.Running.StartedAt.Time
		case c.State.Terminated != nil:
			s.State = follow.Ended
			s.StartedAt, s.FinishedAt = c.State.Terminated.StartedAt.Time, c.State.Terminated.FinishedAt.Time
			// Of a container that never started, the kubelet says that it was not to be found when the Pod ended.
			s.Ran = c.State.Terminated.ContainerID != "" || !s.StartedAt.IsZero() && s.StartedAt.Unix() > 0
		}
	}
	if s.State == follow.Waiting && (p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded) {
		s.State = follow.Ended // evicted, or failed before it started
	}
	return s
}

// How long to wait before asking an API server again that did not answer.
const (
	retryMin = 100 * time.Millisecond
	retryMax = 5 * time.Second
)

// Pods watches the Pods that a selector names, from a namespace.
type Pods struct {
	client corev1client.PodInterface
	list   metav1.ListOptions

	mu      sync.Mutex
	pods    map[types.UID]Pod
	changed chan struct{}
	synced  bool
	err     error
}

// WatchPods watches until ctx ends. It survives broken watches; errors that asking again can't mend are in Snapshot.
func WatchPods(ctx context.Context, client corev1client.PodInterface, selector string) *Pods {
	p := &Pods{client: client, list: metav1.ListOptions{LabelSelector: selector}, pods: map[types.UID]Pod{}, changed: make(chan struct{})}
	go p.run(ctx)
	return p
}

// Snapshot returns the Pods as last seen, those that are gone included, and a channel that is closed when that changes.
// synced says whether they have been listed at all.
func (p *Pods) Snapshot() (pods []Pod, synced bool, changed <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pod := range p.pods {
		pods = append(pods, pod)
	}
	return pods, p.synced, p.changed, p.err
}

// Pod returns a Pod as last seen.
func (p *Pods) Pod(uid types.UID) (Pod, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pod, ok := p.pods[uid]
	if !ok {
		pod.State = follow.Gone
	}
	return pod, p.changed
}

// Forget drops a Pod that is gone.
func (p *Pods) Forget(uid types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pods[uid].State == follow.Gone {
		delete(p.pods, uid)
	}
}

func (p *Pods) update(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Pods) run(ctx context.Context) {
	delay := retryMin
	for ctx.Err() == nil {
		err := p.listAndWatch(ctx)
		if err == nil {
			delay = retryMin
			continue
		}
		if follow.Denied(err) {
			p.update(func() { p.err = err })
			return
		}
		if follow.Wait(ctx, nil, delay) != nil {
			return
		}
		delay = min(delay*2, retryMax)
	}
}

// Refresh asks which Pods there are now, for when the next news of the watch are too late.
func (p *Pods) Refresh(ctx context.Context) error {
	list, err := p.client.List(ctx, p.list)
	if err != nil {
		return err
	}
	p.update(func() {
		for i := range list.Items {
			if pod := podOf(&list.Items[i]); p.pods[pod.UID].State != follow.Gone || p.pods[pod.UID].UID == "" {
				p.saw(pod)
			}
		}
	})
	return nil
}

// listAndWatch returns nil when the watch ended as watches do.
func (p *Pods) listAndWatch(ctx context.Context) error {
	list, err := p.client.List(ctx, p.list)
	if err != nil {
		return err
	}
	p.update(func() {
		there := map[types.UID]bool{}
		for i := range list.Items {
			p.saw(podOf(&list.Items[i]))
			there[list.Items[i].UID] = true
		}
		for uid, pod := range p.pods {
			if !there[uid] {
				pod.State = follow.Gone
				p.pods[uid] = pod
			}
		}
		p.synced = true
	})
	opts := p.list
	opts.ResourceVersion = list.ResourceVersion
	opts.AllowWatchBookmarks = true
	list = nil
	for {
		w, err := p.client.Watch(ctx, opts)
		if err != nil {
			return err
		}
		for e := range w.ResultChan() {
			pod, ok := e.Object.(*corev1.Pod)
			if !ok { // an error, most often an expired version: list again
				w.Stop()
				return nil
			}
			opts.ResourceVersion = pod.ResourceVersion
			switch e.Type {
			case watch.Added, watch.Modified:
				p.update(func() { p.saw(podOf(pod)) })
			case watch.Deleted:
				p.update(func() {
					last := podOf(pod)
					last.State = follow.Gone
					p.saw(last)
				})
			}
		}
		w.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := follow.Wait(ctx, nil, retryMin); err != nil { // a watch that ends at once must not become a loop
			return err
		}
	}
}

// saw keeps what was seen of a Pod before: a last state may say less than the one before it.
func (p *Pods) saw(pod Pod) {
	was := p.pods[pod.UID]
	pod.Ran = pod.Ran || was.Ran
	if pod.StartedAt.Unix() <= 0 {
		pod.StartedAt = was.StartedAt
	}
	if pod.FinishedAt.Unix() <= 0 {
		pod.FinishedAt = was.FinishedAt
	}
	p.pods[pod.UID] = pod
}

// Log returns the log of a Pod's user container as a Source. Streams are read by client.
func (p *Pods) Log(client corev1client.PodInterface, pod Pod) follow.Source {
	return podLog{p, client, pod}
}

type podLog struct {
	pods   *Pods
	client corev1client.PodInterface
	pod    Pod
}

func (l podLog) State() (follow.State, <-chan struct{}) {
	pod, changed := l.pods.Pod(l.pod.UID)
	return pod.State, changed
}

func (l podLog) Open(ctx context.Context, q follow.Query) (io.ReadCloser, error) {
	opts := &corev1.PodLogOptions{Container: Container, Follow: q.Follow, Timestamps: true, TailLines: q.Tail}
	if !q.Since.IsZero() {
		since := metav1.NewTime(q.Since)
		opts.SinceTime = &since
	}
	return l.client.GetLogs(l.pod.Name, opts).Stream(ctx)
}
