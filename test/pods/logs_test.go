package pods

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	authn "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

// readers is a Space with a Task's App, the function logs, and somebody who may read it.
type readers struct {
	*writers
	logs  *harness.Function
	token string
}

func newReaders(t *testing.T) *readers {
	t.Helper()
	r := &readers{writers: newWriters(t)}
	r.logs = r.c.Function(t, "logs")
	r.token = r.account("reader", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}})
	r.pinged("status")
	return r
}

// account makes a service account with these rights in the Space, and returns a token of it.
func (r *readers) account(name string, rules ...rbacv1.PolicyRule) string {
	r.t.Helper()
	must := func(err error) {
		if err != nil {
			r.t.Fatal(err)
		}
	}
	_, err := r.c.Kube.CoreV1().ServiceAccounts(r.ns).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	must(err)
	_, err = r.c.Kube.RbacV1().Roles(r.ns).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}, metav1.CreateOptions{})
	must(err)
	_, err = r.c.Kube.RbacV1().RoleBindings(r.ns).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name}, Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: r.ns}}}, metav1.CreateOptions{})
	must(err)
	hour := int64(3600)
	token, err := r.c.Kube.CoreV1().ServiceAccounts(r.ns).CreateToken(ctx, name, &authn.TokenRequest{Spec: authn.TokenRequestSpec{ExpirationSeconds: &hour}}, metav1.CreateOptions{})
	must(err)
	return token.Status.Token
}

func (r *readers) get(ctx context.Context, path, token string, header ...string) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", r.logs.URL+"/namespaces/"+r.ns+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp
}

// numbered reads the writer's lines and fails unless they are from to to, each once and in order. It returns what else
// was said.
func numbered(body io.Reader, from, to int, pause func(n int)) (rest []string, err error) {
	next := from
	s := bufio.NewScanner(body)
	for s.Scan() {
		var n int
		if _, err := fmt.Sscanf(s.Text(), "line %d", &n); err != nil {
			rest = append(rest, s.Text())
			continue
		}
		if n != next {
			return rest, fmt.Errorf("line %d where %d is due", n, next)
		}
		next++
		if pause != nil {
			pause(n)
		}
	}
	if next != to+1 {
		return rest, fmt.Errorf("ended after line %d of %d: %v %v", next-1, to, rest, s.Err())
	}
	return rest, s.Err()
}

func TestLogsFollowsFullSpeedFromBeforeTheStartToTheOutcome(t *testing.T) {
	r := newReaders(t)
	task := r.create("writer", "fast", "-lines 100000 -width 60 -code 3") // less than a kubelet rotates
	resp := r.get(ctx, "/tasks/fast?follow", r.token)
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	r.runtask.Deliver(harness.Added("Task", task))
	rest, err := numbered(resp.Body, 1, 100000, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(rest) != 1 || !strings.Contains(rest[0], "exit code 3") || resp.Trailer.Get("Kf-Task-Exit-Code") != "3" {
		t.Errorf("it closes with %q and %v", rest, resp.Trailer)
	}
}

func TestLogsSlowDisconnectedAndFiftyReaders(t *testing.T) {
	r := newReaders(t)
	r.run("steady", "-lines 20000 -width 200 -every 200us")
	var group sync.WaitGroup
	read := func(name string, pause func(int)) {
		group.Go(func() {
			resp := r.get(ctx, "/tasks/steady?follow", r.token)
			defer resp.Body.Close()
			if _, err := numbered(resp.Body, 1, 20000, pause); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	read("slow", func(n int) {
		if n%100 == 0 {
			time.Sleep(100 * time.Millisecond) // a thousand lines a second
		}
	})
	for i := range 50 {
		read(fmt.Sprint("reader ", i), nil)
	}
	for range 20 { // come, and go within the log
		group.Go(func() {
			gone, leave := context.WithCancel(ctx)
			defer leave()
			resp := r.get(gone, "/tasks/steady?follow", r.token)
			io.CopyN(io.Discard, resp.Body, 64<<10)
			leave()
			resp.Body.Close()
		})
	}
	group.Wait()
}

func TestLogsAsksForWhatTheCallerMayRead(t *testing.T) {
	r := newReaders(t)
	nobody := r.account("nobody", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}})
	r.run("secret", "-lines 3")
	for what, c := range map[string]struct {
		path, token string
		want        int
	}{
		"no token":       {"/tasks/secret", "", 401},
		"a bad token":    {"/tasks/secret", "abc", 401},
		"no right":       {"/tasks/secret", nobody, 403},
		"no such Task":   {"/tasks/none", r.token, 404},
		"no such App":    {"/apps/none", r.token, 404},
		"no such option": {"/tasks/secret?tial=3", r.token, 400},
		"a bad tail":     {"/tasks/secret?tail=-1", r.token, 400},
		"another format": {"/tasks/secret?format=xml", r.token, 400},
		"a right":        {"/tasks/secret", r.token, 200},
	} {
		resp := r.get(ctx, c.path, c.token)
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s: %s, want %d: %s", what, resp.Status, c.want, b)
		}
	}
}

func TestLogsShowsNothingAlive(t *testing.T) {
	r := newReaders(t)
	r.run("evil", `-lines 1 -say '\e[2J\e]0;title\a<script>alert(1)</script>\e[31mred\e[0m'`)
	resp := r.get(ctx, "/tasks/evil?follow", r.token)
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if bytes.ContainsAny(text, "\x1b\a") || !bytes.Contains(text, []byte("red")) {
		t.Errorf("text: %q", text)
	}
	resp = r.get(ctx, "/tasks/evil", r.token, "Accept", "application/json")
	raw, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	var first struct{ Type, Text, Time string }
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&first); err != nil || first.Type != "line" || !strings.HasPrefix(first.Text, "\x1b[2J") || bytes.ContainsAny(raw, "\x1b\a") {
		t.Errorf("JSON: %v %q", err, raw)
	}
	resp = r.get(ctx, "/tasks/evil", r.token, "Accept", "text/html")
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if bytes.Contains(page, []byte("<script")) || !bytes.Contains(page, []byte("&lt;script&gt;")) || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("page: %s", page)
	}
	resp = r.get(ctx, "/tasks/evil", "", "Accept", "text/html")
	form, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 401 || !bytes.Contains(form, []byte(`name="token"`)) {
		t.Errorf("%s %s", resp.Status, form)
	}
}

func TestLogsOfAnApp(t *testing.T) {
	r := newReaders(t)
	for i := range 3 {
		r.run(fmt.Sprint("past-", i), "-lines 5")
		r.wrote(fmt.Sprint("past-", i), "line 0000005")
	}
	harness.Eventually(t, 3*time.Minute, func() error {
		for i := range 3 {
			if !r.task(fmt.Sprint("past-", i)).Final() {
				return fmt.Errorf("not ended")
			}
		}
		return nil
	})
	resp := r.get(ctx, "/apps/writer?tail=7&timestamps", r.token)
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 7 || !strings.Contains(lines[0], "past-1 | line 0000004") || !strings.Contains(lines[6], "past-2 | line 0000005") {
		t.Errorf("the last 7 are\n%s", b)
	}
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	resp = r.get(soon, "/apps/writer?follow&tail=0", r.token)
	defer resp.Body.Close()
	r.run("next", "-lines 3")
	s := bufio.NewScanner(resp.Body)
	var got []string
	for s.Scan() {
		got = append(got, s.Text())
		if strings.HasPrefix(s.Text(), "[kf] next") {
			break
		}
	}
	if len(got) != 4 || got[0] != "next | line 0000001 xxxxxxxxxxxxxxxxxxxxxxxxxxx" {
		t.Errorf("followed: %q", got)
	}
}

// TestLogsThroughput compares reading a log through the function with what `kubectl logs` does on the same Pod, in turns, and
// prints both and the time to the first line. SIZE is the log's size in MB: it must be in one piece, not rotated.
func TestLogsThroughput(t *testing.T) {
	mb, _ := strconv.Atoi(os.Getenv("SIZE"))
	if mb == 0 {
		mb = 9 // below the kubelet's default of 10 MiB for a log file
	}
	r := newReaders(t)
	const width = 100
	n := mb << 20 / (width + 45)
	r.run("big", fmt.Sprintf("-lines %d -width %d", n, width))
	harness.Eventually(t, 10*time.Minute, func() error {
		if !r.task("big").Final() {
			return fmt.Errorf("not ended")
		}
		return nil
	})
	pod := r.pods("big")[0].Name
	var best [2]time.Duration
	var size [2]int64
	for range 7 {
		for i, body := range []func() io.ReadCloser{
			func() io.ReadCloser { // what `kubectl logs` does
				b, err := r.c.Kube.CoreV1().Pods(r.ns).GetLogs(pod, &corev1.PodLogOptions{Container: "step-user-container"}).Stream(ctx)
				if err != nil {
					t.Fatal(err)
				}
				return b
			},
			func() io.ReadCloser { return r.get(ctx, "/tasks/big", r.token).Body },
		} {
			begin := time.Now()
			b := body()
			var err error
			size[i], err = io.Copy(io.Discard, b)
			b.Close()
			if d := time.Since(begin); err != nil {
				t.Fatal(err)
			} else if best[i] == 0 || d < best[i] {
				best[i] = d
			}
		}
	}
	begin := time.Now()
	resp := r.get(ctx, "/tasks/big", r.token)
	resp.Body.Read(make([]byte, 1))
	first := time.Since(begin)
	resp.Body.Close()
	rate := func(i int) float64 { return float64(size[i]) / best[i].Seconds() / 1e6 }
	ratio := rate(1) / rate(0)
	t.Logf("kubectl logs %.1f MB/s (%d bytes), logs %.1f MB/s (%d bytes): ratio %.2f; first line after %s",
		rate(0), size[0], rate(1), size[1], ratio, first)
	if more := size[1] - size[0]; more <= 0 || more > 200 {
		t.Errorf("logs gave %d bytes more than kubectl logs: it should be the outcome's line", more)
	}
	if ratio < 0.2 { // with the race detector in the function: without it, it is 0.9
		t.Errorf("logs has %.2f of the throughput of kubectl logs", ratio)
	}
}

// TestLogsMemory follows a Task that writes SIZE megabytes, and looks at what the function needs for it; with
// HARNESS_RACE=0 it is the function as it is shipped.
func TestLogsMemory(t *testing.T) {
	mb, _ := strconv.Atoi(os.Getenv("SIZE"))
	if mb == 0 {
		mb = 128
	}
	r := newReaders(t)
	const width = 16000 // about what a runtime writes at once
	lines := mb << 20 / width
	r.run("large", fmt.Sprintf("-lines %d -width %d -every 2ms", lines, width))
	before := r.logs.PeakMemory()
	body := r.get(ctx, "/tasks/large?follow", r.token).Body
	defer body.Close()
	n, seen, missing := int64(0), 0, 0
	for s := bufio.NewReaderSize(body, 1<<20); ; {
		line, err := s.ReadString('\n')
		n += int64(len(line))
		var at int
		if _, err := fmt.Sscanf(line, "line %d", &at); err == nil {
			if at <= seen {
				t.Fatalf("line %d after line %d", at, seen)
			}
			missing += at - seen - 1
			seen = at
		} else if line != "" {
			t.Log(strings.TrimSpace(line))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	missing += lines - seen
	after := r.logs.PeakMemory()
	t.Logf("%d MB in %d lines, %d missing: at most %d MiB resident, %d MiB before", n>>20, seen, missing, after>>20, before>>20)
	const buffers, rotated = 36 << 10, 10 << 20 // what containerd may write to a file that a follower has left, and when there is one
	if missing > (buffers/width+1)*(mb<<20/rotated) {
		t.Errorf("%d lines of %d are missing, the last is %d", missing, lines, seen)
	}
	if grown := after - before; grown > n/4 {
		t.Errorf("it grew by %d MiB over %d MB of log: it holds what it should pass on", grown>>20, n>>20)
	}
}
