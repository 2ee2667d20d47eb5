package kubeevent

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

func warning(change func(*Warning)) Warning {
	w := Warning{
		About:  corev1.ObjectReference{APIVersion: "kf.dev/v1alpha1", Kind: "App", Namespace: "space", Name: "shop", UID: "u"},
		Reason: "RetentionRefused", Action: "Prune", Note: "it says 7x", By: "prune", Once: "it says 7x",
	}
	if change != nil {
		change(&w)
	}
	return w
}

// TestANoteFits: the API server counts bytes, and a character may have four.
func TestANoteFits(t *testing.T) {
	for _, c := range []string{"", "short", strings.Repeat("a", maxNote), strings.Repeat("a", maxNote+1), strings.Repeat("😀", 300), "x" + strings.Repeat("é", 2000)} {
		note := warning(func(w *Warning) { w.Note = c }).event(time.Now()).Note
		if len(note) > maxNote || !utf8.ValidString(note) {
			t.Errorf("%d bytes, valid: %t", len(note), utf8.ValidString(note))
		}
		if len(c) <= maxNote && note != c {
			t.Errorf("%q became %q", c, note)
		}
		if len(c) > maxNote && len(note) < maxNote-utf8.UTFMax {
			t.Errorf("%d bytes of %d are left", len(note), len(c))
		}
	}
}

// TestTheNameSaysWhichOccurrenceItIs: told again it is the same Event, and told of something else another.
func TestTheNameSaysWhichOccurrenceItIs(t *testing.T) {
	name := func(change func(*Warning)) string { return warning(change).event(time.Now()).Name }
	same := name(nil)
	if again := name(func(w *Warning) { w.Note, w.Action = "in other words", "Again" }); again != same {
		t.Errorf("%s, then %s", same, again)
	}
	if errs := validation.IsDNS1123Subdomain(same); len(errs) > 0 {
		t.Errorf("%s: %v", same, errs)
	}
	for what, change := range map[string]func(*Warning){
		"another reason":          func(w *Warning) { w.Reason = "Other" },
		"another object":          func(w *Warning) { w.About.Name = "cart" },
		"made anew":               func(w *Warning) { w.About.UID = "v" },
		"another occurrence":      func(w *Warning) { w.Once = "it says 8x" },
		"said by somebody else":   func(w *Warning) { w.By = "tick" },
		"a seam that has shifted": func(w *Warning) { w.Reason, w.About.Name = w.Reason[:15], w.Reason[15:]+w.About.Name },
	} {
		if name(change) == same {
			t.Errorf("%s has the same name", what)
		}
	}
}

// TestAFloodIsAFewEvents: whatever strangers say, of whatever object, a namespace gets no more than that.
func TestAFloodIsAFewEvents(t *testing.T) {
	names := map[string]bool{}
	for i := range 5000 {
		w := warning(func(w *Warning) {
			w.About.Name, w.About.UID, w.Once, w.Among = fmt.Sprint("app-", i%70), "", fmt.Sprint(i), 16
		})
		names[w.event(time.Now()).Name] = true
	}
	if len(names) != 16 {
		t.Errorf("%d Events, want 16", len(names))
	}
	first := warning(func(w *Warning) { w.Among = 16 }).event(time.Now()).Name
	if again := warning(func(w *Warning) { w.Among = 16 }).event(time.Now()).Name; again != first {
		t.Error("told again, it is another")
	}
}
