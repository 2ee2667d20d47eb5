package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/kf-tasks/kf-tasks/shared/events"
)

// TestRefusalsCantFillASpace: one for each act and sender, and one sender is whoever can make itself many.
func TestRefusalsCantFillASpace(t *testing.T) {
	shown := map[string]bool{}
	for i := range 100 {
		for _, user := range []string{"", fmt.Sprint("system:serviceaccount:bad:", i)} {
			e := cloudevents.NewEvent()
			e.SetType(events.TaskRun)
			e.SetID(fmt.Sprint(i))
			e.SetSource(strings.Repeat("é\x1b", i*10))
			w := Shown(e, events.Target{Namespace: "n"}.Acts(e.Type())[0], user, errors.New("why"))
			shown[w.About.Name+w.Reason+w.Once] = true
			if !strings.HasSuffix(w.Note, "why") || strings.Contains(w.Note, "\x1b") || len(w.Note) > 1024 {
				t.Errorf("%q", w.Note)
			}
		}
	}
	if len(shown) != 2 {
		t.Errorf("%d Events", len(shown))
	}
}
