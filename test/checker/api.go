package checker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// api is the real API server, with a clock that runs as fast as the checker's: the times at which a Job was made and its
// spec was changed are replaced by those of the fast clock, cut to whole seconds as the API server's are. It keeps a
// record of what it really did.
type api struct {
	mu         sync.Mutex
	made       map[types.UID]time.Time
	changed    map[types.UID]time.Time
	onTask     func(job types.UID, task string, now time.Time) // a Task was created, by a process with such a clock
	onStatus   func(job *v1alpha1.TaskSchedule)                // a Job's status was written
	terminated map[string]bool
}

// line is the way of one process of tick to the API server. It can be made to fail.
type line struct {
	*api
	next http.RoundTripper
	now  func() time.Time // the process's clock

	mu     sync.Mutex
	killed bool
	writes int
	fault  func(r *http.Request, write int) fault
}

// fault is what becomes of a request: the answer is a status instead, before or after the request took effect, or the
// process dies after it. The zero fault lets it pass.
type fault struct {
	status      int
	after, kill bool
}

var errKilled = errors.New("the process was killed")

func (l *line) dead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.killed
}

// decide counts a request and says what becomes of it.
func (l *line) decide(r *http.Request) fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Method != http.MethodGet {
		l.writes++
	}
	if l.fault == nil {
		return fault{}
	}
	return l.fault(r, l.writes)
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.dead() {
		return nil, errKilled
	}
	f := l.decide(r)
	if f.status != 0 && !f.after {
		return failure(r, f.status), nil
	}
	resp, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 300 {
		l.note(r, resp.StatusCode, body, l.now)
		if strings.Contains(r.URL.Path, "/taskschedules") {
			body = l.retime(body)
		}
	}
	l.mu.Lock()
	l.killed = l.killed || f.kill
	l.mu.Unlock()
	switch {
	case l.dead():
		return nil, errKilled
	case f.status != 0:
		return failure(r, f.status), nil
	}
	return answer(r, resp.StatusCode, body), nil
}

func answer(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}, "Content-Length": {strconv.Itoa(len(body))}},
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)), Request: r,
	}
}

func failure(r *http.Request, status int) *http.Response {
	reason := map[int]metav1.StatusReason{409: metav1.StatusReasonConflict, 429: metav1.StatusReasonTooManyRequests,
		500: metav1.StatusReasonInternalError, 503: metav1.StatusReasonServiceUnavailable, 504: metav1.StatusReasonTimeout}[status]
	return answer(r, status, fmt.Appendf(nil,
		`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"injected","reason":%q,"code":%d}`, reason, status))
}

// about says what a request is about, the same in every run: the namespace's name is a random one, and what a Task is
// called stands in the body.
func about(r *http.Request) string {
	text := r.Method + " " + r.URL.Path
	if _, rest, ok := strings.Cut(r.URL.Path, "/namespaces/"); ok {
		_, rest, _ = strings.Cut(rest, "/")
		text = r.Method + " " + rest
	}
	if r.Method == http.MethodPost {
		text += " " + nameOf(sent(r))
	}
	return text
}

// sent is a request's body, which can still be read after it.
func sent(r *http.Request) []byte {
	if r.Body == nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil // the request fails by itself
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

func nameOf(body []byte) string {
	var object struct{ Metadata struct{ Name string } }
	if json.Unmarshal(body, &object) != nil {
		return ""
	}
	return object.Metadata.Name
}

// note keeps what the API server did.
func (a *api) note(r *http.Request, status int, body []byte, now func() time.Time) {
	switch {
	case r.Method == http.MethodPost && status == http.StatusCreated && strings.HasSuffix(r.URL.Path, "/tasks"):
		var task struct {
			Metadata struct{ OwnerReferences []struct{ UID types.UID } }
		}
		if json.Unmarshal(body, &task) == nil && len(task.Metadata.OwnerReferences) == 1 {
			a.onTask(task.Metadata.OwnerReferences[0].UID, nameOf(body), now())
		}
	case r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/taskschedules/"):
		var job v1alpha1.TaskSchedule
		if json.Unmarshal(body, &job) == nil {
			a.onStatus(&job)
		}
	case r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/tasks/") && !strings.HasSuffix(r.URL.Path, "/status"):
		a.mu.Lock()
		a.terminated[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]] = true
		a.mu.Unlock()
	}
}

func (a *api) isTerminated(task string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.terminated[task]
}

// retime puts the fast clock's times into Jobs.
func (a *api) retime(body []byte) []byte {
	var top map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&top) != nil {
		return body
	}
	objects := []any{top}
	if items, ok := top["items"].([]any); ok {
		objects = items
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range objects {
		meta, _ := o.(map[string]any)["metadata"].(map[string]any)
		uid, _ := meta["uid"].(string)
		made, known := a.made[types.UID(uid)]
		if !known {
			continue
		}
		meta["creationTimestamp"] = made.UTC().Format(time.RFC3339)
		managed, _ := meta["managedFields"].([]any)
		for _, m := range managed {
			m := m.(map[string]any)
			if _, spec := m["fieldsV1"].(map[string]any)["f:spec"]; spec && m["subresource"] == nil {
				m["time"] = a.changed[types.UID(uid)].UTC().Format(time.RFC3339)
			}
		}
	}
	if body, err := json.Marshal(top); err == nil {
		return body
	}
	return body
}
