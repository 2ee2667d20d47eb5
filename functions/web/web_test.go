package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	authz "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func TestASessionIsOpenedByWhoSealedItUntilItEnds(t *testing.T) {
	key := strings.Repeat("k", minKey)
	a, _ := NewSealer(key)
	b, _ := NewSealer(key + "\n")
	other, _ := NewSealer("")
	in := Session{ID: "id", User: "system:serviceaccount:a:b", Token: "e.y.J", Expires: now.Add(time.Hour)}
	sealed := a.Seal(in)
	if out, err := b.Open(sealed, now); err != nil || out.Token != in.Token || out.User != in.User || out.ID != in.ID {
		t.Errorf("%+v, %v", out, err)
	}
	if strings.Contains(sealed, in.Token) || a.Seal(in) == sealed {
		t.Error("it can be read, or told by")
	}
	changed := "A" + sealed[1:]
	if sealed[0] == 'A' { // it begins with what is random
		changed = "B" + sealed[1:]
	}
	for name, c := range map[string]struct {
		by     *Sealer
		sealed string
		at     time.Time
	}{
		"another's": {other, sealed, now}, "over": {a, sealed, now.Add(time.Hour)}, "none": {a, "", now}, "cut": {a, sealed[:len(sealed)-2], now},
		"changed": {a, changed, now}, "no base64": {a, "%%%", now},
	} {
		if out, err := c.by.Open(c.sealed, c.at); err == nil || out != (Session{}) {
			t.Errorf("%s: %+v", name, out)
		}
	}
	if _, err := NewSealer("short"); err == nil {
		t.Error("a short key was taken")
	}
	if form := a.FormToken("id"); !b.IsFormToken("id", form) || a.IsFormToken("other", form) || a.IsFormToken("id", "") || a.IsFormToken("", a.FormToken("")) {
		t.Error("a form's token is of its session, and of no other")
	}
	long := a.Seal(Session{ID: randomID(), User: strings.Repeat("u", 200), Token: strings.Repeat("t", maxToken), Expires: now})
	if n := len(cookie(sessionCookie, long, 43200).String()); n > 4096 {
		t.Errorf("a cookie of %d bytes: browsers drop it", n)
	}
}

func TestWhatIsPastedAsAToken(t *testing.T) {
	for pasted, want := range map[string]string{
		"ey.a.b": "ey.a.b", "  Bearer ey.a.b\n": "ey.a.b", "ey.\n  a.b\r\n": "ey.a.b", "": "no", "Bearer ": "no", "a;b": "no", "a\x00b": "no",
		strings.Repeat("a", maxToken+1): "no", "ey\u202eb": "no",
	} {
		got, err := cleanToken(pasted)
		if (err != nil) != (want == "no") || err == nil && got != want {
			t.Errorf("%.40q: %q, %v", pasted, got, err)
		}
	}
}

func TestWhoseFormItIs(t *testing.T) {
	for _, c := range []struct {
		site, origin, host, original string
		ours                         bool
	}{
		{"same-origin", "https://kf.example", "kf.example", "", true},
		{"none", "", "kf.example", "", true},
		{"cross-site", "https://kf.example", "kf.example", "", false},
		{"same-site", "", "kf.example", "", false},
		{"anything", "", "kf.example", "", false},
		{"", "", "kf.example", "", true}, // the form's token decides
		{"", "null", "kf.example", "", true},
		{"", "https://kf.example", "kf.example", "", true},
		{"", "https://evil.example", "kf.example", "", false},
		{"", "https://kf.example", "web.kf-tasks.svc.cluster.local", "kf.example", true},
		{"", "https://kf.example:444", "kf.example", "", false},
		{"", "::", "kf.example", "", false},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Host = c.host
		for name, value := range map[string]string{"Sec-Fetch-Site": c.site, "Origin": c.origin, "K-Original-Host": c.original} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if err := sameOrigin(r); (err == nil) != c.ours {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestOneComesBackToThisSiteAlone(t *testing.T) {
	for next, want := range map[string]string{
		"/spaces/a?q=b": "/spaces/a?q=b", "": "/", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example/": "/", "javascript:alert(1)": "/",
		"/\t/evil.example": "/", "evil": "/", "/a\r\nSet-Cookie: x": "/", "/" + strings.Repeat("a", 3000): "/", "/%zz": "/",
	} {
		if got := localPath(next); got != want {
			t.Errorf("%.40q: %q", next, got)
		}
	}
}

func TestWhichTasksAListHas(t *testing.T) {
	var rows []Row
	for i, state := range []string{stateSucceeded, stateFailed, stateRunning, stateSucceeded, stateWaiting} {
		rows = append(rows, Row{Name: fmt.Sprint("t", i), ID: i, State: state, Created: now.Add(time.Duration(i) * time.Minute), Job: []string{"", "nightly"}[i%2], Command: "bin/Report"})
	}
	for query, want := range map[string]string{
		"": "t4 t2 t3 t1 t0", "state=succeeded": "t3 t0", "state=nonsense": "t4 t2 t3 t1 t0", "job=nightly": "t3 t1", "q=report&state=failed": "t1", "q=%231": "t1",
		"q=nothing": "", "size=2": "t4 t2", "size=2&page=2": "t3 t1", "size=2&page=99": "t0", "page=-1&size=x": "t4 t2 t3 t1 t0",
	} {
		q, _ := url.ParseQuery(query)
		l := Choose(rows, FilterOf(q))
		var got []string
		for _, r := range l.Rows {
			got = append(got, r.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", query, got, want)
		}
		if back, _ := url.ParseQuery(strings.TrimPrefix(l.Filter.Query(), "?")); FilterOf(back) != l.Filter {
			t.Errorf("%q: its address is %s", query, l.Filter.Query())
		}
	}
	if l := Choose(rows, Filter{Page: 1, Size: 10, State: stateFailed}); l.Counts[stateSucceeded] != 2 || l.All != 5 || l.Found != 1 {
		t.Errorf("%+v", l)
	}
}

func TestWhatMayBeDone(t *testing.T) {
	rule := func(group, resource string, names []string, verbs ...string) authz.SubjectRulesReviewStatus {
		return authz.SubjectRulesReviewStatus{ResourceRules: []authz.ResourceRule{
			{Verbs: verbs, APIGroups: []string{group}, Resources: []string{resource}, ResourceNames: names},
		}}
	}
	for name, c := range map[string]struct {
		rules authz.SubjectRulesReviewStatus
		want  May
	}{
		"nothing": {authz.SubjectRulesReviewStatus{}, May{}}, "look": {rule("kf.dev", "tasks", nil, "get", "list"), May{}},
		"run": {rule("kf.dev", "tasks", nil, "create"), May{Run: true}}, "all": {rule("*", "*", nil, "*"), May{true, true, true, true}},
		"another's": {rule("tekton.dev", "tasks", nil, "create"), May{}}, "one of a name": {rule("kf.dev", "tasks", []string{"x"}, "patch"), May{}},
		"not known": {authz.SubjectRulesReviewStatus{Incomplete: true}, May{true, true, true, true}},
	} {
		if got := MayOf(c.rules); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestACalendarHasWhatRanAndWhatWill(t *testing.T) {
	j := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "nightly", UID: "j"}}
	j.Spec.Schedule, j.Spec.TimeZone = "30 2 * * *", "Europe/Berlin"
	j.Status.History = []v1alpha1.Decision{
		{Instant: metav1.NewTime(time.Date(2026, 11, 29, 1, 30, 0, 0, time.UTC)), Outcome: v1alpha1.OutcomeRan, Task: "nightly-1", Result: "Failed"},
		{Instant: metav1.NewTime(time.Date(2026, 10, 31, 23, 30, 0, 0, time.UTC)), Outcome: v1alpha1.OutcomeMissed, Count: 3},
	}
	hand := j.NewTask()
	hand.Name, hand.CreationTimestamp = "nightly-x", metav1.NewTime(time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC))
	stolen := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "another"}}
	past := Past(j, []*v1alpha1.Task{hand, stolen})
	if len(past) != 3 || past[0].Task != "nightly-x" || past[0].Message != "run by hand" || past[1].Task != "" || past[1].Result != "Failed" || past[1].State != stateFailed {
		t.Errorf("%+v", past)
	}
	berlin, _ := time.LoadLocation("Europe/Berlin")
	m, err := CalendarOf(j, past, MonthOf("2026-11", now, berlin), now)
	if err != nil || len(m.Weeks) != 6 || m.Previous != "2026-10" || m.After != "2026-12" {
		t.Fatalf("%+v, %v", m, err)
	}
	days := map[int][]Entry{}
	for _, week := range m.Weeks {
		for i, d := range week {
			if want := (i + 1) % 7; int(d.Date.Weekday()) != want {
				t.Errorf("%s stands under day %d", d.Date, i)
			}
			if !d.Outside {
				days[d.Date.Day()] = d.Entries
			}
		}
	}
	if len(days) != 30 || len(days[29]) != 2 || len(days[30]) != 1 || days[30][0].Outcome != "Next" || len(days[1]) != 1 || days[1][0].Outcome != "Missed" {
		t.Errorf("%d days: %v %v %v", len(days), days[1], days[29], days[30])
	}
	j.Spec.Suspend = true
	if m, err = CalendarOf(j, nil, MonthOf("2026-12", now, berlin), now); err != nil || len(m.Weeks[1][0].Entries) != 0 {
		t.Errorf("suspended: %+v, %v", m, err)
	}
	j.Spec.Suspend, j.Spec.Schedule = false, "* * * * *"
	if m, _ = CalendarOf(j, nil, MonthOf("2027-01", now, berlin), now); !m.Weeks[1][0].Many || !m.Weeks[4][6].Many || len(m.Weeks[1][0].Entries) != perDay {
		t.Errorf("each minute: %+v", m.Weeks[1][0])
	}
	for text, want := range map[string]string{"2026-02": "2026-02", "": "2026-11", "2026-13": "2026-11", "9999-01": "2026-11", "x": "2026-11"} {
		if got := MonthOf(text, now, berlin).Format(monthly); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestTheEndOfALogIsBounded(t *testing.T) {
	line := strings.Repeat("x", 99) + "\n"
	for _, c := range []struct {
		lines int
		cut   bool
	}{{0, false}, {5, false}, {10, false}, {11, true}, {100000, true}} {
		end, cut, err := tailOf(strings.NewReader(strings.Repeat(line, c.lines)), 1000)
		if err != nil || cut != c.cut || len(end) > 1000 || len(end)%100 != 0 || cut && len(end) < 900 {
			t.Errorf("%d lines: %d bytes, cut %t, %v", c.lines, len(end), cut, err)
		}
	}
	if end, cut, err := tailOf(io.LimitReader(endless{}, 10<<20), 1000); err != nil || !cut || len(end) != 1000 {
		t.Errorf("one line: %d bytes, %v", len(end), err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestAPageShowsAndDoesNothingElse(t *testing.T) {
	for in, want := range map[string]string{
		"<p>plain\ttext</p>\n": "<p>plain\ttext</p>\n", "a\u202eb": "a&lt;U+202E&gt;b", "\x1b[31mred\n": "^[[31mred\n", "bad \xff": "bad \uFFFD", "k\u0301 \U0001F600": "k\u0301 \U0001F600",
	} {
		if got := string(visible([]byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestTimesAreSaidInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "just now", -30 * time.Second: "just now", -90 * time.Second: "1 min ago", -3 * time.Hour: "3 h ago", -50 * time.Hour: "2 d 2 h ago", 30 * time.Second: "in a moment",
		26 * time.Hour: "in 1 d 2 h", -1000 * 24 * time.Hour: "2 years ago",
	} {
		if got := ago(now, now.Add(d)); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

// TestWhenTheClusterFails: the page says so, and what to do, and nothing of it is taken for an answer.
func TestWhenTheClusterFails(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		want   int
		text   string
	}{
		"unauthorized": {401, 401, "does not take your token any more"}, "forbidden": {403, 403, "You may not"}, "busy": {429, 503, "Try again"},
		"broken": {500, 503, "can&#39;t be asked now"}, "away": {0, 503, "can&#39;t be asked now"},
	} {
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(max(c.status, 200))
			fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"message":"no\u202e <b>"}`, c.status)
		}))
		if c.status == 0 {
			api.Close()
		}
		sealer, _ := NewSealer("")
		h := &Handler{Kube: &rest.Config{Host: api.URL, QPS: -1}, Sealer: sealer, Session: time.Hour, Now: time.Now, Logs: &Logs{URL: "http://127.0.0.1:1", Client: http.DefaultClient}}
		r := httptest.NewRequest(http.MethodGet, "/spaces/s/tasks/t", nil)
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: sealer.Seal(Session{ID: "i", User: "u", Token: "t", Expires: time.Now().Add(time.Hour)})})
		w := httptest.NewRecorder()
		h.Routes().ServeHTTP(w, r)
		body := w.Body.String()
		if w.Code != c.want || !strings.Contains(body, c.text) || strings.Contains(body, "\u202e") || strings.Contains(body, "<b>") {
			t.Errorf("%s: %d\n%s", name, w.Code, body)
		}
		api.Close()
	}
}
