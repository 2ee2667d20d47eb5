package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	appbuild "github.com/kf-tasks/kf-tasks/shared/build"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

// runLabel is Tekton's, on the TaskRuns and Pods of a PipelineRun; stepPrefix is what it puts before the name of a step.
const (
	runLabel   = "tekton.dev/pipelineRun"
	stepPrefix = "step-"
)

type buildLogs struct {
	*target
	build  string
	follow bool

	tekton  dynamic.Interface
	pods    corev1client.PodInterface
	streams corev1client.PodInterface
}

func newBuildLogs(t *target) *cobra.Command {
	o := &buildLogs{target: t}
	c := &cobra.Command{
		Use:   "build-logs APP_NAME",
		Short: "Show what the steps of a build wrote",
		Long: `build-logs shows what the steps of an App's newest build wrote, one after the other, or of the build that --build names.
With --follow it waits for what is still to come, and ends with the build. Of a build whose Pod is gone it shows what is
left: the last lines of a failure.`,
		Example: `  kf build-logs shop --follow
  kf build-logs shop --build shop-build-0123456789ab`,
		Args: cobra.ExactArgs(1),
		RunE: o.run,
	}
	c.Flags().StringVar(&o.build, "build", "", "name of the build, which `kf builds APP` shows; the newest when left out")
	c.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on until the build has ended")
	return c
}

func (o *buildLogs) run(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	app, err := o.app(ctx, args[0])
	if err != nil {
		return err
	}
	if o.tekton, err = dynamic.NewForConfig(o.cfg); err != nil {
		return err
	}
	pods, err := corev1client.NewForConfig(o.cfg)
	if err != nil {
		return err
	}
	streams, err := corev1client.NewForConfig(tasklog.Streams(o.cfg))
	if err != nil {
		return err
	}
	o.pods, o.streams = pods.Pods(o.space), streams.Pods(o.space)
	build, newest, err := o.chosen(ctx, app)
	if err != nil {
		return err
	}
	out, done := o.entries(text.Options{})
	defer done()
	return unlessStopped(ctx, o.show(ctx, app, build, newest, out))
}

// chosen is the build that is asked for, and whether it is the App's newest.
func (o *buildLogs) chosen(ctx context.Context, app *v1alpha1.App) (name string, newest bool, err error) {
	found, err := o.builds(ctx, app.Name)
	if err != nil {
		return "", false, err
	}
	if len(found) == 0 {
		return "", false, notFound("there is no build of App %q: kf push builds one from source, and an operator says how many are kept",
			app.Name)
	}
	var names []string
	for _, b := range found {
		names = append(names, b.GetName())
	}
	at := 0
	if o.build != "" {
		if at = slices.Index(names, o.build); at < 0 {
			return "", false, notFound("there is no build %q of App %q; there is: %s", o.build, app.Name,
				strings.Join(names[:min(10, len(names))], ", "))
		}
	}
	return names[at], at == 0, nil
}

// show delivers what the steps wrote, and at last what became of the build.
func (o *buildLogs) show(ctx context.Context, app *v1alpha1.App, build string, newest bool, out tasklog.Output) error {
	note := func(format string, args ...any) error {
		return out.Entry(text.Entry{Note: fmt.Sprintf(format, args...)})
	}
	pod, run, err := o.podOf(ctx, build)
	if err != nil {
		return err
	}
	switch {
	case pod != nil:
		err = o.steps(ctx, pod, out)
	case run.ended():
		err = note("the Pod of build %s is gone, and its log with it", build)
	default:
		err = note("build %s has not started; --follow waits for it", build)
	}
	if err != nil {
		return err
	}
	if run, err = o.end(ctx, build); err != nil {
		return err
	}
	c := run.succeeded()
	switch c.Status {
	case metav1.ConditionUnknown:
		return note("build %s goes on: %s", build, c.Reason)
	case metav1.ConditionTrue:
		return note("build %s: %s, image %s@%s", build, c.Reason, run.repository(), run.result(appbuild.ResultDigest))
	}
	why, err := o.why(ctx, app, run, newest)
	if err != nil {
		return err
	}
	return note("build %s: %s: %s", build, c.Reason, why)
}

// podOf is the build's Pod, nil if there is none; following, it waits until there is one or none will come.
func (o *buildLogs) podOf(ctx context.Context, build string) (pod *corev1.Pod, run *tektonRun, err error) {
	err = o.await(ctx, o.patience("build "+build+" has not started yet"), func(ctx context.Context) (bool, error) {
		if run, err = o.get(ctx, build); err != nil {
			return false, err
		}
		list, err := o.pods.List(ctx, metav1.ListOptions{LabelSelector: runLabel + "=" + build})
		if err != nil {
			return false, fmt.Errorf("list the Pods of build %s: %w", build, err)
		}
		if len(list.Items) > 0 {
			last := slices.MaxFunc(list.Items, func(a, b corev1.Pod) int { // of several tries, the last
				return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
			})
			pod = &last
		}
		return pod != nil || !o.follow || run.ended(), nil
	})
	return pod, run, err
}

// end is the build when it has ended, or, if nobody follows it, as it is.
func (o *buildLogs) end(ctx context.Context, build string) (run *tektonRun, err error) {
	err = o.await(ctx, o.patience("build "+build+" goes on"), func(ctx context.Context) (bool, error) {
		run, err = o.get(ctx, build)
		return err == nil && (!o.follow || run.ended()), err
	})
	return run, err
}

func (o *buildLogs) patience(saying string) patience {
	return patience{every: lookEvery, say: func() { o.progress("%s", saying) }, stopped: "no longer waiting; the build goes on"}
}

func (o *buildLogs) get(ctx context.Context, build string) (*tektonRun, error) {
	found, err := o.tekton.Resource(pipelineRuns).Namespace(o.space).Get(ctx, build, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("build %s was deleted", build)
	}
	if err != nil {
		return nil, err
	}
	return runOf(found)
}

// steps delivers what each step wrote, in their order. A step that wrote nothing is not mentioned, unless it failed.
func (o *buildLogs) steps(ctx context.Context, pod *corev1.Pod, out tasklog.Output) error {
	for _, container := range pod.Spec.Containers {
		step, is := strings.CutPrefix(container.Name, stepPrefix)
		if !is {
			continue
		}
		said := false
		wrote := &stepLog{ctx: ctx, pods: o.pods, streams: o.streams, pod: pod, container: container.Name}
		_, err := follow.Log(ctx, wrote, follow.Options{Follow: o.follow, Idle: func() { out.Idle(pod.Name) }}, func(l follow.Line) error {
			if !said {
				said = true
				if err := out.Entry(text.Entry{Note: "step " + step}); err != nil {
					return err
				}
			}
			return out.Entry(text.Entry{Pod: pod.Name, Line: text.Line{
				Time: l.Time, Container: container.Name, Text: l.Text, More: l.More, Continued: l.Continued,
			}})
		})
		if err != nil {
			return fmt.Errorf("read the log of step %s: %w", step, err)
		}
		if code := wrote.failed(); code != 0 {
			if err := out.Entry(text.Entry{Note: fmt.Sprintf("step %s: exit code %d", step, code)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// why is the reason of a failure in the most precise words that are left.
func (o *buildLogs) why(ctx context.Context, app *v1alpha1.App, run *tektonRun, newest bool) (string, error) {
	list, err := o.tekton.Resource(taskRuns).Namespace(o.space).List(ctx, metav1.ListOptions{LabelSelector: runLabel + "=" + run.Name})
	if err != nil {
		return "", fmt.Errorf("list the TaskRuns of build %s: %w", run.Name, err)
	}
	for i := range list.Items {
		taskRun, err := runOf(&list.Items[i])
		if err != nil {
			return "", err
		}
		if lines := taskRun.result(appbuild.ResultLog); lines != "" {
			return lines, nil
		}
	}
	c := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionBuildReady)
	if newest && c != nil && c.Status == metav1.ConditionFalse && c.Message != "" {
		return c.Message, nil
	}
	return run.succeeded().Message, nil
}

// stepLog is the log of one container of a build's Pod.
type stepLog struct {
	ctx           context.Context
	pods, streams corev1client.PodInterface
	pod           *corev1.Pod
	container     string
}

// stateEvery is how often a Pod is looked at whose step has not begun or ended.
const stateEvery = 500 * time.Millisecond

// State asks anew each time: builds are few, and last seconds.
func (l *stepLog) State() (follow.State, <-chan struct{}) {
	changed := make(chan struct{})
	time.AfterFunc(stateEvery, func() { close(changed) })
	pod, err := l.pods.Get(l.ctx, l.pod.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) || err == nil && pod.UID != l.pod.UID:
		return follow.Gone, changed
	case err == nil:
		l.pod = pod
	}
	status := l.status()
	switch {
	case status.State.Terminated != nil, l.pod.Status.Phase == corev1.PodFailed, l.pod.Status.Phase == corev1.PodSucceeded:
		return follow.Ended, changed
	case status.State.Running != nil:
		return follow.Running, changed
	}
	return follow.Waiting, changed
}

func (l *stepLog) status() corev1.ContainerStatus {
	for _, s := range l.pod.Status.ContainerStatuses {
		if s.Name == l.container {
			return s
		}
	}
	return corev1.ContainerStatus{}
}

// failed is the exit code of a step that has failed, and was not left out because one before it had: Tekton's entrypoint says so.
func (l *stepLog) failed() int32 {
	t := l.status().State.Terminated
	if t == nil || strings.Contains(t.Message, `"value":"Skipped"`) {
		return 0
	}
	return t.ExitCode
}

func (l *stepLog) Open(ctx context.Context, q follow.Query) (io.ReadCloser, error) {
	opts := &corev1.PodLogOptions{Container: l.container, Follow: q.Follow, Timestamps: true, TailLines: q.Tail}
	if !q.Since.IsZero() {
		since := metav1.NewTime(q.Since)
		opts.SinceTime = &since
	}
	return l.streams.GetLogs(l.pod.Name, opts).Stream(ctx)
}
