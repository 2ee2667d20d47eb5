// Package story tells what became of a Task, or of an instant of a Job, and why: what asked for it, each decision since, and its end.
// It says what the objects say that are there. What is gone, or may not be read, is said to be; nothing is made up for it.
package story

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Story is what is told. All text in it may be of others: who shows it makes it inert.
type Story struct {
	// About names what the story is of, and Outcome says in a word what became of it: a condition's reason, or a decision.
	About   string `json:"about"`
	Outcome string `json:"outcome"`
	// Lines are what happened, oldest first; those without a time are how it stands now, and come last.
	Lines []Line `json:"lines"`
	// Unknown is what can't be told, and why not.
	Unknown []string `json:"unknown,omitempty"`
	// Do is what to do about it, "" where nothing is to be done.
	Do string `json:"do,omitempty"`
}

// Line is one thing that happened, and which object says so.
type Line struct {
	At   time.Time `json:"at,omitzero"`
	What string    `json:"what"`
	By   string    `json:"by"`
}

// Run is what is read of a PipelineRun or a TaskRun. Tekton's own types would make a program half as large again.
type Run struct {
	metav1.ObjectMeta `json:"metadata"`
	Status            struct {
		PodName string `json:"podName"`
		Steps   []struct {
			corev1.ContainerState `json:",inline"`
			Name                  string `json:"name"`
		} `json:"steps"`
	} `json:"status"`
}

// Facts are what was read of a Task. What is nil is not there, or is named in Unread.
type Facts struct {
	Task         *v1alpha1.Task
	App          *v1alpha1.App
	Run, TaskRun *Run
	Pod          *corev1.Pod
	Events       []*corev1.Event // about any of them, or their like by name
	Unread       Unread
	Now          time.Time
}

// Part is an object, or a kind of them, that a story is told from.
type Part string

// Parts.
const (
	PartApp     Part = "its App"
	PartRun     Part = "its PipelineRun"
	PartTaskRun Part = "its TaskRun"
	PartPod     Part = "its Pod"
	PartEvents  Part = "Kubernetes' Events"
	PartOther   Part = "the Task that was in the way"
	PartTask    Part = "the instant's Task"
)

// Unread says of parts that could not be read why not.
type Unread map[Part]string

// gone says that a part was looked for, and is not there.
func (u Unread) gone(p Part, there bool) bool { return !there && u[p] == "" }

func (u Unread) said() (all []string) {
	for p, why := range u {
		all = append(all, string(p)+" could not be read: "+why)
	}
	slices.Sort(all)
	return all
}

// tell collects what each teller says and puts it in order. Of one second, it is the order of the tellers.
func tell[F any](facts F, tellers []func(F) []Line) (lines []Line) {
	for _, say := range tellers {
		lines = append(lines, say(facts)...)
	}
	return ordered(lines)
}

func ordered(lines []Line) []Line {
	slices.SortStableFunc(lines, func(a, b Line) int {
		if a.At.IsZero() || b.At.IsZero() {
			return cmp.Compare(order(a), order(b))
		}
		return a.At.Truncate(time.Second).Compare(b.At.Truncate(time.Second)) // most objects have no parts of a second
	})
	return lines
}

// order puts what has no time last.
func order(l Line) int {
	if l.At.IsZero() {
		return 1
	}
	return 0
}

// stamp is a time as a story has it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
