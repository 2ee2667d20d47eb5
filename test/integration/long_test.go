package integration

import (
	"net/http"
	"testing"
	"time"
)

// TestAWaitIsLongerThanARequestMayTake: the 30 s are for a request to arrive, and not for its answer; nor does one that is silent get lost.
func TestAWaitIsLongerThanARequestMayTake(t *testing.T) {
	w := newWaited(t)
	posts := w.asks(http.MethodPost, appTasks, `{"command": "long"}`, "Prefer", "wait=35")
	w.made("long")
	began := time.Now()
	a := w.ask(ctx, http.MethodGet, "/namespaces/NS/tasks/"+w.made("long").Name, "", "Prefer", "wait=33")
	if took := time.Since(began); a.status != 202 || took < 33*time.Second {
		t.Errorf("%d after %s: %s", a.status, took, a.body)
	}
	if a := <-posts; a.status != 202 || a.said.Task == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
