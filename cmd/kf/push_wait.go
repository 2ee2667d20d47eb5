package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	buildlog "github.com/kf-tasks/kf-tasks/shared/logs/build"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

// buildState is what has become of an App's build.
type buildState int

const (
	buildUnseen  buildState = iota // nobody has looked at the App as it is now
	buildWaiting                   // it has not begun, or the image is being looked into
	buildRunning
	buildFailed
	buildReady
)

// buildStanding is how an App that is built from source stands.
type buildStanding struct {
	state                       buildState
	run, image, reason, message string
}

// standingOf reads how an App stands whose generation was written by this push. BuildReady comes first: while a build is under way, the
// App can be ready with the image of the one before.
func standingOf(app map[string]any, generation int64) (s buildStanding) {
	status, _, _ := unstructured.NestedMap(app, "status")
	s.run, _, _ = unstructured.NestedString(status, "buildName")
	s.image, _, _ = unstructured.NestedString(status, "image")
	observed, _, _ := unstructured.NestedInt64(status, "observedGeneration")
	conditions, _, _ := unstructured.NestedSlice(status, "conditions")
	find := func(kind string) (value, reason, message string) {
		for _, c := range conditions {
			if m, ok := c.(map[string]any); ok && m["type"] == kind {
				value, _ = m["status"].(string)
				reason, _ = m["reason"].(string)
				message, _ = m["message"].(string)
			}
		}
		return value, reason, message
	}
	var value string
	value, s.reason, s.message = find(v1alpha1.ConditionBuildReady)
	switch {
	case observed < generation, value == "":
		return s
	case value == "False" && s.reason != v1alpha1.ReasonRebaseFailed: // after that one the image that was there is as good as before
		s.state = buildFailed
		return s
	case value == "Unknown" && s.reason == v1alpha1.ReasonBuilding:
		s.state = buildRunning
		return s
	case value == "Unknown":
		s.state = buildWaiting
		return s
	}
	value, s.reason, s.message = find(v1alpha1.ConditionReady)
	switch value {
	case "True":
		s.state = buildReady
	case "False":
		s.state = buildFailed
	default:
		s.state = buildWaiting
	}
	return s
}

// built shows the build's log until the App can be used, and returns its image.
func (o *push) built(ctx context.Context, app metav1.Object) (string, error) {
	d, err := dynamic.NewForConfig(o.cfg)
	if err != nil {
		return "", err
	}
	apps := d.Resource(v1alpha1.GroupVersion.WithResource("apps")).Namespace(o.space)
	var now buildStanding
	look := func(ctx context.Context) error {
		got, err := apps.Get(ctx, o.name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("get App %s: %w", o.name, err)
		}
		now = standingOf(got.Object, app.GetGeneration())
		return nil
	}
	if err := o.noticed(ctx, look, &now); err != nil {
		return "", err
	}
	shown := o.buildLog(ctx)
	defer shown.end()
	said := ""
	stopped := fmt.Sprintf("no longer waiting; the build goes on. `kf push %s --task` of the same source shows it again", o.name)
	err = o.await(ctx, patience{every: lookEvery, stopped: stopped}, func(ctx context.Context) (bool, error) {
		if err := look(ctx); err != nil {
			return false, err
		}
		switch now.state {
		case buildRunning:
			shown.begin(now.run)
			if why := shown.waits(ctx); why != "" && why != said {
				said = why
				o.progress("it waits: %s", why)
			}
		case buildWaiting:
			if now.message != "" && now.message != said {
				said = now.message
				o.progress("App %s: %s: %s", o.name, now.reason, now.message)
			}
		}
		return now.state == buildReady || now.state == buildFailed, nil
	})
	if err != nil {
		return "", err
	}
	if lines := shown.end(); now.state == buildFailed {
		return "", o.failed(now, lines)
	}
	return now.image, nil
}

// noticed returns when somebody has looked at the App.
func (o *push) noticed(ctx context.Context, look func(context.Context) error, now *buildStanding) error {
	p := patience{
		every: lookEvery, limit: readyWithin,
		say:     func() { o.progress("waiting for App %s to be looked at", o.name) },
		stopped: fmt.Sprintf("no longer waiting; App %s is written, and is built when somebody looks at it", o.name),
		late: fmt.Sprintf("App %s is written, and nobody has looked at it for %s: is the function build deployed, and does it build from "+
			"source? (kubectl -n kf-tasks get ksvc build)", o.name, readyWithin),
	}
	return o.await(ctx, p, func(ctx context.Context) (bool, error) {
		err := look(ctx)
		return err == nil && now.state != buildUnseen, err
	})
}

// failed says why the build has failed; the last lines of its log, which the App's status has, only where the log was not shown.
func (o *push) failed(s buildStanding, shown bool) error {
	first, rest, _ := strings.Cut(strings.TrimSpace(s.message), "\n")
	if !shown {
		for line := range strings.Lines(rest) {
			o.progress("%s", strings.TrimRight(line, "\n"))
		}
	}
	which := ""
	if s.run != "" {
		which = " " + s.run
	}
	return fmt.Errorf("the build%s of App %s failed: %s: %s", which, o.name, s.reason, first)
}

// buildLog shows the log of a build beside the wait for it.
type buildLog struct {
	*target
	ctx   context.Context
	run   string // the one that is shown
	stop  context.CancelFunc
	done  chan error
	lines atomic.Int64
}

func (o *push) buildLog(ctx context.Context) *buildLog { return &buildLog{target: o.target, ctx: ctx} }

// begin shows a build, if it is not shown already.
func (l *buildLog) begin(run string) {
	if run == "" || run == l.run {
		return
	}
	l.end()
	l.run = run
	l.progress("Build %s:", run)
	ctx, stop := context.WithCancel(l.ctx)
	l.stop, l.done = stop, make(chan error, 1)
	go func() { l.done <- l.show(ctx, run) }()
}

// How long after a build's end its last lines may take, and its first.
const (
	logGrace   = 10 * time.Second
	firstGrace = 2 * time.Second
)

// end waits for the last lines, and says whether there were any.
func (l *buildLog) end() bool {
	if l.done != nil {
		grace := logGrace
		if l.lines.Load() == 0 {
			grace = firstGrace // a build without a Pod has none
		}
		late := time.AfterFunc(grace, l.stop)
		if err := unlessStopped(l.ctx, <-l.done); err != nil && late.Stop() {
			l.progress("the build's log: %v", err)
		}
		l.stop()
		l.done = nil
	}
	return l.lines.Load() > 0
}

// waits says why the build's Pod does not run yet, "" if it does, or if there is nothing to say of that. It is for people, so an error is
// no answer.
func (l *buildLog) waits(ctx context.Context) string {
	if l.lines.Load() > 0 {
		return ""
	}
	core, err := corev1client.NewForConfig(l.cfg)
	if err != nil {
		return ""
	}
	pods, err := core.Pods(l.space).List(ctx, metav1.ListOptions{LabelSelector: runLabel + "=" + l.run})
	if err != nil || len(pods.Items) == 0 {
		return ""
	}
	return podWaits(&pods.Items[0])
}

// podWaits says what keeps a Pod from running: no node has room for it, or an image can't be pulled.
func podWaits(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return c.Message
		}
	}
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if w := s.State.Waiting; w != nil && w.Message != "" {
			return fmt.Sprintf("%s: %s", w.Reason, w.Message)
		}
	}
	return ""
}

func (l *buildLog) show(ctx context.Context, run string) error {
	pods, err := corev1client.NewForConfig(l.cfg)
	if err != nil {
		return err
	}
	streams, err := corev1client.NewForConfig(tasklog.Streams(l.cfg))
	if err != nil {
		return err
	}
	reader := &buildlog.Reader{Pods: pods.Pods(l.space), Streams: streams.Pods(l.space)}
	out := text.NewPlain(l.out, text.Options{Task: true})
	return reader.Run(ctx, run, func(step string, line follow.Line) error {
		l.lines.Add(1)
		entry := text.Entry{Task: step, Line: text.Line{Time: line.Time, Text: line.Text, More: line.More, Continued: line.Continued}}
		if err := out.Entry(entry); err != nil {
			return err
		}
		return out.Flush()
	})
}
