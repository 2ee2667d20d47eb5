package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/events"
)

// TestPreferences: wait and respond-async as RFC 7240 has them, within the limit.
func TestPreferences(t *testing.T) {
	for name, c := range map[string]struct {
		headers []string
		want    time.Duration
		applied string
		bad     bool
	}{
		"none":                  {nil, 9 * time.Minute, "", false},
		"wait":                  {[]string{"wait=60"}, time.Minute, "wait=60", false},
		"in quotes and spaces":  {[]string{` Wait = "60" ;x=y`}, time.Minute, "wait=60", false},
		"not at all":            {[]string{"wait=0"}, 0, "wait=0", false},
		"longer than it may be": {[]string{"wait=100000"}, 9 * time.Minute, "wait=540", false},
		"async":                 {[]string{"respond-async"}, 0, "respond-async", false},
		"async after a while":   {[]string{"respond-async, wait=10"}, 10 * time.Second, "wait=10", false},
		"two headers":           {[]string{"return=minimal", "wait=5"}, 5 * time.Second, "wait=5", false},
		"twice":                 {[]string{"wait=5, wait=6"}, 5 * time.Second, "wait=5", false},
		"another's":             {[]string{"handling=strict"}, 9 * time.Minute, "", false},
		"no number":             {[]string{"wait=soon"}, 0, "", true},
		"negative":              {[]string{"wait=-1"}, 0, "", true},
		"nothing":               {[]string{"wait"}, 0, "", true},
		"beyond counting":       {[]string{"wait=99999999999999999999"}, 0, "", true},
	} {
		got, applied, err := prefer(c.headers, 9*time.Minute, 9*time.Minute)
		if (err != nil) != c.bad || got != c.want || applied != c.applied {
			t.Errorf("%s: %s %q %v, want %s %q", name, got, applied, err, c.want, c.applied)
		}
	}
}

// parsed sends a request as it comes to the routes.
func parsed(r *http.Request) (q Request, err error) {
	mux := http.NewServeMux()
	take := func(_ http.ResponseWriter, r *http.Request) { q, err = Parse(r, time.Hour) }
	mux.HandleFunc("/namespaces/{namespace}/apps/{app}/tasks", take)
	mux.HandleFunc("/namespaces/{namespace}/jobs/{job}/runs", take)
	mux.HandleFunc("/namespaces/{namespace}/tasks/{task}", take)
	mux.ServeHTTP(httptest.NewRecorder(), r)
	return q, err
}

// TestARequestIsACommand: the one that its sender could post to the function command.
func TestARequestIsACommand(t *testing.T) {
	for name, c := range map[string]struct {
		path, body, key, kind, data, refused string
	}{
		"an App":               {"/namespaces/shop/apps/billing/tasks", `{"command":"x"}`, "7", events.TaskRun, `{"app":"billing","command":"x","namespace":"shop"}`, ""},
		"a Job":                {"/namespaces/shop/jobs/nightly/runs", `{}`, `"7"`, events.JobRun, `{"job":"nightly","namespace":"shop"}`, ""},
		"nothing to say":       {"/namespaces/shop/jobs/nightly/runs", ``, "7", events.JobRun, `{"job":"nightly","namespace":"shop"}`, ""},
		"what is not known":    {"/namespaces/shop/apps/billing/tasks", `{"comand":"x"}`, "7", events.TaskRun, `{"app":"billing","comand":"x","namespace":"shop"}`, ""},
		"another Space":        {"/namespaces/shop/apps/billing/tasks", `{"namespace":"theirs"}`, "7", "", "", "leave namespace out"},
		"another App":          {"/namespaces/shop/jobs/nightly/runs", `{"app":"x"}`, "7", "", "", "leave app out"},
		"twice":                {"/namespaces/shop/apps/billing/tasks", `{"command":"x","command":"y"}`, "7", "", "", "duplicate"},
		"a list":               {"/namespaces/shop/apps/billing/tasks", `[]`, "7", "", "", "no object in JSON"},
		"two values":           {"/namespaces/shop/apps/billing/tasks", `{} {}`, "7", "", "", "no object in JSON"},
		"a form":               {"/namespaces/shop/apps/billing/tasks", `command=x`, "7", "", "", "no object in JSON"},
		"no name":              {"/namespaces/shop/apps/No_Name/tasks", `{}`, "7", "", "", "no names"},
		"a way up":             {"/namespaces/shop/apps/..%2f..%2fx/tasks", `{}`, "7", "", "", "no names"},
		"an empty key":         {"/namespaces/shop/apps/billing/tasks", `{}`, "", "", "", "Idempotency-Key"},
		"a key with a row":     {"/namespaces/shop/apps/billing/tasks", `{}`, "a b", "", "", "Idempotency-Key"},
		"a key that is long":   {"/namespaces/shop/apps/billing/tasks", `{}`, strings.Repeat("x", 257), "", "", "Idempotency-Key"},
		"a key with a percent": {"/namespaces/shop/jobs/nightly/runs", `{}`, "50%20", events.JobRun, `{"job":"nightly","namespace":"shop"}`, ""},
	} {
		r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
		r.Header.Set("Idempotency-Key", c.key)
		q, err := parsed(r)
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: %v, want %q", name, err, c.refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e := q.Command()
		if e.Type() != c.kind || string(e.Data()) != c.data || e.ID() != strings.Trim(c.key, `"`) || e.Validate() != nil {
			t.Errorf("%s: %s, %v", name, e, e.Validate())
		}
		if q.Wait != time.Hour || q.Made() == "" {
			t.Errorf("%s: waits for %s, makes %q", name, q.Wait, q.Made())
		}
	}
}

// TestAKeyOfNobodyIsNewEachTime, and one of somebody's makes one Task of an App, and another of another.
func TestAKeyOfNobodyIsNewEachTime(t *testing.T) {
	made := func(path string, keys ...string) string {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, path, nil)
		for _, k := range keys {
			r.Header.Add("Idempotency-Key", k)
		}
		q, err := parsed(r)
		if err != nil {
			t.Fatal(err)
		}
		return q.Made()
	}
	app, other, job := "/namespaces/n/apps/a/tasks", "/namespaces/n/apps/b/tasks", "/namespaces/n/jobs/a/runs"
	if first := made(app); first == made(app) {
		t.Error("two requests without a key are one")
	}
	if made(app, "k") != made(app, `"k"`) {
		t.Error("two requests with one key are two")
	}
	names := map[string]bool{made(app, "k"): true, made(other, "k"): true, made(job, "k"): true}
	if len(names) != 3 {
		t.Errorf("a key of one App or Job is that of another: %v", names)
	}
	r := httptest.NewRequest(http.MethodPost, app, nil)
	r.Header["Idempotency-Key"] = []string{"a", "b"}
	if _, err := parsed(r); err == nil {
		t.Error("two keys are one")
	}
}

// TestWhoLooksDoesNotWait, unless he says so.
func TestWhoLooksDoesNotWait(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/namespaces/n/tasks/t", nil)
	if q, err := parsed(r); err != nil || q.Wait != 0 || q.Task != "t" {
		t.Errorf("%+v %v", q, err)
	}
	r.Header.Set("Prefer", "wait=5")
	if q, err := parsed(r); err != nil || q.Wait != 5*time.Second {
		t.Errorf("%+v %v", q, err)
	}
}
