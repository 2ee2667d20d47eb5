package main

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// TestIDsAreReservedAhead by who has used all that it had: twice as many each time, and none by who has lost some.
func TestIDsAreReservedAhead(t *testing.T) {
	for name, c := range map[string]struct {
		last block
		want int
	}{
		"the first":                        {block{next: 1}, 0},
		"none was spare":                   {block{next: 4, end: 3}, 1},
		"all used":                         {block{next: 4, end: 3, ahead: 1}, 2},
		"all used, of many":                {block{next: 90, end: 89, ahead: 20}, mostAhead},
		"another instance has reserved it": {block{next: 3, end: 8, ahead: 6}, 0},
	} {
		if got := c.last.more(); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestASpareIDIsGivenWhileIDsIncrease: not when the counter says that others have been given since, nor to another App of the name.
func TestASpareIDIsGivenWhileIDsIncrease(t *testing.T) {
	for name, c := range map[string]struct {
		uid     string
		counter int
		want    int
	}{
		"as it was written":          {"a", 8, 7},
		"as it was before that":      {"a", 5, 7},
		"another has reserved since": {"a", 9, 0},
		"the App was made anew":      {"b", 0, 0},
	} {
		ids := newIDAllocator(nil)
		ids.blocks.Add("s/shop", &block{app: "a", next: 7, end: 8}, time.Hour)
		app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "s", Name: "shop"}}
		app.UID, app.Status.Tasks.UpdateRequests = "a", c.counter
		if c.uid != "a" {
			app.UID = "b"
		}
		if got, ok := ids.spare("s/shop", app); got != c.want || ok != (c.want != 0) {
			t.Errorf("%s: %d %t, want %d", name, got, ok, c.want)
		}
	}
}

// TestWhoWaitedIsGivenWhatIsSpare: who asked while a write was under way takes of what it reserved, as far as that is newer than their Task.
func TestWhoWaitedIsGivenWhatIsSpare(t *testing.T) {
	ids, queue := newIDAllocator(nil), &idQueue{}
	ids.apps = map[string]*idQueue{"s/shop": queue}
	ids.blocks.Add("s/shop", &block{app: "a", next: 7, end: 8}, time.Hour)
	var got []chan allocation
	for _, counter := range []int{8, 9, 5, 8} { // the second has seen that another instance reserved since
		app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "s", Name: "shop", UID: "a"}}
		app.Status.Tasks.UpdateRequests = counter
		got = append(got, make(chan allocation, 1))
		queue.waiting = append(queue.waiting, request{app, got[len(got)-1]})
	}
	if left := ids.unserved("s/shop"); len(left) != 2 || left[0].app.Status.Tasks.UpdateRequests != 9 || len(queue.waiting) != 0 {
		t.Errorf("%d are left, and %d wait", len(left), len(queue.waiting))
	}
	if a, b := <-got[0], <-got[2]; a.id != 7 || b.id != 8 {
		t.Errorf("they have %d and %d", a.id, b.id)
	}
}

// TestTwoEventsOfATaskAtOnceTakeOneID: the second would leave a gap.
func TestTwoEventsOfATaskAtOnceTakeOneID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids, queue := newIDAllocator(nil), &idQueue{busy: true} // a write is under way
		ids.apps = map[string]*idQueue{"s/shop": queue}
		app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "s", Name: "shop", UID: "a"}}
		ask := func() {
			if id, err := ids.For(t.Context(), "task", app); id != 7 || err != nil {
				t.Errorf("%d %v, want 7", id, err)
			}
		}
		var both sync.WaitGroup
		both.Go(ask)
		both.Go(ask)
		synctest.Wait()
		if len(queue.waiting) != 1 {
			t.Fatalf("%d IDs are asked for", len(queue.waiting))
		}
		queue.waiting[0].got <- allocation{id: 7}
		both.Wait()
		ask() // later
	})
}
