//go:build checker

package main

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
	onTask     func(job types.UID, task string) // a Task was created
	onStatus   func(job *v1alpha1.TaskSchedule) // a Job's status was written
	terminated map[string]bool
}

// process is the way of one process of tick to the API server. It can be made to fail.
type process struct {
	*api
	next http.RoundTripper

	mu     sync.Mutex
	killed bool
	writes int
	fault  func(r *http.Request, write int) (status int, after, kill bool)
}

var errKilled = errors.New("the process was killed")

func (p *process) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	if p.killed {
		p.mu.Unlock()
		return nil, errKilled
	}
	if r.Method != http.MethodGet {
		p.writes++
	}
	var status int
	var after, kill bool
	if p.fault != nil {
		status, after, kill = p.fault(r, p.writes)
	}
	p.mu.Unlock()
	if status != 0 && !after {
		return answer(r, status), nil
	}
	resp, err := p.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 300 {
		p.note(r, resp.StatusCode, body)
		if strings.Contains(r.URL.Path, "/taskschedules") {
			body = p.retime(body)
		}
	}
	p.mu.Lock()
	p.killed = p.killed || kill
	killed := p.killed
	p.mu.Unlock()
	switch {
	case killed:
		return nil, errKilled
	case status != 0:
		return answer(r, status), nil
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return resp, nil
}

func answer(r *http.Request, status int) *http.Response {
	reason := map[int]string{409: "Conflict", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}[status]
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"injected","reason":%q,"code":%d}`, reason, status)
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
}

// note keeps what the API server did.
func (a *api) note(r *http.Request, status int, body []byte) {
	switch {
	case r.Method == http.MethodPost && status == http.StatusCreated && strings.HasSuffix(r.URL.Path, "/tasks"):
		var task struct {
			Metadata struct {
				Name            string
				OwnerReferences []struct{ UID types.UID }
			}
		}
		if json.Unmarshal(body, &task) == nil && len(task.Metadata.OwnerReferences) == 1 {
			a.onTask(task.Metadata.OwnerReferences[0].UID, task.Metadata.Name)
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
