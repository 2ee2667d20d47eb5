package task_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/logs/task/tasktest"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

func reader(t *testing.T, api *tasktest.API) *tasklog.Reader {
	t.Helper()
	kf, err := client.New(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	core, err := corev1client.NewForConfig(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	return &tasklog.Reader{Tasks: kf.Tasks("space"), Pods: core.Pods("space"), Streams: core.Pods("space")}
}

// read returns what a reader delivers, as text, when it ends.
func read(t *testing.T, read func(context.Context, tasklog.Output) error) (got func() string, ended <-chan error) {
	var out bytes.Buffer
	plain := text.NewPlain(&out, text.Options{Task: true})
	done := make(chan error, 1)
	go func() { done <- read(t.Context(), tasklog.Output{Entry: plain.Entry}) }()
	return func() string {
		synctest.Wait()
		plain.Flush()
		return strings.ReplaceAll(out.String(), "\n", "; ")
	}, done
}

func ofTask(t *testing.T, api *tasktest.API, o follow.Options) (func() string, <-chan error) {
	return read(t, func(ctx context.Context, out tasklog.Output) error { return reader(t, api).Task(ctx, "t", o, out) })
}

func ofApp(t *testing.T, api *tasktest.API, o follow.Options) (func() string, <-chan error) {
	return read(t, func(ctx context.Context, out tasklog.Output) error { return reader(t, api).App(ctx, "app", o, out) })
}

func expect(t *testing.T, when string, got func() string, want string) {
	t.Helper()
	if s := got(); s != want {
		t.Errorf("%s:\ngot  %s\nwant %s", when, s, want)
	}
}

// TestATaskIsFollowedFromBeforeItsStartOverItsTriesToItsEnd: which Pods, and until when.
func TestATaskIsFollowedFromBeforeItsStartOverItsTriesToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &tasktest.API{}
		api.Task("t", "")
		got, ended := ofTask(t, api, follow.Options{Follow: true})
		expect(t, "before the start", got, "")

		api.Pod("another", "u")
		api.Write("another", "of another Task")
		api.Pod("t-pod", "t")
		api.Write("t-pod", "one")
		time.Sleep(time.Second)
		expect(t, "running", got, "t | one; ")

		api.End("t-pod")
		time.Sleep(time.Second)
		api.Pod("t-pod-retry", "t")
		api.Write("t-pod-retry", "two")
		api.End("t-pod-retry")
		time.Sleep(time.Minute)
		expect(t, "tried again", got, "t | one; t | two; ")

		api.Task("t", "Failed")
		if err := <-ended; err != nil {
			t.Error(err)
		}
		expect(t, "ended", got, "t | one; t | two; [kf] t: Failed; ")
	})
}

func TestATaskThatIsNotFollowedIsReadAsItStands(t *testing.T) {
	two := int64(2)
	for name, c := range map[string]struct {
		o    follow.Options
		want string
	}{
		"all":  {follow.Options{}, "t | 0; t | 1; t | 2; t | 3; t | 4; t | 5; [kf] t: Pending; "},
		"tail": {follow.Options{Tail: &two}, "t | 4; t | 5; [kf] t: Pending; "}, // of the last try
	} {
		synctest.Test(t, func(t *testing.T) {
			api := &tasktest.API{}
			api.Task("t", "")
			for i := range 2 {
				pod := fmt.Sprint("pod-", i)
				api.Pod(pod, "t")
				for j := range 3 {
					api.Write(pod, fmt.Sprint(3*i+j))
				}
				if i == 0 {
					api.End(pod)
					time.Sleep(time.Second)
				}
			}
			got, ended := ofTask(t, api, c.o)
			if err := <-ended; err != nil {
				t.Errorf("%s: %v", name, err)
			}
			expect(t, name, got, c.want)
		})
	}
}

func TestATaskWithoutALogSaysWhy(t *testing.T) {
	for what, c := range map[string]struct {
		reason string
		count  int32
		want   string
	}{
		"not begun": {"", 0, "[kf] t: the Task has not started; [kf] t: Pending; "},
		"no Pod":    {"Succeeded", 0, "[kf] t: the Task has no Pod any more, or never had one; [kf] t: Succeeded; "},
		"an array":  {"Succeeded", 5, "[kf] t: an array runs nothing itself: each of its 5 Tasks has a log of its own; [kf] t: Succeeded; "},
	} {
		synctest.Test(t, func(t *testing.T) {
			api := &tasktest.API{}
			task := tasktest.NewTask("t", c.reason)
			task.Spec.Count = c.count
			api.Put(task)
			got, ended := ofTask(t, api, follow.Options{})
			if err := <-ended; err != nil {
				t.Error(err)
			}
			expect(t, what, got, c.want)
		})
	}
}

func TestAPodDeletedBeforeItsEndIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &tasktest.API{}
		api.Task("t", "")
		api.Pod("t-pod", "t")
		api.Write("t-pod", "one")
		got, ended := ofTask(t, api, follow.Options{Follow: true})
		expect(t, "running", got, "t | one; ")
		api.Delete("t-pod")
		time.Sleep(time.Minute)
		api.Task("t", "Failed")
		if err := <-ended; err != nil {
			t.Error(err)
		}
		expect(t, "deleted", got, "t | one; [kf] t: lines after 2000-01-01T00:00:00Z may be missing: the Pod was gone before its log was read to the end; "+
			"[kf] t: Failed; ")
	})
}

// TestAnAppIsFollowed: what is past comes in order of time, what runs at the same time, what starts later too.
func TestAnAppIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &tasktest.API{}
		for i := range 3 {
			api.Task(fmt.Sprint("past-", i), "Succeeded")
			api.Pod(fmt.Sprint("pod-", i), fmt.Sprint("past-", i))
			for j := range 3 {
				api.Write(fmt.Sprint("pod-", i), fmt.Sprint(j))
				time.Sleep(time.Second)
			}
			api.End(fmt.Sprint("pod-", i))
			time.Sleep(time.Minute)
		}
		four := int64(4)
		got, ended := ofApp(t, api, follow.Options{Tail: &four})
		if err := <-ended; err != nil {
			t.Error(err)
		}
		const past = "past-1 | 2; past-2 | 0; past-2 | 1; past-2 | 2; "
		expect(t, "the past", got, past)

		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		got, ended = read(t, func(_ context.Context, out tasklog.Output) error {
			return reader(t, api).App(ctx, "app", follow.Options{Follow: true, Tail: &four}, out)
		})
		expect(t, "followed", got, past)
		for _, name := range []string{"a", "b"} {
			api.Task(name, "")
			api.Pod("pod-"+name, name)
		}
		for _, s := range []string{"1", "2"} {
			for _, name := range []string{"a", "b"} {
				api.Write("pod-"+name, s)
				time.Sleep(time.Second)
			}
		}
		expect(t, "two at once", got, past+"a | 1; b | 1; a | 2; b | 2; ")
		api.End("pod-a")
		api.Task("a", "Failed")
		time.Sleep(time.Minute)
		expect(t, "one has ended", got, past+"a | 1; b | 1; a | 2; b | 2; [kf] a: Failed; ")
		cancel(enough)
		if err := <-ended; !errors.Is(err, enough) {
			t.Errorf("it ends by %v", err)
		}
	})
}

// TestAReaderGoesOnWhereAnotherWas: from a Position no line is left out, though one Pod is behind the other.
func TestAReaderGoesOnWhereAnotherWas(t *testing.T) {
	at := func(s int) time.Time { return time.Date(2026, 7, 1, 12, 0, s, 0, time.UTC) }
	line := func(pod string, s int) text.Entry { return text.Entry{Pod: pod, Line: text.Line{Time: at(s)}} }
	var p tasklog.Position
	out := p.Of(tasklog.Output{Entry: func(text.Entry) error { return nil }})
	since := func(want time.Time, several bool) {
		t.Helper()
		if got := p.Since(several); !got.Equal(want) {
			t.Errorf("since %s, want %s", got, want)
		}
	}
	since(time.Time{}, true)
	out.Entry(line("a", 10))
	since(at(10), false)
	out.Entry(line("b", 20))
	since(at(10), true) // a may have more before b's
	out.Idle("a")
	since(at(19), true) // it has not, but for what was on its way
	out.Idle("b")
	since(at(19), true)
	out.Entry(line("a", 15))
	since(at(15), true)
	out.Idle("")
	since(at(19), true)
	out.Entry(text.Entry{Pod: "a", Note: "no line"})
	since(at(20), false)
	if p.Lines != 3 {
		t.Errorf("%d lines", p.Lines)
	}
}
