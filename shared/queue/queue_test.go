package queue

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

var t0 = time.Unix(1_800_000_000, 0).UTC()

// task is one of "APP/NAME@SECONDS#ID"; the ID may be left out.
func task(spec string) *v1alpha1.Task {
	t := &v1alpha1.Task{}
	app, rest, _ := strings.Cut(spec, "/")
	name, rest, _ := strings.Cut(rest, "@")
	var age, id int
	_, _ = fmt.Sscanf(rest, "%d#%d", &age, &id)
	t.Name, t.UID, t.Spec.AppRef.Name, t.Status.ID = name, types.UID(name), app, id
	t.CreationTimestamp = metav1.NewTime(t0.Add(time.Duration(age) * time.Second))
	return t
}

func tasks(specs string) (all []*v1alpha1.Task) {
	for s := range strings.FieldsSeq(specs) {
		all = append(all, task(s))
	}
	return all
}

func TestWhoseTurnItIs(t *testing.T) {
	for name, c := range map[string]struct {
		running, waiting string
		apps             map[string]int
		space, most      int
		start, wait      string // wait: NAME:PLACE:OF
	}{
		"nobody waits":            {running: "a/x@0", apps: map[string]int{"a": 1}},
		"a place is free":         {waiting: "a/y@1", apps: map[string]int{"a": 1}, start: "y"},
		"none is":                 {running: "a/x@0", waiting: "a/y@1", apps: map[string]int{"a": 1}, wait: "y:1:App"},
		"the oldest":              {waiting: "a/z@3 a/y@2 a/x@1", apps: map[string]int{"a": 1}, start: "x", wait: "y:1:App z:2:App"},
		"of one second by its ID": {waiting: "a/x@1#9 a/y@1#8 a/w@1", apps: map[string]int{"a": 1}, start: "y", wait: "x:1:App w:2:App"},
		"the limit was lowered":   {running: "a/w@0 a/x@0 a/v@0", waiting: "a/y@1", apps: map[string]int{"a": 1}, wait: "y:1:App"},
		"the limit was raised":    {running: "a/w@0", waiting: "a/x@1 a/y@2 a/z@3", apps: map[string]int{"a": 3}, start: "x y", wait: "z:1:App"},
		"no limit any more":       {running: "a/w@0", waiting: "a/x@1 a/y@2", apps: map[string]int{}, start: "x y"},
		"not all at once":         {waiting: "a/x@1 a/y@2 a/z@3", apps: map[string]int{"a": 3}, most: 2, start: "x y", wait: "z:1:App"},
		"the App of which the fewest run": {running: "a/p@0 a/q@0 b/r@0", waiting: "a/x@1 b/y@2 c/z@3", space: 5,
			start: "z y", wait: "x:1:Space"},
		"then the oldest":            {waiting: "b/y@2 a/x@1 a/w@3 b/z@4", space: 2, start: "x y", wait: "w:1:Space z:2:Space"},
		"a flood beside one":         {running: "a/1@0", waiting: "a/2@1 a/3@1 a/4@1 a/5@1 b/x@9", space: 2, start: "x", wait: "2:1:Space 3:2:Space 4:3:Space 5:4:Space"},
		"the App's limit as well":    {running: "a/p@0", waiting: "a/x@1 b/y@2 b/z@3", apps: map[string]int{"a": 1}, space: 3, start: "y z", wait: "x:1:App"},
		"an App at its limit lets":   {running: "a/p@0", waiting: "a/x@1 b/y@2 b/z@3", apps: map[string]int{"a": 1}, space: 2, start: "y", wait: "x:1:App z:2:Space"},
		"those that run are over it": {running: "a/p@0 b/q@0 c/r@0", waiting: "d/x@1", space: 2, wait: "x:1:Space"},
	} {
		if c.most == 0 {
			c.most = 100
		}
		p := Decide(State{Running: tasks(c.running), Waiting: tasks(c.waiting), Apps: c.apps, Space: c.space}, c.most)
		var start, wait []string
		for _, s := range p.Start {
			start = append(start, s.Name)
		}
		for _, w := range p.Waiting {
			wait = append(wait, fmt.Sprintf("%s:%d:%s", w.Task.Name, w.Place, w.Of))
		}
		if strings.Join(start, " ") != c.start || strings.Join(wait, " ") != c.wait {
			t.Errorf("%s: %v start and %v wait, want %q and %q", name, start, wait, c.start, c.wait)
		}
	}
}

// TestNoLimitIsPassedAndNoPlaceLeft on random queues: never more than may, never a place that a Task could have, nobody lost, and
// what is said of limits is so.
func TestNoLimitIsPassedAndNoPlaceLeft(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		s := State{Apps: map[string]int{}, Space: random.IntN(8)}
		for _, app := range []string{"a", "b", "c"} {
			s.Apps[app] = random.IntN(4)
			for i := range random.IntN(4) {
				s.Running = append(s.Running, task(fmt.Sprintf("%s/%s-r%d@0", app, app, i)))
			}
			for i := range random.IntN(6) {
				s.Waiting = append(s.Waiting, task(fmt.Sprintf("%s/%s-w%d@%d", app, app, i, random.IntN(9))))
			}
		}
		p := Decide(s, 100)
		if len(p.Start)+len(p.Waiting) != len(s.Waiting) {
			t.Fatalf("%d start and %d wait of %d", len(p.Start), len(p.Waiting), len(s.Waiting))
		}
		run, before := map[string]int{}, map[string]int{}
		for _, r := range s.Running {
			run[r.Spec.AppRef.Name]++
		}
		maps.Copy(before, run)
		for _, x := range p.Start {
			run[x.Spec.AppRef.Name]++
		}
		all := len(s.Running) + len(p.Start)
		for app, n := range run {
			if s.Apps[app] > 0 && n > s.Apps[app] && n > before[app] {
				t.Fatalf("%d of App %s run, and %d may", n, app, s.Apps[app])
			}
		}
		if s.Space > 0 && all > s.Space && len(p.Start) > 0 {
			t.Fatalf("%d run, and %d may", all, s.Space)
		}
		for _, w := range p.Waiting {
			app := w.Task.Spec.AppRef.Name
			if (s.Space == 0 || all < s.Space) && (s.Apps[app] == 0 || run[app] < s.Apps[app]) {
				t.Fatalf("%s waits, though there is a place", w.Task.Name)
			}
			if w.Running < w.Limit {
				t.Fatalf("%s is told that %d of %d run", w.Task.Name, w.Running, w.Limit)
			}
		}
	}
}

// TestAFloodHoldsNobodyUp: with ends and starts going on, an App that floods the Space does not get more of it than one that asks for
// less than its share.
func TestAFloodHoldsNobodyUp(t *testing.T) {
	var waiting []*v1alpha1.Task
	for i := range 100 {
		waiting = append(waiting, task(fmt.Sprintf("flood/f%03d@0", i)))
	}
	running := []*v1alpha1.Task{}
	for second := 1; second < 20; second++ {
		mine := task(fmt.Sprintf("small/s%d@%d", second, second))
		waiting = append(waiting, mine)
		p := Decide(State{Running: running, Waiting: waiting, Space: 3}, 100)
		running = append(running, p.Start...)
		waiting = waiting[:0]
		for _, w := range p.Waiting {
			waiting = append(waiting, w.Task)
		}
		if !slices.Contains(running, mine) {
			t.Fatalf("second %d: the other App's Task waits behind the flood", second)
		}
		running = slices.DeleteFunc(running, func(r *v1alpha1.Task) bool { return r == mine || r == running[0] })
	}
}

func TestWhoTakesAPlace(t *testing.T) {
	at := func(ago time.Duration) metav1.Time { return metav1.NewTime(t0.Add(-ago)) }
	handled, fresh, late, over, other := task("a/handled@0"), task("a/fresh@0"), task("a/late@0"), task("a/over@0"), task("a/other@0")
	handled.Labels = map[string]string{v1alpha1.HandledLabel: "handled"}
	unfit := task("a/unfit@0")
	admitted := []v1alpha1.Admission{
		{UID: "handled", At: at(time.Second)}, {UID: "fresh", At: at(time.Second)}, {UID: "late", At: at(30 * time.Second)},
		{UID: "over", At: at(time.Minute)}, {UID: "gone", At: at(time.Second)},
	}
	all := []*v1alpha1.Task{handled, fresh, late, over, other, unfit}
	s, due := Sort(all, admitted, func(t *v1alpha1.Task) bool { return t != unfit }, t0)
	if !slices.Equal(s.Running, []*v1alpha1.Task{handled, fresh, late}) || !slices.Equal(s.Waiting, []*v1alpha1.Task{over, other}) {
		t.Errorf("%d take a place, %d wait", len(s.Running), len(s.Waiting))
	}
	if len(due) != 1 || due[0].UID != "fresh" {
		t.Errorf("%v are to start, want the one whose turn came just now", due)
	}
	var kept []string
	for _, a := range Admit(admitted, s.Running, s.Waiting[:1], t0) {
		kept = append(kept, string(a.UID))
	}
	if !slices.Equal(kept, []string{"fresh", "late", "over"}) {
		t.Errorf("admissions of %v are kept", kept)
	}
}

func TestAPlaceIsWrittenAnewWhenItHasHalved(t *testing.T) {
	waits := task("a/x@0")
	writes := 0
	for place := 100; place > 0; place-- {
		turn := Turn{Task: waits, Place: place, Of: v1alpha1.QueueOfApp}
		if turn.Said() {
			continue
		}
		writes++
		turn.Record(waits, t0)
		waits.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Reason: v1alpha1.ReasonQueued}}
	}
	if writes != 7 || waits.Status.Queue.Place != 1 {
		t.Errorf("%d writes on the way from place 100 to %d, want 7 to 1", writes, waits.Status.Queue.Place)
	}
}

func TestWhichQueue(t *testing.T) {
	three := int32(3)
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "s", Name: "a"}}
	of := &v1alpha1.Space{}
	for name, c := range map[string]struct {
		app, space *int32
		want       Scope
		limited    bool
	}{
		"none":      {},
		"the App's": {app: &three, want: Scope{"s", "a"}, limited: true},
		"the Space": {space: &three, want: Scope{"s", ""}, limited: true},
		"both":      {app: &three, space: &three, want: Scope{"s", ""}, limited: true},
	} {
		app.Spec.MaxRunningTasks, of.Spec.Limits.MaxRunningTasks = c.app, c.space
		if got, limited := ScopeOf(app, of); limited != c.limited || limited && got != c.want {
			t.Errorf("%s: %v, %v", name, got, limited)
		}
	}
}
