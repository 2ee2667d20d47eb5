package array

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func anArray(count, parallelism int32) *v1alpha1.Task {
	t := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "shop-x7k2p", Namespace: "s", UID: "u"}}
	t.Spec.AppRef.Name, t.Spec.Command, t.Spec.Count, t.Spec.Parallelism = "shop", "work", count, parallelism
	return t
}

func TestNamesAreNamesAndEachIsOne(t *testing.T) {
	seen := map[string]string{}
	for _, array := range []string{"a", "shop-x7k2p", strings.Repeat("a", 63), strings.Repeat("a", 62) + "b", strings.Repeat("a", 50) + ".b.c.d.e.f-x",
		strings.Repeat("a.", 31) + "a"} {
		for _, index := range []int{0, 9, 10, 999} {
			name, what := Name(array, index), fmt.Sprint(array, " ", index)
			if len(name) > 63 || len(validation.IsDNS1123Subdomain(name)) > 0 {
				t.Errorf("%s is called %q, which is no name", what, name)
			}
			if seen[name] != "" {
				t.Errorf("%s and %s are both called %q", what, seen[name], name)
			}
			seen[name] = what
		}
	}
	if Name("shop-x7k2p", 3) != "shop-x7k2p-3" {
		t.Error("a name that fits is not left as it is")
	}
}

func TestATaskOfAnArray(t *testing.T) {
	array := anArray(20, 5)
	array.Labels = map[string]string{v1alpha1.HandledLabel: "u", v1alpha1.TaskScheduleLabel: "nightly", v1alpha1.VersionLabel: "7", "team": "a",
		"kueue.x-k8s.io/queue-name": "q"}
	array.Annotations = map[string]string{v1alpha1.EventAnnotation: "/x 1"}
	array.Spec.Env = []v1alpha1.EnvVar{{Name: "MODE", Value: "x"}, {Name: "KF_TASK_INDEX", Value: "mine"}}
	array.Spec.RequestedBy, array.Spec.DisplayName = "jane", "import"
	got := Task(array, 3)
	if !slices.Equal(got.Spec.Env, []v1alpha1.EnvVar{{Name: "MODE", Value: "x"}, {Name: "KF_TASK_INDEX", Value: "3"}, {Name: "KF_TASK_COUNT", Value: "20"}}) {
		t.Errorf("environment %v", got.Spec.Env)
	}
	want := v1alpha1.TaskLabels("shop")
	maps.Copy(want, map[string]string{"team": "a", "kueue.x-k8s.io/queue-name": "q", v1alpha1.ArrayLabel: "shop-x7k2p", v1alpha1.IndexLabel: "3",
		v1alpha1.AwaitedLabel: "true"})
	if !maps.Equal(got.Labels, want) {
		t.Errorf("labels %v, want %v", got.Labels, want)
	}
	if got.Spec.Count != 0 || got.Spec.Parallelism != 0 || got.Spec.RequestedBy != "" || got.Spec.DisplayName != "import[3]" || got.Spec.Command != "work" {
		t.Errorf("%+v", got.Spec)
	}
	if got.Annotations[v1alpha1.EventAnnotation] != "" {
		t.Errorf("annotations %v", got.Annotations)
	}
	if i, ok := IndexOf(array, got); i != 3 || !ok {
		t.Errorf("its index is %d, %v", i, ok)
	}
	if _, ok := IndexOf(&v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: array.Name, UID: "other"}, Spec: array.Spec}, got); ok {
		t.Error("it is taken for another array's")
	}
}

func TestIndexesAreReadAsTheyAreWritten(t *testing.T) {
	for _, text := range []string{"", "0", "0-4,7", "999", "1,3,5-6,8-20"} {
		if got := Parse(text).String(); got != text {
			t.Errorf("%q is read as %q", text, got)
		}
	}
	if n := len(Parse("0-999999999,x,-3,5-2")); n > maxCount+2 {
		t.Errorf("%d indexes are read of nonsense", n)
	}
}

// TestAnArrayRunsEachIndexOnce on random courses: Tasks end, are deleted, and who makes them dies before it says so. Never are more
// under way than may, none is made a second time after that was said, and in the end each index is told.
func TestAnArrayRunsEachIndexOnce(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		count := 1 + random.IntN(20)
		array := anArray(int32(count), int32(random.IntN(count+1)))
		most := int(array.Spec.Parallelism)
		if most == 0 {
			most = count
		}
		there, made := map[int]*v1alpha1.Task{}, map[int]int{}
		stopAt := -1
		if random.IntN(4) == 0 {
			stopAt = random.IntN(30)
		}
		for round := 0; !array.Final(); round++ {
			if round > 1000 {
				t.Fatalf("it does not end: %+v", array.Status.Array)
			}
			array.Spec.Terminated = array.Spec.Terminated || round == stopAt
			var unended []*v1alpha1.Task
			for _, c := range there {
				if !c.Final() {
					unended = append(unended, c)
				}
			}
			p := Of(array, unended)
			for _, i := range p.Unknown() {
				p.Learn(array, i, there[i])
			}
			from, to := p.Next(array)
			dies := random.IntN(5) == 0
			for i := from; i < to; i++ {
				if there[i] == nil {
					there[i] = Task(array, i)
					made[i]++
				}
				p.Active[i] = !there[i].Final() || p.Active[i]
				if !p.Active[i] {
					delete(p.Active, i)
				}
			}
			p.Created = to
			if !dies {
				p.Record(array, time.Unix(int64(round), 0))
			}
			under := 0
			for i, c := range there {
				if c.Final() {
					continue
				}
				under++
				switch outcome := metav1.ConditionTrue; random.IntN(6) {
				case 0:
					outcome = metav1.ConditionFalse
					fallthrough
				case 1, 2:
					c.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: outcome, Reason: "x"}}
				case 3:
					if !dies {
						delete(there, i)
					}
				}
			}
			if under > most {
				t.Fatalf("%d are under way, and %d may", under, most)
			}
		}
		for i, n := range made {
			if n != 1 {
				t.Fatalf("index %d was made %d times", i, n)
			}
		}
		s := array.Status.Array
		if told := int(s.Succeeded + s.Failed); stopAt < 0 && (told != count || len(made) != count) || told > len(made) {
			t.Fatalf("%d are told, %d were made, of %d: %+v", told, len(made), count, s)
		}
		if ok := array.Outcome() == v1alpha1.TaskSucceeded; ok != (int(s.Succeeded) == count) {
			t.Fatalf("outcome %s with %+v", array.Outcome(), s)
		}
	}
}
