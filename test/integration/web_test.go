package integration

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// browser is somebody's browser, as far as pages without a script need one: it keeps cookies, __Host- ones over plain HTTP to this machine
// too, says where a request comes from, and sends the forms that it was shown.
type browser struct {
	t       *testing.T
	url     string
	cookies map[string]string
	page    webPage
}

type webPage struct {
	at     string
	status int
	header http.Header
	body   string
}

func (b *browser) do(r *http.Request) webPage {
	b.t.Helper()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	once := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := once.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	for _, c := range answer.Cookies() {
		if strings.HasPrefix(c.Name, "__Host-") && (!c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteStrictMode) {
			b.t.Errorf("no browser keeps, or should, %v", c)
		}
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	if to := answer.Header.Get("Location"); answer.StatusCode == http.StatusSeeOther {
		return b.get(to)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.page = webPage{r.URL.RequestURI(), answer.StatusCode, answer.Header, string(body)}
	return b.page
}

func (b *browser) get(path string) webPage {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r)
}

func (b *browser) post(path string, form url.Values, headers ...string) webPage {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return b.do(r)
}

var (
	aForm  = regexp.MustCompile(`(?s)<form method="post" action="([^"]+)".*?</form>`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
)

// form is what a form of the page, by the end of its address, would send; nil if the page has none.
func (b *browser) form(action string) (string, url.Values) {
	for _, m := range aForm.FindAllStringSubmatch(b.page.body, -1) {
		if !strings.HasSuffix(m[1], action) {
			continue
		}
		values := url.Values{}
		for _, field := range hidden.FindAllStringSubmatch(m[0], -1) {
			values.Set(field[1], html.UnescapeString(field[2]))
		}
		return m[1], values
	}
	return "", nil
}

// send fills in a form of the page and sends it.
func (b *browser) send(action string, fields ...string) webPage {
	b.t.Helper()
	to, values := b.form(action)
	if values == nil {
		b.t.Fatalf("%s has no form %s:\n%s", b.page.at, action, b.page.body)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	return b.post(to, values)
}

// visited is a Space with a user's browser at its pages.
type visited struct {
	*harness.World
	web *harness.Function
}

func newVisited(t *testing.T, env ...string) *visited {
	t.Helper()
	w := harness.NewWorld(t)
	return &visited{w, w.Function(t, "web", append([]string{"LOGS_URL=http://127.0.0.1:1"}, env...)...)}
}

// browser is one of an account that has a role in the Space ("" for none), and that has signed in.
func (v *visited) browser(t *testing.T, account, role string) *browser {
	t.Helper()
	token := v.Token(t, v.Namespace, account, "")
	if role != "" {
		binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: account},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: v.Namespace}}}
		_, err := v.Kube.RbacV1().RoleBindings(v.Namespace).Create(t.Context(), binding, metav1.CreateOptions{})
		v.Must(err)
	}
	b := &browser{t: t, url: v.web.URL, cookies: map[string]string{}}
	b.get("/sign-in")
	if p := b.send("/sign-in", "token", token); p.status != http.StatusOK || !strings.Contains(p.body, account) {
		t.Fatalf("%s can't sign in: %d %s", account, p.status, p.body)
	}
	return b
}

func (v *visited) path(elem ...string) string {
	return "/spaces/" + v.Namespace + strings.Join(elem, "")
}

// says fails unless a page has this status and these texts.
func (p webPage) says(t *testing.T, status int, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if p.status != status || !strings.Contains(p.body, text) {
			t.Errorf("%s: %d, want %d with %q\n%s", p.at, p.status, status, text, p.body)
			return
		}
	}
	if p.status != status {
		t.Errorf("%s: %d, want %d", p.at, p.status, status)
	}
}

func (p webPage) saysNot(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(p.body, text) {
			t.Errorf("%s has %q:\n%s", p.at, text, p.body)
		}
	}
}

// TestPagesShowAndAct: what an editor sees and does without a script, from the sign-in to the end of a Task.
func TestPagesShowAndAct(t *testing.T) {
	v := newVisited(t)
	app := v.App("shop", nil)
	v.Rights(t, "users")
	b := v.browser(t, "jane", "edit")
	b.get("/").says(t, 200, `href="`+v.path()+`"`)
	b.get(v.path()).says(t, 200, "No Task runs or waits", `href="`+v.path("/apps/shop")+`"`, "There is no Job")
	b.get(v.path("/apps/shop")).says(t, 200, "The App has run no Task yet", "Run a Task")

	// A Task is run once, however often its form is sent.
	to, form := b.form("/apps/shop/run")
	form.Set("command", "echo one\r\necho two")
	made := b.post(to, form)
	made.says(t, 200, "The Task was made", "echo one\necho two", "Pending", "no function has")
	if again := b.post(to, form); again.at != made.at {
		t.Errorf("sent twice, it made %s and %s", made.at, again.at)
	}
	tasks := v.Tasks("shop")
	if len(tasks) != 1 || tasks[0].Spec.Command != "echo one\necho two" || !metav1.IsControlledBy(&tasks[0], app) {
		t.Fatalf("%d Tasks: %+v", len(tasks), tasks)
	}

	// It is stopped, and run again; what can't be done any more is said.
	name := tasks[0].Name
	b.get(v.path("/tasks/", name))
	stop, asked := b.form("/terminate")
	b.send("/terminate").says(t, 200, "The Task was asked to stop")
	if task, err := v.Kf.Tasks(v.Namespace).Get(ctx, name, metav1.GetOptions{}); err != nil || !task.Spec.Terminated {
		t.Errorf("terminated: %v, %v", task, err)
	}
	b.page.saysNot(t, "/terminate")
	b.post(stop, asked).says(t, 409, "Nothing was done: it was asked to stop before")
	b.get(v.path("/tasks/", name))
	b.send("/rerun").says(t, 200, "A new Task was made", "echo two")
	if n := len(v.Tasks("shop")); n != 2 {
		t.Errorf("%d Tasks after a rerun", n)
	}
	b.get(v.path("/apps/shop?q=two&state=waiting")).says(t, 200, "1 to 2 of 2")
	b.get(v.path("/apps/shop?q=three")).says(t, 200, "None of the App", "Show all")

	// What the API server does not take comes again, as it was typed.
	b.get(v.path("/apps/shop"))
	b.send("/apps/shop/run", "command", "say \x00 nothing").says(t, 422, "hold a NUL byte", "</textarea>")
	b.get(v.path("/apps/none")).says(t, 404, "There is no App none", "kf push none --task")
	b.get("/spaces/UPPER/apps/none").says(t, 404, "No object can have such a name")
	b.get("/nowhere").says(t, 404, "There is no page /nowhere")
}

// TestJobsPagesShowTheirCalendar: of what ran, did not run and is to run, and what can be done about it.
func TestJobsPagesShowTheirCalendar(t *testing.T) {
	v := newVisited(t)
	v.App("shop", nil)
	v.Rights(t, "users")
	job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "nightly", Namespace: v.Namespace, Labels: v1alpha1.TaskScheduleLabels(false)}}
	job.Spec.Schedule, job.Spec.TimeZone, job.Spec.TaskTemplate = "30 2 * * *", "Europe/Berlin", v1alpha1.TaskSpec{Command: "bin/report"}
	job.Spec.TaskTemplate.AppRef.Name = "shop"
	job, err := v.Kf.TaskSchedules(v.Namespace).Create(ctx, job, metav1.CreateOptions{})
	v.Must(err)
	_, err = client.PatchStatus(ctx, v.Kf.TaskSchedules(v.Namespace), job, func(j *v1alpha1.TaskSchedule) {
		at := metav1.NewTime(time.Date(2026, 11, 3, 1, 30, 0, 0, time.UTC))
		j.Status.History = []v1alpha1.Decision{{Instant: at, Outcome: v1alpha1.OutcomeMissed, Message: "the system was away"}}
	})
	v.Must(err)
	b := v.browser(t, "jane", "edit")
	b.get(v.path("/jobs/nightly?month=2026-11")).says(t, 200, "November 2026", "Missed at</span> 02:30", "the system was away", "month=2026-12")
	b.get(v.path("/jobs/nightly?month=2030-03")).says(t, 200, "March 2030", "Next at</span> 02:30", "Next at</span> 03:00")
	b.get(v.path("/jobs/nightly"))
	b.send("/suspend").says(t, 200, "The Job is suspended", "/resume")
	if j, err := v.Kf.TaskSchedules(v.Namespace).Get(ctx, "nightly", metav1.GetOptions{}); err != nil || !j.Spec.Suspend || j.Labels[v1alpha1.SuspendLabel] != "true" {
		t.Errorf("suspended: %v, %v", j, err)
	}
	b.send("/resume").says(t, 200, "runs on its schedule again")
	b.send("/jobs/nightly/run").says(t, 200, "The Task was made", "bin/report", `/jobs/nightly"`)
	if tasks := v.Tasks("shop"); len(tasks) != 1 || !metav1.IsControlledBy(&tasks[0], job) {
		t.Errorf("%+v", tasks)
	}
	b.get(v.path("/apps/shop?job=nightly")).says(t, 200, "1 to 1 of 1")
	b.get(v.path()).says(t, 200, "30 2 * * *", "Missed")
}

// TestWhoMayLookMayNotAct: what a page offers and does is what its user may do, and what is taken away is gone at once.
func TestWhoMayLookMayNotAct(t *testing.T) {
	v := newVisited(t)
	app := v.App("shop", nil)
	v.Rights(t, "users")
	task, err := v.Add(ctx, app, nil)
	v.Must(err)
	editor, viewer := v.browser(t, "editor", "edit"), v.browser(t, "viewer", "view")
	stranger := v.browser(t, "stranger", "")

	stranger.get("/").says(t, 200, "You see no Space with Apps")
	for _, path := range []string{"", "/apps/shop", "/tasks/" + task.Name, "/events", "/webhooks", "/apps/shop/builds"} {
		stranger.get(v.path(path)).says(t, 403, "You may not", "stranger")
		viewer.get(v.path(path)).says(t, 200, "viewer")
		viewer.page.saysNot(t, `action="/spaces`)
	}
	// The viewer sends what the editor's page has, with a form token of their own.
	editor.get(v.path("/tasks/", task.Name))
	for _, action := range []string{"/rerun", "/terminate"} {
		to, form := editor.form(action)
		_, own := viewer.form("/sign-out")
		form.Set("form", own.Get("form"))
		viewer.post(to, form).says(t, 403, "You may not")
		viewer.get("/")
	}
	v.Must(v.Kube.RbacV1().RoleBindings(v.Namespace).Delete(ctx, "editor", metav1.DeleteOptions{}))
	to, form := editor.form("/terminate")
	editor.post(to, form).says(t, 403, "You may not")
	if now, err := v.Kf.Tasks(v.Namespace).Get(ctx, task.Name, metav1.GetOptions{}); err != nil || now.Spec.Terminated || len(v.Tasks("shop")) != 1 {
		t.Errorf("something was done: %v, %v", now, err)
	}
}

// TestFormsOfOtherSitesDoNothing: neither another site's page, nor another session's form, nor one that was stolen without its cookie.
func TestFormsOfOtherSitesDoNothing(t *testing.T) {
	v := newVisited(t)
	v.App("shop", nil)
	v.Rights(t, "users")
	jane, eve := v.browser(t, "jane", "edit"), v.browser(t, "eve", "edit")
	jane.get(v.path("/apps/shop"))
	to, form := jane.form("/run")
	form.Set("command", "true")
	without := url.Values{}
	for k, values := range form {
		without[k] = values
	}
	without.Del("form")
	_, other := eve.form("/sign-out")
	of := url.Values{"form": other["form"], "command": {"true"}, "once": {"x"}}

	jane.post(to, form, "Sec-Fetch-Site", "cross-site").says(t, 403, "another site")
	jane.post(to, form, "Sec-Fetch-Site", "same-site").says(t, 403, "another site")
	jane.post(to, form, "Sec-Fetch-Site", "", "Origin", "https://evil.example").says(t, 403, "another site")
	jane.post(to, without).says(t, 403, "of another session")
	jane.post(to, of).says(t, 403, "of another session")
	jane.post("/sign-out", url.Values{}).says(t, 403, "of another session")
	signedOut := &browser{t: t, url: v.web.URL, cookies: map[string]string{}}
	signedOut.post(to, form).says(t, 401, "Nothing was done", "Sign in")
	// to be signed in as somebody else
	p := signedOut.post("/sign-in", url.Values{"token": {v.Token(t, v.Namespace, "eve", "")}, "form": {other.Get("form")}})
	if p.saysNot(t, "Spaces that you may see"); p.status != 403 || len(signedOut.cookies) > 1 {
		t.Errorf("signed in by another's form: %d, %v", p.status, signedOut.cookies)
	}
	if n := len(v.Tasks("shop")); n != 0 {
		t.Errorf("%d Tasks were made", n)
	}
	jane.post(to, form).says(t, 200, "The Task was made")
}

// TestATokenThatIsOver: the page that is open says so, and signing in again comes back to it.
func TestATokenThatIsOver(t *testing.T) {
	v := newVisited(t)
	v.App("shop", nil)
	v.Rights(t, "users")
	b := v.browser(t, "jane", "edit")
	path := v.path("/apps/shop?state=failed")
	b.get(path).says(t, 200, "App shop")
	to, form := b.form("/run")
	// the account is gone, and so are its tokens
	v.Must(v.Kube.CoreV1().ServiceAccounts(v.Namespace).Delete(ctx, "jane", metav1.DeleteOptions{}))
	harness.Eventually(t, time.Minute, func() error {
		if b.get(path); b.page.status != 401 {
			return fmt.Errorf("still %d", b.page.status)
		}
		return nil
	})
	b.page.says(t, 401, "The cluster does not take your token any more", `name="next" value="`+html.EscapeString(path)+`"`)
	if b.cookies["__Host-kf-session"] != "" {
		t.Error("the cookie is still there")
	}
	b.post(to, form).says(t, 401, "Nothing was done")
	b.get(path)
	b.send("/sign-in", "token", "not one").says(t, 401, "does not take this token")
	b.send("/sign-in", "token", "no; token").says(t, 422, "it has characters that none has")
	token := v.Token(t, v.Namespace, "jane", "")
	harness.Eventually(t, time.Minute, func() error { // until the API server has seen the new account
		b.get("/sign-in?next=" + url.QueryEscape(path))
		if p := b.send("/sign-in", "token", "Bearer "+token[:40]+"\n"+token[40:]); p.at != path || p.status != 200 {
			return fmt.Errorf("%s: %d", p.at, p.status)
		}
		return nil
	})
	for _, elsewhere := range []string{"https://evil.example/", "//evil.example/", `/\evil.example/`, "javascript:alert(1)"} {
		b.get("/sign-in?next="+url.QueryEscape(elsewhere)).says(t, 200, `name="next" value="/"`)
	}
	b.get("/")
	b.send("/sign-out").says(t, 200, "Sign in")
	b.get(path).says(t, 401, "Sign in")
}

// acting is what acts where it is not held back: markup, an escape sequence, text that is turned around.
const acting = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x1b[31m\x1b]0;title\a\u202egnp.exe\u2066\u200b"

// TestPagesShowWhatOthersWroteAndRunNothing: wherever a user can write something that a page shows.
func TestPagesShowWhatOthersWroteAndRunNothing(t *testing.T) {
	logs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, acting) }))
	defer logs.Close()
	v := newVisited(t, "LOGS_URL="+logs.URL)
	app := v.App("shop", nil)
	v.Rights(t, "users")
	task, err := v.Add(ctx, app, func(t *v1alpha1.Task) {
		t.Spec.DisplayName, t.Spec.Command = acting, acting
		t.Spec.Env = []v1alpha1.EnvVar{{Name: "A", Value: acting}}
	})
	v.Must(err)
	_, err = client.PatchStatus(ctx, v.Kf.Tasks(v.Namespace), task, func(t *v1alpha1.Task) {
		t.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: "False", Reason: "Failed", Message: acting, LastTransitionTime: metav1.Now()}}
	})
	v.Must(err)
	hook := &v1alpha1.Webhook{ObjectMeta: metav1.ObjectMeta{Name: "hook", Namespace: v.Namespace}}
	hook.Spec.Provider, hook.Spec.SecretRefs, hook.Spec.Run.App = v1alpha1.ProviderGitHub, []v1alpha1.SecretKey{{Name: "s"}}, "shop"
	hook, err = v.Kf.Webhooks(v.Namespace).Create(ctx, hook, metav1.CreateOptions{})
	v.Must(err)
	_, err = client.PatchStatus(ctx, v.Kf.Webhooks(v.Namespace), hook, func(h *v1alpha1.Webhook) {
		h.Status.Deliveries = []v1alpha1.Delivery{{ID: acting, Time: metav1.Now(), Outcome: v1alpha1.DeliveryRefused, Status: 422, Message: acting}}
	})
	v.Must(err)
	b := v.browser(t, "jane", "edit")
	for _, path := range []string{"", "/apps/shop", "/apps/shop?q=" + url.QueryEscape(acting), "/tasks/" + task.Name, "/tasks/" + task.Name + "/log",
		"/webhooks", "/webhooks/hook", "/events?about=" + url.QueryEscape(acting)} {
		p := b.get(v.path(path))
		p.says(t, 200, "</html>")
		p.saysNot(t, "<script>", "<img src=x", "\x1b", "\a", "\u202e", "\u2066", "\u200b", `"'>`)
	}
	b.get(v.path("/tasks/", task.Name)).says(t, 200, "&lt;script&gt;", "&lt;U+202E&gt;gnp.exe")
	for header, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := b.page.header.Get(header); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	if b.get(v.path("/tasks/", task.Name, "/log/raw")); !strings.HasPrefix(b.page.header.Get("Content-Type"), "text/plain") ||
		!strings.HasPrefix(b.page.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("a log that a browser may take for a page: %v", b.page.header)
	}
}

// TestPagesAskForLogsAsTheirUser: with the user's token, of the function logs; and a log of any length is shown by its end.
func TestPagesAskForLogsAsTheirUser(t *testing.T) {
	var asked []string
	logs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Authorization")+" "+r.URL.String())
		line := strings.Repeat("x", 1<<20) + "\n"
		for range 20 {
			if _, err := io.WriteString(w, line); err != nil {
				return
			}
		}
		fmt.Fprintln(w, "the last line")
	}))
	defer logs.Close()
	v := newVisited(t, "LOGS_URL="+logs.URL)
	task, err := v.Add(ctx, v.App("shop", nil), nil)
	v.Must(err)
	v.Rights(t, "users")
	b := v.browser(t, "jane", "view")
	p := b.get(v.path("/tasks/", task.Name))
	if p.says(t, 200, "the last line", "These are its last lines"); len(p.body) > 3<<20 {
		t.Errorf("a page of %d bytes", len(p.body))
	}
	if want := "/namespaces/" + v.Namespace + "/tasks/" + task.Name + "?"; len(asked) != 1 || !strings.HasPrefix(asked[0], "Bearer ey") || !strings.Contains(asked[0], want) {
		t.Errorf("asked for %q", asked)
	}

	// and of the function itself, which has its own say
	real := v.Function(t, "logs")
	v2 := &visited{v.World, v.Function(t, "web", "LOGS_URL="+real.URL)}
	b2 := v2.browser(t, "joe", "view")
	b2.get(v.path("/tasks/", task.Name)).says(t, 200, "[kf] "+task.Name+": Pending")
	b2.page.saysNot(t, "does not answer", "may not read")
}

// BenchmarkPageOf500Tasks compares a page of 500 Tasks with the list that it is made of, as the API server answers it.
func BenchmarkPageOf500Tasks(b *testing.B) {
	w := harness.NewWorld(b)
	app := w.App("shop", nil)
	w.Rights(b, "users")
	w.Parallel(500, 16, func(ctx context.Context, i int) error {
		task, err := w.Add(ctx, app, func(t *v1alpha1.Task) { t.Spec.DisplayName = fmt.Sprintf("import part %d", i) })
		if err != nil {
			return err
		}
		_, err = client.PatchStatus(ctx, w.Kf.Tasks(w.Namespace), task, func(t *v1alpha1.Task) {
			t.Status.ID = i + 1
			t.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: "False", Reason: "Failed",
				Message: "the command exited with code 3", LastTransitionTime: metav1.Now()}}
		})
		return err
	})
	web := w.Shipped(b, "web", "LOGS_URL=http://127.0.0.1:1")
	w.Allow(b, w.Namespace, "jane", "*", "get", "list", "create", "patch")
	token := w.Token(b, w.Namespace, "jane", "")
	user := signIn(b, web.URL, token)
	page := func() time.Duration {
		r, _ := http.NewRequest(http.MethodGet, web.URL+"/spaces/"+w.Namespace+"/apps/shop?size=500", nil)
		for _, c := range user {
			r.AddCookie(c)
		}
		begun := time.Now()
		answer, err := http.DefaultClient.Do(r)
		w.Must(err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		w.Must(err)
		if n := strings.Count(string(body), "/tasks/shop-"); answer.StatusCode != 200 || n < 500 {
			b.Fatalf("%d, %d Tasks", answer.StatusCode, n)
		}
		return time.Since(begun)
	}
	list := func() time.Duration {
		begun := time.Now()
		_, err := w.Kf.Tasks(w.Namespace).List(w.Context(), client.OfApp("shop"))
		w.Must(err)
		return time.Since(begun)
	}
	page() // connections and the like are there
	var pages, lists []time.Duration
	begun := web.CPU()
	for b.Loop() {
		pages, lists = append(pages, page()), append(lists, list())
	}
	slices.Sort(pages)
	slices.Sort(lists)
	b.ReportMetric(float64((web.CPU()-begun).Microseconds())/1000/float64(len(pages)), "page-cpu-ms")
	p, l := pages[len(pages)/2], lists[len(lists)/2]
	b.ReportMetric(float64(p.Microseconds())/1000, "page-ms")
	b.ReportMetric(float64(l.Microseconds())/1000, "list-ms")
	b.ReportMetric(float64(p)/float64(l), "page/list")
}

// signIn is what a browser keeps after somebody has signed in.
func signIn(t testing.TB, at, token string) []*http.Cookie {
	t.Helper()
	once := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	first, err := once.Get(at + "/sign-in")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Body.Close()
	body, _ := io.ReadAll(first.Body)
	form := url.Values{"token": {token}}
	for _, field := range hidden.FindAllStringSubmatch(string(body), -1) {
		form.Set(field[1], field[2])
	}
	r, _ := http.NewRequest(http.MethodPost, at+"/sign-in", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range first.Cookies() {
		r.AddCookie(c)
	}
	answer, err := once.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("signing in is answered %d", answer.StatusCode)
	}
	return answer.Cookies()
}
