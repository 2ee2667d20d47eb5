package resync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func objects(n int, then error) iter.Seq2[*metav1.ObjectMeta, error] {
	return func(yield func(*metav1.ObjectMeta, error) bool) {
		for i := range n {
			if !yield(&metav1.ObjectMeta{Namespace: "space", Name: fmt.Sprint(i)}, nil) {
				return
			}
		}
		if then != nil {
			yield(nil, then)
		}
	}
}

// TestOneThatFailsCostsItself: the others get their step, once, and the sender is not asked to come again.
func TestOneThatFailsCostsItself(t *testing.T) {
	var mu sync.Mutex
	steps := map[string]int{}
	err := Each(t.Context(), 3, objects(20, nil), func(o *metav1.ObjectMeta) error {
		mu.Lock()
		defer mu.Unlock()
		steps[o.Name]++
		if o.Name == "0" || o.Name == "7" {
			return errors.New("bad")
		}
		return nil
	})
	if err != nil {
		t.Errorf("the resync failed: %v", err)
	}
	for i := range 20 {
		if n := steps[fmt.Sprint(i)]; n != 1 {
			t.Errorf("object %d had %d steps", i, n)
		}
	}
}

// TestAListThatBreaksOffFailsTheResync: what it gave before that is done all the same.
func TestAListThatBreaksOffFailsTheResync(t *testing.T) {
	var mu sync.Mutex
	done, broken := 0, errors.New("connection lost")
	err := Each(t.Context(), 2, objects(5, broken), func(*metav1.ObjectMeta) error {
		mu.Lock()
		defer mu.Unlock()
		done++
		return nil
	})
	if !errors.Is(err, broken) || done != 5 {
		t.Errorf("%v after %d steps", err, done)
	}
}

// TestNoMoreThanAtOnceAreUnderWay, and a resync that is cut off says so: its sender comes again.
func TestNoMoreThanAtOnceAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		now, most := 0, 0
		err := Each(ctx, 4, objects(40, nil), func(o *metav1.ObjectMeta) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			if o.Name == "39" {
				cancel()
			}
			return nil
		})
		if most != 4 || !errors.Is(err, context.Canceled) {
			t.Errorf("%d at once, then %v", most, err)
		}
	})
}
