package retention

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// history reads Tasks from a line of words, oldest first, one minute apart: a name, then what it is. "a" has succeeded,
// "a-" failed, "a^" was terminated, "a~" has not ended, "a!" is pinned, "a@job" belongs to a Job.
func history(line string) []Task {
	var tasks []Task
	words := strings.Fields(line)
	for i, w := range words {
		created := now.Add(-time.Duration(len(words)-i) * time.Minute)
		t := Task{ID: i + 1, Created: created, Ended: true, EndedAt: created, Outcome: v1alpha1.TaskSucceeded}
		if name, job, ok := strings.Cut(w, "@"); ok {
			w, t.Job = name, job
		}
		switch {
		case strings.HasSuffix(w, "-"):
			t.Outcome = v1alpha1.TaskFailed
		case strings.HasSuffix(w, "^"):
			t.Outcome = v1alpha1.TaskTerminated
		case strings.HasSuffix(w, "~"):
			t.Ended, t.Outcome, t.EndedAt = false, v1alpha1.TaskUnended, time.Time{}
		case strings.HasSuffix(w, "!"):
			t.Pinned = true
		}
		t.Name = strings.Trim(w, "-^~!")
		tasks = append(tasks, t)
	}
	return tasks
}

func keep(n int) Policy {
	p := Default()
	p.Keep = n
	return p
}

func TestDecide(t *testing.T) {
	with := func(p Policy, change func(*Policy)) Policy { change(&p); return p }
	for _, tt := range []struct {
		name   string
		policy Policy
		tasks  string
		want   string // names, oldest first
		over   int
	}{
		{"no Tasks", keep(3), "", "", 0},
		{"below the limit", keep(3), "a b", "", 0},
		{"at the limit", keep(3), "a b c", "", 0},
		{"one beyond", keep(3), "a b c d", "a", 0},
		{"many beyond", keep(1), "a b c d", "a b c", 0},
		{"over all outcomes", keep(2), "a- b c- d", "a b", 0},
		{"unlimited", keep(Unlimited), "a b c d", "", 0},

		{"one that has not ended counts", keep(3), "a b c d~", "a", 0},
		{"one that never ends, among the oldest, counts and is kept", keep(3), "a~ b c d", "b", 0},
		{"several of them", keep(3), "a~ b c~ d e", "b d", 0},
		{"as many that have not ended as places", keep(2), "a~ b c~", "b", 0},
		{"more of them than places", keep(2), "a~ b~ c d~", "c", 1},
		{"none has ended", keep(2), "a~ b~ c~", "", 1},

		{"pinned", keep(2), "a! b c d", "b", 0},
		{"a pinned one costs no other its place", keep(2), "a b! c", "", 0},
		{"all pinned", keep(1), "a! b! c!", "", 0},
		{"pinned, and has not ended", keep(1), "a~! b c", "b", 0},

		{"by age, 2 of 4 minutes", with(keep(500), func(p *Policy) { p.KeepFor = 150 * time.Second }), "a b c d", "a b", 0},
		{"age spares what has not ended", with(keep(500), func(p *Policy) { p.KeepFor = 150 * time.Second }), "a~ b c d", "b", 0},
		{"age spares what is pinned", with(keep(500), func(p *Policy) { p.KeepFor = 150 * time.Second }), "a! b c d", "b", 0},
		{"exactly as old as allowed", with(keep(500), func(p *Policy) { p.KeepFor = 2 * time.Minute }), "a b c", "a", 0},
		{"age without a limit", with(keep(Unlimited), func(p *Policy) { p.KeepFor = 0 }), "a b", "a b", 0},

		{"succeeded of a Job", with(keep(500), func(p *Policy) { p.SucceededPerJob = 1 }), "a@x b@x c@y d@x e", "a b", 0},
		{"failed of a Job", with(keep(500), func(p *Policy) { p.FailedPerJob = 1 }), "a-@x b@x c-@x d-@y", "a", 0},
		{"one that was terminated counts as failed", with(keep(500), func(p *Policy) { p.FailedPerJob = 1 }), "a^@x b-@x c^@y", "a", 0},
		{"none of a Job's failed", with(keep(500), func(p *Policy) { p.FailedPerJob = 0 }), "a-@x b@x c-", "a", 0},
		{"a Job's limits are for Tasks of Jobs",
			with(keep(500), func(p *Policy) { p.SucceededPerJob = 0; p.FailedPerJob = 0 }), "a b-", "", 0},
		{"a Job's limits spare what has not ended", with(keep(500), func(p *Policy) { p.SucceededPerJob = 0 }), "a~@x b@x", "b", 0},
		{"a Job's limits spare what is pinned", with(keep(500), func(p *Policy) { p.SucceededPerJob = 1 }), "a!@x b@x c@x", "b", 0},

		{"each rule stands for itself", with(keep(3), func(p *Policy) { p.FailedPerJob = 0 }), "a b c d-@x", "a d", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan := Decide(tt.policy, history(tt.tasks), now)
			if got := names(plan.Delete); got != tt.want {
				t.Errorf("deletes %q, want %q", got, tt.want)
			}
			if plan.Over != tt.over {
				t.Errorf("over the limit by %d, want %d", plan.Over, tt.over)
			}
			for _, v := range plan.Delete {
				if v.Reason == "" || v.Rule == "" {
					t.Errorf("%s is deleted without a reason", v.Name)
				}
			}
		})
	}
}

func names(vs []Verdict) string {
	var n []string
	for _, v := range vs {
		n = append(n, v.Name)
	}
	return strings.Join(n, " ")
}

func TestReasonsSayWhichRule(t *testing.T) {
	p := Policy{Keep: 2, KeepFor: 150 * time.Second, SucceededPerJob: 1, FailedPerJob: Unlimited, PodsFor: Unlimited}
	var got []string
	for _, v := range Decide(p, history("a b@x c@x d"), now).Delete {
		got = append(got, v.Name+": "+v.Reason)
	}
	p.Keep = Unlimited
	for _, v := range Decide(p, history("a b@x c@x d"), now).Delete {
		got = append(got, v.Name+": "+v.Reason)
	}
	want := []string{
		"a: not among the newest 2 Tasks of its App",
		"b: not among the newest 2 Tasks of its App",
		"a: ended more than 2m30s ago",
		"b: not among the newest 1 Tasks of Job x that succeeded",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOrder(t *testing.T) {
	task := func(name string, id int, second int) Task {
		return Task{Name: name, ID: id, Created: now.Add(time.Duration(second) * time.Second)}
	}
	for _, tt := range []struct {
		name         string
		older, newer Task
	}{
		{"by creation, whatever the IDs", task("b", 9, 0), task("a", 1, 1)},
		{"by ID within a second", task("b", 9, 0), task("a", 10, 0)},
		{"numbered before not numbered", task("b", 9, 0), task("a", 0, 0)},
		{"by name, at last", task("a", 9, 0), task("b", 9, 0)},
		{"by name without IDs", task("a", 0, 0), task("b", 0, 0)},
	} {
		if Compare(tt.older, tt.newer) >= 0 || Compare(tt.newer, tt.older) <= 0 {
			t.Errorf("%s: %v is not before %v", tt.name, tt.older, tt.newer)
		}
	}
}

// The promise, on histories at random: nothing is deleted that has not ended or is pinned; an App keeps its
// limit's worth or all it has; nothing is kept that is older than something deleted; order of arrival and a second look change nothing.
func TestPromiseOnRandomHistories(t *testing.T) {
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 1))
		limit := 1 + r.IntN(12)
		tasks := make([]Task, r.IntN(40))
		for i := range tasks {
			tasks[i] = Task{
				Name: fmt.Sprintf("t%02d", i), ID: r.IntN(30), Created: now.Add(time.Duration(r.IntN(10)) * time.Second),
				Ended: r.IntN(4) > 0, Pinned: r.IntN(8) == 0,
			}
			if tasks[i].Ended {
				tasks[i].Outcome = []v1alpha1.TaskOutcome{"", v1alpha1.TaskSucceeded, v1alpha1.TaskFailed, v1alpha1.TaskTerminated}[r.IntN(4)]
			}
		}
		plan := Decide(keep(limit), tasks, now)
		gone := map[string]bool{}
		for _, v := range plan.Delete {
			gone[v.Name] = true
			if !v.Ended || v.Pinned {
				t.Fatalf("seed %d: %+v is deleted", seed, v)
			}
		}
		var kept []Task
		var running, ended, pinned int
		for _, task := range tasks {
			if gone[task.Name] {
				continue
			}
			kept = append(kept, task)
			switch {
			case task.Pinned:
				pinned++
			case !task.Ended:
				running++
			default:
				ended++
				for _, v := range plan.Delete {
					if Compare(task, v.Task) < 0 {
						t.Fatalf("seed %d: %s is kept and the newer %s is deleted", seed, task.Name, v.Name)
					}
				}
			}
		}
		all := len(tasks) - pinned
		if got, want := running+ended, min(all, max(limit, running)); got != want {
			t.Fatalf("seed %d: %d are kept of %d with limit %d and %d running, want %d", seed, got, all, limit, running, want)
		}
		r.Shuffle(len(tasks), func(i, j int) { tasks[i], tasks[j] = tasks[j], tasks[i] })
		if again := Decide(keep(limit), tasks, now); names(again.Delete) != names(plan.Delete) {
			t.Fatalf("seed %d: the order of arrival matters: %q, then %q", seed, names(plan.Delete), names(again.Delete))
		}
		if again := Decide(keep(limit), kept, now); len(again.Delete) != 0 {
			t.Fatalf("seed %d: a second look finds %q", seed, names(again.Delete))
		}
		// Killed in between: any part of the plan done, the rest follows from what is left.
		half := r.IntN(len(plan.Delete) + 1)
		var left []Task
		for _, task := range tasks {
			if !slices.ContainsFunc(plan.Delete[:half], func(v Verdict) bool { return v.Name == task.Name }) {
				left = append(left, task)
			}
		}
		if rest := Decide(keep(limit), left, now); names(rest.Delete) != names(plan.Delete[half:]) {
			t.Fatalf("seed %d: after half, %q, want %q", seed, names(rest.Delete), names(plan.Delete[half:]))
		}
	}
}

// The argument of doc.go, on histories at random: two sweeps that read at different moments, each missing some Tasks, and
// are cut off anywhere, leave no fewer than the App keeps, as long as no Task ends between their readings.
func TestTwoSideBySideDeleteNoneTooMany(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 2))
		limit := 1 + r.IntN(8)
		task := func(i int) Task {
			return Task{Name: fmt.Sprintf("t%02d", i), ID: i + 1, Created: now.Add(time.Duration(i/3) * time.Second), Ended: r.IntN(3) > 0}
		}
		var there []Task
		for i := range r.IntN(30) {
			there = append(there, task(i))
		}
		look := func() (seen []Task) {
			for _, t := range there {
				if r.IntN(10) > 0 {
					seen = append(seen, t)
				}
			}
			return seen
		}
		remove := func(plan []Verdict) {
			there = slices.DeleteFunc(there, func(t Task) bool {
				return slices.ContainsFunc(plan, func(v Verdict) bool { return v.Name == t.Name })
			})
		}
		first := Decide(keep(limit), look(), now).Delete
		before := r.IntN(len(first) + 1)
		remove(first[:before])
		for i := range r.IntN(5) { // come meanwhile
			there = append(there, task(30+i))
		}
		least := min(limit, len(there))
		second := Decide(keep(limit), look(), now).Delete
		remove(first[before : before+r.IntN(len(first)-before+1)])
		remove(second[:r.IntN(len(second)+1)])
		if len(there) < least {
			t.Fatalf("seed %d: %d Tasks are left, want at least %d", seed, len(there), least)
		}
	}
}

func TestResolve(t *testing.T) {
	type m = map[string]string
	for _, tt := range []struct {
		name       string
		space, app m
		want       Policy
		refused    string // part of the message
	}{
		{"nothing said", nil, nil, Default(), ""},
		{"Space", m{v1alpha1.RetainAnnotation: "50"}, nil, keep(50), ""},
		{"App", nil, m{v1alpha1.RetainAnnotation: "7"}, keep(7), ""},
		{"App over Space", m{v1alpha1.RetainAnnotation: "50"}, m{v1alpha1.RetainAnnotation: "7"}, keep(7), ""},
		{"unlimited, in words", nil, m{v1alpha1.RetainAnnotation: "unlimited"}, keep(Unlimited), ""},
		{"App takes back what the Space said", m{v1alpha1.RetainForAnnotation: "1h"}, m{v1alpha1.RetainForAnnotation: "unlimited"},
			Default(), ""},
		{"each annotation for itself", m{v1alpha1.RetainForAnnotation: "30d"}, m{v1alpha1.RetainAnnotation: "7"},
			Policy{Keep: 7, KeepFor: 720 * time.Hour, SucceededPerJob: -1, FailedPerJob: -1, PodsFor: -1}, ""},
		{"all of them", nil, m{v1alpha1.RetainAnnotation: "7", v1alpha1.RetainForAnnotation: "1h30m",
			v1alpha1.RetainSucceededPerJobAnnotation: "3", v1alpha1.RetainFailedPerJobAnnotation: "0",
			v1alpha1.RetainPodsForAnnotation: "0s"},
			Policy{Keep: 7, KeepFor: 90 * time.Minute, SucceededPerJob: 3, FailedPerJob: 0, PodsFor: 0}, ""},
		{"annotations of others", m{"a": "b"}, m{"tasks.kf.dev/pin": "x"}, Default(), ""},

		{"0 is not unlimited", nil, m{v1alpha1.RetainAnnotation: "0"}, Policy{}, `annotation of the App: tasks.kf.dev/retain: "0"`},
		{"-1 is not unlimited", nil, m{v1alpha1.RetainAnnotation: "-1"}, Policy{}, `"-1"`},
		{"empty", nil, m{v1alpha1.RetainAnnotation: ""}, Policy{}, `""`},
		{"a word", m{v1alpha1.RetainAnnotation: "all"}, nil, Policy{}, `annotation of the Space: tasks.kf.dev/retain: "all"`},
		{"the Space's is refused though the App's is good", m{v1alpha1.RetainAnnotation: "all"},
			m{v1alpha1.RetainAnnotation: "7"}, Policy{}, "Space"},
		{"too large for a number", nil, m{v1alpha1.RetainAnnotation: "99999999999999999999"}, Policy{}, "99999999999999999999"},
		{"a fraction", nil, m{v1alpha1.RetainAnnotation: "1.5"}, Policy{}, "1.5"},
		{"a number without a unit", nil, m{v1alpha1.RetainForAnnotation: "30"}, Policy{}, "retain-for"},
		{"a negative time", nil, m{v1alpha1.RetainForAnnotation: "-1h"}, Policy{}, "retain-for"},
		{"negative days", nil, m{v1alpha1.RetainForAnnotation: "-1d"}, Policy{}, "retain-for"},
		{"days too many", nil, m{v1alpha1.RetainForAnnotation: "99999999d"}, Policy{}, "retain-for"},
		{"a time for Pods", nil, m{v1alpha1.RetainPodsForAnnotation: "soon"}, Policy{}, "retain-pods-for"},
		{"a Job's limit", nil, m{v1alpha1.RetainSucceededPerJobAnnotation: "-1"}, Policy{}, "retain-succeeded-per-job"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Resolve(Default(), tt.space, tt.app)
			switch {
			case tt.refused == "" && err != nil:
				t.Error(err)
			case tt.refused == "" && got != tt.want:
				t.Errorf("got %+v, want %+v", got, tt.want)
			case tt.refused != "" && (err == nil || !strings.Contains(err.Error(), tt.refused)):
				t.Errorf("error %v does not say %q", err, tt.refused)
			}
		})
	}
}

func TestConfirm(t *testing.T) {
	ended := func(change func(*v1alpha1.Task)) *v1alpha1.Task {
		end := metav1.NewTime(now.Add(-time.Hour))
		task := &v1alpha1.Task{
			ObjectMeta: metav1.ObjectMeta{Name: "t", UID: "u", CreationTimestamp: metav1.NewTime(now.Add(-2 * time.Hour))},
			Status: v1alpha1.TaskStatus{CompletionTime: &end, Conditions: []metav1.Condition{
				{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue, LastTransitionTime: end},
			}},
		}
		if change != nil {
			change(task)
		}
		return task
	}
	for _, tt := range []struct {
		name string
		rule Rule
		task *v1alpha1.Task
		kept string
	}{
		{"as decided", ByCount, ended(nil), ""},
		{"made anew under the same name", ByCount, ended(func(t *v1alpha1.Task) { t.UID = "other" }), "another Task has its name"},
		{"going already", ByCount, ended(func(t *v1alpha1.Task) { t.DeletionTimestamp = &metav1.Time{Time: now} }), "it is being deleted"},
		{"not ended", ByCount, ended(func(t *v1alpha1.Task) { t.Status = v1alpha1.TaskStatus{} }), "it has not ended"},
		{"pinned meanwhile", ByCount, ended(func(t *v1alpha1.Task) {
			t.Annotations = map[string]string{v1alpha1.PinAnnotation: "true"}
		}), "it is pinned"},
		{"unpinned meanwhile", ByCount, ended(func(t *v1alpha1.Task) {
			t.Annotations = map[string]string{v1alpha1.PinAnnotation: "false"}
		}), ""},
		{"its log is under way", ByCount, ended(func(t *v1alpha1.Task) {
			t.Status.Termination = &v1alpha1.Termination{Log: v1alpha1.LogDelivering}
		}), "its log is on the way to the logging stream"},
		{"its log has arrived", ByCount, ended(func(t *v1alpha1.Task) {
			t.Status.Termination = &v1alpha1.Termination{Log: v1alpha1.LogComplete}
		}), ""},
		{"created long ago, ended lately", ByAge, ended(nil), "it ended later than it was created"},
		{"ended long ago", ByAge, ended(func(t *v1alpha1.Task) { t.Status.CompletionTime.Time = now.Add(-100 * time.Minute) }), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := Default()
			p.KeepFor = 90 * time.Minute
			v := Verdict{Task: Task{Name: "t", UID: "u"}, Rule: tt.rule}
			if got := v.Confirm(p, tt.task, now); got != tt.kept {
				t.Errorf("kept because %q, want %q", got, tt.kept)
			}
		})
	}
}

func TestDropPod(t *testing.T) {
	for _, tt := range []struct {
		name    string
		podsFor time.Duration
		ended   time.Duration // ago; negative: has not
		pin     string
		log     v1alpha1.LogDelivery
		want    bool
	}{
		{"off", Unlimited, time.Hour, "", "", false},
		{"off, log handed on", Unlimited, time.Hour, "", v1alpha1.LogComplete, false},
		{"running", 0, -1, "", "", false},
		{"ended lately", time.Hour, 30 * time.Minute, "", "", false},
		{"ended long ago", time.Hour, 2 * time.Hour, "", "", true},
		{"at once", 0, time.Second, "", "", true},
		{"pinned", time.Hour, 2 * time.Hour, "true", "", false},
		{"terminated, log handed on", time.Hour, time.Minute, "", v1alpha1.LogComplete, true},
		{"terminated, log under way", time.Hour, 2 * time.Hour, "", v1alpha1.LogDelivering, false},
		{"terminated, log incomplete: what is left is in the Pod", time.Hour, 2 * time.Hour, "", v1alpha1.LogIncomplete, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := Default()
			p.PodsFor = tt.podsFor
			task := &v1alpha1.Task{}
			if tt.ended >= 0 {
				end := metav1.NewTime(now.Add(-tt.ended))
				task.Status.CompletionTime = &end
				task.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionFalse}}
			}
			if tt.pin != "" {
				task.Annotations = map[string]string{v1alpha1.PinAnnotation: tt.pin}
			}
			if tt.log != "" {
				task.Status.Termination = &v1alpha1.Termination{Log: tt.log}
			}
			if got := p.DropPod(task, now); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestMetadataAndWholeTaskAgree(t *testing.T) {
	for _, status := range []metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown, ""} {
		task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{
			Name: "t", UID: "u", CreationTimestamp: metav1.NewTime(now),
			Labels:      map[string]string{v1alpha1.HandledLabel: "u", v1alpha1.VersionLabel: "12", v1alpha1.TaskScheduleLabel: "job"},
			Annotations: map[string]string{v1alpha1.PinAnnotation: "yes please"},
		}}
		if status != "" {
			task.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: status}}
		}
		whole, metadata := Of(task), OfMetadata(&metav1.PartialObjectMetadata{ObjectMeta: task.ObjectMeta}, task.Final(), string(status))
		if whole != metadata {
			t.Errorf("%q: %+v from the Task, %+v from its metadata", status, whole, metadata)
		}
		if whole.ID != 12 || whole.Job != "job" || !whole.Pinned {
			t.Errorf("%+v", whole)
		}
	}
}
