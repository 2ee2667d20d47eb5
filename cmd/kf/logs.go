package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/array"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

type logs struct {
	*target
	number                    int64
	recent, tasks, timestamps bool
	uid                       string
}

func newLogs(t *target) *cobra.Command {
	o := &logs{target: t}
	c := &cobra.Command{
		Use:   "logs APP_NAME --task | TASK_NAME | APP_NAME TASK_ID",
		Short: "Show what Tasks write",
		Long: `logs shows what the Tasks of an App write, or one Task, and follows it.

One Task is followed to its end, whether it runs, has yet to start or has ended. Lines come once each and in order, also
when the connection breaks in between. Of an array the Tasks are shown one after another, by their index.

Escape sequences for the terminal are shown, not obeyed.

In a Space that archives logs, the log of a Task that is gone is read from the archive: by the function logs, if KF_LOGS_URL is its
address, or else from the registry with the credentials that docker and podman keep.`,
		Example: `  # follow all Tasks of the App "shop"
  kf logs shop --task

  # the last 200 lines of them
  kf logs shop --task --recent -n 200

  # one Task, all of it
  kf logs shop-x7k2p -n 0

  # one of two of a name that are long gone, from the archive
  kf logs shop-x7k2p -n 0 --uid 0b3c6f0e-2f0a-4f5e-9f0e-1c2d3e4f5a6b
  kf logs shop 7 -n 0`,
		Args: cobra.RangeArgs(1, 2),
		RunE: o.run,
	}
	f := c.Flags()
	f.Int64VarP(&o.number, "number", "n", 10, "show the last N lines first; 0 shows all")
	f.BoolVar(&o.recent, "recent", false, "show what there is, instead of following")
	f.BoolVar(&o.tasks, "task", false, "show the Tasks of the App")
	f.StringVar(&o.uid, "uid", "", "which Task of its name, by its UID, where the archive has several; the last when left out")
	f.BoolVar(&o.timestamps, "timestamps", false, "put its time before each line")
	return c
}

func (o *logs) run(cmd *cobra.Command, args []string) error {
	if o.number < 0 {
		return fmt.Errorf("--number can't be negative")
	}
	if o.tasks && len(args) == 1 {
		return o.ofApp(cmd.Context(), args[0])
	}
	return o.ofTask(cmd.Context(), args)
}

func (o *logs) ofApp(ctx context.Context, name string) error {
	app, err := o.app(ctx, name)
	if err != nil {
		return err
	}
	if o.number > tasklog.MaxTail {
		return fmt.Errorf("--number can be at most %d for an App; 0 shows everything", tasklog.MaxTail)
	}
	reader, err := o.logReader()
	if err != nil {
		return err
	}
	out, done := o.entries(text.Options{Timestamps: o.timestamps, Task: true})
	defer done()
	return unlessStopped(ctx, reader.App(ctx, app.Name, o.options(), out))
}

func (o *logs) ofTask(ctx context.Context, args []string) error {
	task, err := o.task(ctx, args)
	missing := err != nil && codeOf(err, o.asked) == exitNotFound && len(args) == 1
	if missing {
		if app, _ := client.Find(ctx, o.kf.Apps(o.space), o.space, args[0]); app != nil {
			return fmt.Errorf("%s is an App: say --task to see what its Tasks write", app.Name)
		}
		task = o.gone(args[0])
	} else if err != nil {
		return err
	}
	if at := address(); at != "" && (missing || tasklog.InArchive(task) || o.uid != "") {
		return o.fromFunction(ctx, at, task.Name)
	}
	reader, err := o.logReader()
	if err != nil {
		return err
	}
	if err := o.readArchive(reader); err != nil {
		return err
	}
	if task.Spec.Count > 0 {
		return o.ofArray(ctx, task, reader)
	}
	reader.UID = types.UID(o.uid)
	out, done := o.entries(text.Options{Timestamps: o.timestamps})
	defer done()
	err = unlessStopped(ctx, reader.Task(ctx, task.Name, o.options(), out))
	if missing && apierrors.IsNotFound(err) {
		return notFound("there is no Task %q in Space %q, nor has an archive its log; `kf tasks APP` lists an App's", task.Name, o.space)
	}
	return unarchived(err)
}

// ofArray shows what the Tasks of an array have written, one after another by their index, those that there are.
func (o *logs) ofArray(ctx context.Context, task *v1alpha1.Task, reader *tasklog.Reader) error {
	if task.Status.Array == nil {
		return fmt.Errorf("Task %s has not started: `kf why %[1]s` tells what it waits for", task.Name)
	}
	out, done := o.entries(text.Options{Timestamps: o.timestamps, Task: true})
	defer done()
	for i := range int(task.Status.Array.Created) {
		name := array.Name(task.Name, i)
		switch err := reader.Task(ctx, name, o.options(), out); {
		case apierrors.IsNotFound(err):
			o.progress("Task %s, of the index %d, is gone, and its log with it", name, i)
		case err != nil:
			return unarchived(unlessStopped(ctx, err))
		}
	}
	return nil
}

func (o *logs) options() follow.Options {
	options := follow.Options{Follow: !o.recent}
	if o.number > 0 {
		options.Tail = &o.number
	}
	return options
}
