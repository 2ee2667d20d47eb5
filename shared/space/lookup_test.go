package space

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// TestASpaceIsReadOnceForAWhile, one that is not there too; an error is not remembered.
func TestASpaceIsReadOnceForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads, down := map[string]int{}, errors.New("down")
		l := &Lookup{For: 5 * time.Second, Now: time.Now, Get: func(_ context.Context, namespace string) (*v1alpha1.Space, error) {
			reads[namespace]++
			switch {
			case namespace == "plain":
				return nil, nil
			case namespace == "down" && reads[namespace] == 1:
				return nil, down
			}
			return &v1alpha1.Space{}, nil
		}}
		ask := func(namespace string) (*v1alpha1.Space, error) { return l.Of(t.Context(), namespace) }
		for range 3 {
			plain, err := ask("plain")
			team, err2 := ask("team")
			if plain != nil || team == nil || err != nil || err2 != nil {
				t.Fatal(plain, team, err, err2)
			}
			time.Sleep(2 * time.Second)
		}
		if reads["plain"] != 1 || reads["team"] != 1 {
			t.Errorf("%v reads within five seconds", reads)
		}
		ask("plain")
		if reads["plain"] != 2 {
			t.Errorf("%v reads after six seconds", reads)
		}
		if _, err := ask("down"); !errors.Is(err, down) {
			t.Error(err)
		}
		if of, err := ask("down"); of == nil || err != nil {
			t.Error("an error was remembered:", err)
		}
		for i := range 2 * mostRecent {
			ask(time.Duration(i).String())
		}
		if len(l.recent) > mostRecent {
			t.Errorf("%d are remembered", len(l.recent))
		}
	})
}
