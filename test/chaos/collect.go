package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// hanging lists what has not come to its end, of the Tasks that were there before a time, or why that is not known.
func (r *record) hanging(ctx context.Context, before time.Time) []string {
	all, err := r.look(ctx, before)
	if err != nil {
		return []string{err.Error()}
	}
	return all
}

func (r *record) look(ctx context.Context, before time.Time) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tasks, err := r.Kf.Tasks(r.space).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	runs, err := r.Tekton.PipelineRuns(r.space).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	pods, err := r.Kube.CoreV1().Pods(r.space).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel})
	if err != nil {
		return nil, err
	}
	return hangs(tasks.Items, runs.Items, pods.Items, before), nil
}

// hangs is what of it hangs. Each Task's run, and of one that was stopped its Pod, goes with it.
func hangs(tasks []v1alpha1.Task, runs []tekton.PipelineRun, pods []corev1.Pod, before time.Time) (all []string) {
	of, few := map[string]*v1alpha1.Task{}, 0
	for i, t := range tasks {
		if t.Spec.AppRef.Name == "few" {
			few++
		}
		of[t.Name] = &tasks[i]
		switch {
		case !t.CreationTimestamp.Time.Before(before):
		case !t.Final():
			all = append(all, fmt.Sprintf("Task %s has not ended: %s", t.Name, v1alpha1.Reason(t.Status.Conditions, v1alpha1.ConditionSucceeded)))
		case t.Status.Termination != nil && !t.Status.Termination.Finished():
			all = append(all, fmt.Sprintf("Task %s has not delivered its log", t.Name))
		}
	}
	if few > 3 {
		all = append(all, fmt.Sprintf("App few has %d Tasks, and keeps 3", few))
	}
	for _, run := range runs {
		switch t := of[run.Name]; {
		case t == nil:
			all = append(all, fmt.Sprintf("PipelineRun %s has no Task", run.Name))
		case t.Final() && !run.IsDone():
			all = append(all, fmt.Sprintf("PipelineRun %s goes on, and its Task has ended", run.Name))
		}
	}
	for _, p := range pods {
		t := of[p.Labels[v1alpha1.TaskLabel]]
		switch {
		case t == nil:
			all = append(all, fmt.Sprintf("Pod %s has no Task", p.Name))
		case t.Status.Termination.Finished() && t.Status.Termination.Log != v1alpha1.LogNone:
			all = append(all, fmt.Sprintf("Pod %s is there, and its Task was stopped", p.Name))
		}
	}
	return all
}

// collect is the State at the end: the Jobs are suspended first, and owe no instant that is younger than two minutes.
func (r *record) collect(ctx context.Context, end time.Time) (State, error) {
	r.say("waiting for the Jobs' last minute")
	owed := end.Truncate(time.Minute).Add(time.Minute) // what is due before it
	_ = until(ctx, 3*time.Minute, func() error { return r.undecided(owed) })
	if err := r.suspendJobs(ctx); err != nil {
		return State{}, err
	}
	r.settle(ctx, time.Now(), time.Minute)
	s := State{Hanging: r.hanging(ctx, time.Now()), Kept: map[string]int{}, Unread: r.unread()}
	s.Tasks, s.Jobs = r.seen.all(owed)
	r.load.mu.Lock()
	s.Accepted = slices.Clone(r.load.ledger)
	r.load.mu.Unlock()
	r.sink.mu.Lock()
	s.Delivered, s.Facts = maps.Clone(r.sink.lines), maps.Clone(r.sink.facts)
	r.sink.mu.Unlock()
	var err error
	if s.Wrote, err = wrote(filepath.Join(r.records, "out")); err != nil {
		return s, err
	}
	return s, r.kept(ctx, s)
}

// unread are the times at which containerd was away, or only just back: a command takes a moment from its begin to its lines.
func (r *record) unread() (all []span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.done {
		if d.Fault == killContainerd && d.Err == nil {
			all = append(all, span{d.At.Add(-3 * time.Second), d.End.Add(3 * time.Second)})
		}
	}
	return all
}

// undecided says which instant before a time has no word in its history yet.
func (r *record) undecided(to time.Time) error {
	_, scheduled := r.seen.all(to)
	for _, j := range scheduled {
		for _, at := range j.due() {
			if j.Said[at.Unix()] == "" {
				return fmt.Errorf("%s has not decided on %s", j.Name, at)
			}
		}
	}
	return nil
}

// wrote reads what the containers wrote on the volume.
func wrote(dir string) (map[string]Wrote, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	all := map[string]Wrote{}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		all[f.Name()] = readRecord(b)
	}
	return all, nil
}

func readRecord(b []byte) (w Wrote) {
	for line := range strings.Lines(string(b)) {
		var n int
		switch {
		case strings.HasPrefix(line, "begin"):
			w.Begins++
			var at int64
			if _, err := fmt.Sscanf(line, "begin %d", &at); err == nil {
				w.Began = time.Unix(at, 0)
			}
		case strings.TrimSpace(line) == "end":
			w.Ended = true
		default:
			if _, err := fmt.Sscanf(line, "line %d\n", &n); err == nil {
				w.Lines = max(w.Lines, n)
			}
		}
	}
	return w
}

// kept counts the lines that are in the Pods of Tasks that came to their end by themselves and are there.
func (r *record) kept(ctx context.Context, s State) error {
	pods, err := r.Kube.CoreV1().Pods(r.space).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel})
	if err != nil {
		return err
	}
	for _, t := range s.Tasks {
		if t.Gone || t.stopped() || !slices.Contains(byThemselves, t.Reason) {
			continue
		}
		s.Kept[t.Name] = 0
		for _, p := range pods.Items {
			if p.Labels[v1alpha1.TaskLabel] != t.Name {
				continue
			}
			b, err := r.Kube.CoreV1().Pods(r.space).GetLogs(p.Name, &corev1.PodLogOptions{Container: "step-" + v1alpha1.UserContainer}).DoRaw(ctx)
			if err != nil {
				r.say("the log of %s: %v", p.Name, err)
			}
			s.Kept[t.Name] += bytes.Count(b, []byte("line "))
		}
	}
	return nil
}
