package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// answerRow is a row of the table of answers in docs/events.md.
var answerRow = regexp.MustCompile("(?m)^\\| `(command|wait)` \\| ([0-9]{3}) \\| .+ \\|$")

// TestAnswers gets each answer of the table in docs/events.md, and none that it does not have.
func TestAnswers(t *testing.T) {
	w := newWaited(t, "MAX_BODY=1048576")
	stranger := w.Token(t, w.Cluster.Namespace(t, "stranger"), "poster", audience)
	event := func(more ...string) []string {
		return append([]string{"Ce-Specversion", "1.0", "Ce-Type", events.TaskRun, "Ce-Source", "/test", "Ce-Id", "7", "Content-Type", "application/json"}, more...)
	}
	shop := fmt.Sprintf(`{"namespace": %q, "app": "shop"}`, w.ns)
	none := fmt.Sprintf(`{"namespace": %q, "app": "none"}`, w.ns)
	large := `{"command": "` + strings.Repeat("x", 5<<20) + `"}`
	tasks := "/namespaces/" + w.ns + "/apps/shop/tasks"
	async := []string{"Prefer", "respond-async", "Idempotency-Key", "7"}
	made := map[string]bool{}
	for _, c := range []struct {
		of, method, path, body, token string
		headers                       []string
		want                          int
	}{
		{"command", http.MethodPost, "/", shop, w.token, event(), 200},
		{"command", http.MethodPost, "/", shop, w.token, event("Ce-Id", ""), 400},
		{"command", http.MethodPost, "/", shop, "", event(), 401},
		{"command", http.MethodPost, "/", shop, stranger, event(), 403},
		{"command", http.MethodGet, "/", "", w.token, nil, 405},
		{"command", http.MethodPost, "/", large, w.token, event(), 413},
		{"command", http.MethodPost, "/", shop, w.token, nil, 415},
		{"command", http.MethodPost, "/", shop, w.token, event("Expect", "x"), 417},
		{"command", http.MethodPost, "/", `{"comand": "x", ` + shop[1:], w.token, event(), 422},
		{"command", http.MethodPost, "/", shop, w.token, event("X", strings.Repeat("x", 48<<10)), 431},
		{"command", http.MethodPost, "/", none, w.token, event(), 503},
		{"wait", http.MethodPost, tasks, `{}`, w.token, async, 202},
		{"wait", http.MethodPost, tasks, `[]`, w.token, async, 400},
		{"wait", http.MethodPost, tasks, `{}`, "", async, 401},
		{"wait", http.MethodPost, tasks, `{}`, stranger, async, 403},
		{"wait", http.MethodPost, "/", `{}`, w.token, async, 404},
		{"wait", http.MethodPost, tasks, large, w.token, async, 413},
		{"wait", http.MethodPost, tasks, `{}`, w.token, append([]string{"Expect", "x"}, async...), 417},
		{"wait", http.MethodPost, tasks, `{"comand": "x"}`, w.token, async, 422},
		{"wait", http.MethodPost, tasks, `{}`, w.token, append([]string{"X", strings.Repeat("x", 48<<10)}, async...), 431},
		{"wait", http.MethodPost, strings.Replace(tasks, "shop", "none", 1), `{}`, w.token, async, 503},
		{"wait", http.MethodGet, "", "", w.token, nil, 200}, // the Task of 202, which has ended
	} {
		address := map[string]string{"command": w.command.URL, "wait": w.wait.URL}[c.of] + c.path
		if c.path == "" {
			task := w.tasks()[0]
			w.end(&task, "True", "Succeeded", 0)
			address += "/namespaces/" + w.ns + "/tasks/" + task.Name
		}
		r, err := http.NewRequestWithContext(ctx, c.method, address, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		for i := 0; i+1 < len(c.headers); i += 2 {
			r.Header.Set(c.headers[i], c.headers[i+1])
		}
		status, said, header := send(t, r)
		if status != c.want {
			t.Errorf("%s: %d %s, want %d", c.of, status, said, c.want)
		}
		if problem := header.Get("Content-Type") == "application/problem+json"; problem == (c.want < 300) && c.want != 417 && c.want != 431 { // those are HTTP's own
			t.Errorf("%s %d is a problem document: %t: %s", c.of, c.want, problem, said)
		}
		made[fmt.Sprint(c.of, " ", c.want)] = true
	}
	page, err := os.ReadFile(filepath.Join(harness.Root(), "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range answerRow.FindAllStringSubmatch(string(page), -1) {
		if row := m[1] + " " + m[2]; !made[row] {
			t.Errorf("docs/events.md has the answer %s, which nothing here gets", row)
		} else {
			delete(made, row)
		}
	}
	if len(made) > 0 {
		t.Errorf("docs/events.md lacks the answers %v, or has one twice", made)
	}
}

// TestEveryReceiverTakesEachMode: the SDK's own client sends an event in binary and in structured mode, and two as a batch, to each
// function that takes events.
func TestEveryReceiverTakesEachMode(t *testing.T) {
	w := newCommanded(t)
	for _, name := range []string{"build", "command", "deadletter", "prune", "runtask", "start", "status", "terminate", "tick"} {
		t.Run(name, func(t *testing.T) {
			f, id := w.command, 0
			if name != "command" {
				f = w.Function(t, name)
			}
			next := func() cloudevents.Event {
				id++
				if name == "command" {
					return w.event(events.TaskRun, fmt.Sprint("M%C3%BCller ü ", id), `{"namespace": "NS", "app": "shop"}`)
				}
				e := harness.Ping("resync")
				e.SetID(fmt.Sprint("ü ", id))
				e.SetExtension("kfapp", "shop")
				return e
			}
			client, err := cloudevents.NewClientHTTP(cehttp.WithTarget(f.URL), cehttp.WithHeader("Authorization", "Bearer "+w.command.Token))
			if err != nil {
				t.Fatal(err)
			}
			for mode, post := range map[string]func() (string, error){
				"binary": func() (string, error) {
					reply, res := client.Request(cloudevents.WithEncodingBinary(ctx), next())
					return taken(reply, res)
				},
				"structured": func() (string, error) {
					reply, res := client.Request(cloudevents.WithEncodingStructured(ctx), next())
					return taken(reply, res)
				},
				"batch": func() (string, error) {
					r, err := cehttp.NewHTTPRequestFromEvents(ctx, f.URL, []cloudevents.Event{next(), next()})
					if err != nil {
						return "", err
					}
					r.Header.Set("Authorization", "Bearer "+w.command.Token)
					answer, err := http.DefaultClient.Do(r)
					if err != nil {
						return "", err
					}
					defer answer.Body.Close()
					if answer.StatusCode != http.StatusOK {
						return "", fmt.Errorf("answered %s", answer.Status)
					}
					if answer.Header.Get("Content-Type") == "" {
						return "", nil
					}
					replies, err := cehttp.NewEventsFromHTTPResponse(answer)
					if err != nil || len(replies) != 2 {
						return "", fmt.Errorf("%d replies: %w", len(replies), err)
					}
					return replies[1].Type(), nil
				},
			} {
				kind, err := post()
				if err != nil || name == "command" && kind != events.CommandAccepted {
					t.Errorf("%s: replied %q, %v", mode, kind, err)
				}
			}
		})
	}
	if made := len(w.tasks()); made != 4 {
		t.Errorf("%d Tasks of 4 commands in three modes", made)
	}
}

// taken is the type of a reply, of an event that was taken.
func taken(reply *cloudevents.Event, res cloudevents.Result) (string, error) {
	if !cloudevents.IsACK(res) {
		return "", res
	}
	if reply == nil {
		return "", nil
	}
	return reply.Type(), nil
}
