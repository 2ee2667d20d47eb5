package harness

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// Facts is where a function posts its facts (K_SINK), in the Broker's place. What is no event fails the test.
type Facts struct {
	URL string

	mu     sync.Mutex
	got    []cloudevents.Event
	refuse bool
}

// NewFacts listens until the test ends.
func NewFacts(t testing.TB) *Facts {
	t.Helper()
	f := &Facts{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		e, err := cehttp.NewEventFromHTTPRequest(r)
		switch {
		case f.refuse:
			w.WriteHeader(http.StatusServiceUnavailable)
		case err != nil || e.Validate() != nil:
			t.Errorf("a fact that is no event: %v %v", err, e)
			w.WriteHeader(http.StatusBadRequest)
		default:
			f.got = append(f.got, *e)
		}
	}))
	t.Cleanup(server.Close)
	f.URL = server.URL
	return f
}

// Refuse answers 503 from now on, or takes facts again.
func (f *Facts) Refuse(refuse bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = refuse
}

// All are the facts that were taken, in their order.
func (f *Facts) All() []cloudevents.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

// Told is how often a fact of a type was told about a subject.
func (f *Facts) Told(eventType, subject string) (n int) {
	for _, e := range f.All() {
		if e.Type() == eventType && e.Subject() == subject {
			n++
		}
	}
	return n
}

// IDs is under how many ids that was: a fact may be told twice, by two deliveries at once, and is one fact then.
func (f *Facts) IDs(eventType, subject string) int {
	ids := map[string]bool{}
	for _, e := range f.All() {
		if e.Type() == eventType && e.Subject() == subject {
			ids[e.ID()] = true
		}
	}
	return len(ids)
}

// Delivered delivers an event to a function that posts its facts here, and returns the first that it told meanwhile, nil for none.
func (f *Facts) Delivered(to *Function, e cloudevents.Event) *cloudevents.Event {
	to.t.Helper()
	before := len(f.All())
	to.Deliver(e)
	if all := f.All(); len(all) > before {
		return &all[before]
	}
	return nil
}
