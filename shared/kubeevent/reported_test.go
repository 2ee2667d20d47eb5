package kubeevent

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestOfAFloodOneIsReported, once a minute, and whoever makes up many takes no memory without end.
func TestOfAFloodOneIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewReported()
		for i := range 5000 {
			r.First(fmt.Sprint(i))
		}
		if first := r.First("a"); !first || r.First("a") || len(r.recent.Keys()) > 1024 {
			t.Errorf("first %t, %d kept", first, len(r.recent.Keys()))
		}
		time.Sleep(time.Minute - time.Second)
		if r.First("a") {
			t.Error("it was reported twice in a minute")
		}
		time.Sleep(2 * time.Second)
		if !r.First("a") {
			t.Error("it was not reported again after a minute")
		}
	})
}
