package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

func newLogs(t *target) *cobra.Command {
	var (
		number                   int64
		recent, task, timestamps bool
	)
	c := &cobra.Command{
		Use:   "logs APP_NAME --task | TASK_NAME | APP_NAME TASK_ID",
		Short: "Show what Tasks write",
		Long: `logs shows what the Tasks of an App write, or one Task, and follows it.

One Task is followed to its end, whether it runs, has yet to start or has ended. Lines come once each and in order, also
when the connection breaks in between. Escape sequences for the terminal are shown, not obeyed.`,
		Example: `  # follow all Tasks of the App "shop"
  kf logs shop --task

  # the last 200 lines of them
  kf logs shop --task --recent -n 200

  # one Task, all of it
  kf logs shop-x7k2p -n 0
  kf logs shop 7 -n 0`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if number < 0 {
				return fmt.Errorf("--number can't be negative")
			}
			cfg, kf, err := t.connect()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			o := follow.Options{Follow: !recent}
			if number > 0 {
				o.Tail = &number
			}
			reader, err := logReader(cfg, kf, t.space)
			if err != nil {
				return err
			}
			app := task && len(args) == 1
			out, done := showEntries(cmd.OutOrStdout(), text.Options{Timestamps: timestamps, Task: app})
			defer done()
			if app {
				if _, err := getApp(ctx, kf, t.space, args[0]); err != nil {
					return err
				}
				if number > tasklog.MaxTail {
					return fmt.Errorf("--number can be at most %d for an App; 0 shows everything", tasklog.MaxTail)
				}
				return unlessStopped(ctx, reader.App(ctx, args[0], o, out))
			}
			one, err := findTask(ctx, kf, t.space, args)
			if err != nil {
				if _, aerr := kf.Apps(t.space).Get(ctx, args[0], metav1.GetOptions{}); aerr == nil && len(args) == 1 {
					return fmt.Errorf("%s is an App: say --task to see what its Tasks write", args[0])
				}
				return err
			}
			return unlessStopped(ctx, reader.Task(ctx, one.Name, o, out))
		},
	}
	f := c.Flags()
	f.Int64VarP(&number, "number", "n", 10, "show the last N lines first; 0 shows all")
	f.BoolVar(&recent, "recent", false, "show what there is, instead of following")
	f.BoolVar(&task, "task", false, "show the Tasks of the App")
	f.BoolVar(&timestamps, "timestamps", false, "put its time before each line")
	return c
}

// unlessStopped: whoever interrupts a log that is followed has seen enough.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("you may not read the logs of Pods in this Space: %w", err)
	}
	return err
}

func logReader(cfg *rest.Config, kf *client.Client, space string) (*tasklog.Reader, error) {
	pods, err := corev1.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	streams, err := corev1.NewForConfig(tasklog.Streams(cfg))
	if err != nil {
		return nil, err
	}
	return &tasklog.Reader{Tasks: kf.Tasks(space), Pods: pods.Pods(space), Streams: streams.Pods(space)}, nil
}

// showEntries writes lines to w, and what is said about them to standard error.
func showEntries(w io.Writer, o text.Options) (out tasklog.Output, done func()) {
	lines, remarks := text.NewPlain(w, o), text.NewPlain(os.Stderr, text.Options{})
	flush := func() { _ = lines.Flush() }
	return tasklog.Output{
		Idle: flush,
		Entry: func(e text.Entry) error {
			if e.Note == "" && e.Status == nil {
				return lines.Entry(e)
			}
			flush()
			defer remarks.Flush()
			return remarks.Entry(e)
		},
	}, flush
}

// waitWithLog shows a Task's log while it waits for the Task to end. A log that can't be shown does not keep it from
// waiting.
func waitWithLog(ctx context.Context, cfg *rest.Config, kf *client.Client, task *v1alpha1.Task, w io.Writer) error {
	reader, err := logReader(cfg, kf, task.Namespace)
	if err != nil {
		return err
	}
	out, done := showEntries(w, text.Options{})
	entry := out.Entry
	out.Entry = func(e text.Entry) error {
		if e.Status != nil {
			return nil // said by waitForTask
		}
		return entry(e)
	}
	shown := make(chan error, 1)
	go func() { shown <- reader.Task(ctx, task.Name, follow.Options{Follow: true}, out) }()
	result := waitForTask(ctx, kf, task)
	if err := unlessStopped(ctx, <-shown); err != nil {
		progress("the Task's log: %v", err)
	}
	done()
	return result
}
