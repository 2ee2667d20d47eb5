package checker

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// sabotage breaks a real tick, through what it is given and what its requests pass by.
type sabotage struct {
	name   string
	policy v1alpha1.ConcurrencyPolicy // of the Job; Always unless set
	found  string                     // what the checker is to find
	paused bool                       // the Space is, since long ago

	request func(next http.RoundTripper, r *http.Request) (*http.Response, error)
	process func(*Process)
	handle  Handle
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// way is the way to the API server.
func (s sabotage) way(next http.RoundTripper) http.RoundTripper {
	if s.request == nil {
		return next
	}
	return roundTripper(func(r *http.Request) (*http.Response, error) { return s.request(next, r) })
}

func createsTask(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/tasks")
}

func writesStatus(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/status")
}

// with is a request with another body.
func with(r *http.Request, body []byte) *http.Request {
	again := r.Clone(r.Context())
	again.Body, again.ContentLength = answer(r, 0, body).Body, int64(len(body))
	return again
}

// edited is a status to be written, changed.
func edited(r *http.Request, edit func(*v1alpha1.TaskScheduleStatus)) *http.Request {
	var j v1alpha1.TaskSchedule
	if err := json.Unmarshal(sent(r), &j); err != nil {
		panic(err) // tick's own words
	}
	edit(&j.Status)
	body, err := json.Marshal(&j)
	if err != nil {
		panic(err)
	}
	return with(r, body)
}

var sabotages = []sabotage{
	{name: "a Task that is not created", found: "there was no Task",
		request: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if createsTask(r) {
				return answer(r, http.StatusCreated, sent(r)), nil
			}
			return next.RoundTrip(r)
		}},
	{name: "a Task that is created twice", found: "2 Tasks were created",
		request: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if !createsTask(r) {
				return next.RoundTrip(r)
			}
			body := sent(r)
			if _, err := next.RoundTrip(with(r, body)); err != nil {
				return nil, err
			}
			gone := r.Clone(r.Context())
			gone.Method, gone.Body, gone.ContentLength = http.MethodDelete, nil, 0
			gone.URL.Path += "/" + nameOf(body)
			if _, err := next.RoundTrip(gone); err != nil {
				return nil, err
			}
			return next.RoundTrip(with(r, body))
		}},
	{name: "an instant that is off the schedule", found: "not on the schedule",
		request: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if createsTask(r) {
				body := sent(r)
				name := nameOf(body)
				r = with(r, []byte(strings.Replace(string(body), `"`+name+`"`, `"`+name[:len(name)-1]+`7"`, 1)))
			}
			return next.RoundTrip(r)
		}},
	{name: "a watermark that is not written", found: `it ran, and the history says ""`,
		request: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if writesStatus(r) {
				return answer(r, http.StatusOK, sent(r)), nil
			}
			return next.RoundTrip(r)
		}},
	{name: "a watermark that stays behind", found: "Tasks were created",
		request: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if writesStatus(r) {
				r = edited(r, func(s *v1alpha1.TaskScheduleStatus) {
					s.DecidedUntil = &metav1.Time{Time: s.DecidedUntil.Add(-time.Minute)}
				})
			}
			return next.RoundTrip(r)
		}},
	{name: "a history that leaves out what ran", found: `it ran, and the history says ""`,
		request: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if writesStatus(r) {
				r = edited(r, func(s *v1alpha1.TaskScheduleStatus) { s.History = nil })
			}
			return next.RoundTrip(r)
		}},
	{name: "Forbid that does not see what runs", policy: v1alpha1.ConcurrencyForbid, found: "and the policy is Forbid",
		request: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/tasks") {
				return answer(r, http.StatusOK, []byte(`{"apiVersion":"kf.dev/v1alpha1","kind":"TaskList","metadata":{},"items":[]}`)), nil
			}
			return next.RoundTrip(r)
		}},
	{name: "Replace that does not terminate", policy: v1alpha1.ConcurrencyReplace, found: "and the policy is Replace",
		request: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/tasks/") {
				return answer(r, http.StatusOK, []byte(`{"apiVersion":"kf.dev/v1alpha1","kind":"Task"}`)), nil
			}
			return next.RoundTrip(r)
		}},
	{name: "a tick that does not see that the Space is paused", paused: true, found: "was created in a pause",
		request: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/spaces") {
				return answer(r, http.StatusOK, []byte(`{"apiVersion":"kf.dev/v1alpha1","kind":"SpaceList","metadata":{},"items":[]}`)), nil
			}
			return next.RoundTrip(r)
		}},
	{name: "a clock that is ahead", found: "before its time",
		process: func(p *Process) {
			now := p.Now
			p.Now = func() time.Time { return now().Add(time.Minute) }
		}},
	{name: "a run that nobody is told of", found: "nobody was told",
		process: func(p *Process) { p.Emit = func(context.Context, cloudevents.Event) error { return nil } }},
	{name: "a tick that does nothing and says that it is done", found: "it was lost",
		handle: func(context.Context, cloudevents.Event) (*cloudevents.Event, error) { return nil, nil }},
}

// FindsWhatIsBroken shows that the checker does: one that finds nothing whatever happens shows nothing.
func FindsWhatIsBroken(t *testing.T, tick Tick) {
	for _, s := range sabotages {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t, 1, tick)
			if s.policy == "" {
				s.policy = v1alpha1.ConcurrencyAlways
			}
			w.addFixed("steady", "", s.policy, every())
			minutes := func() {
				for i := range 3 {
					w.until(time.Second)
					for range 2 {
						w.ping(w.start(w.choose.about("steady", i), 0, nil))
						if s.policy == v1alpha1.ConcurrencyAlways {
							w.prune()
						}
					}
				}
			}
			minutes()
			if before := append(w.found, violations(w.jobs, w.ticks, w.clock())...); len(before) > 0 {
				t.Fatalf("before the sabotage: %v", before)
			}
			if w.broken = s; s.paused {
				w.pauseSpaceForGood()
			}
			minutes()
			if broken := strings.Join(w.rest(), "\n"); !strings.Contains(broken, s.found) {
				t.Errorf("not found: %q in %q", s.found, broken)
			}
		})
	}
}

// prune deletes the Tasks that have been recorded.
func (w *world) prune() {
	for task := range w.running {
		if name, instant := parts(task); w.jobs[name].ledger[instant] != "" {
			delete(w.running, task)
			w.must(w.user.Tasks(w.ns).Delete(w.ctx, task, metav1.DeleteOptions{}))
		}
	}
}
