package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// TestBatches: each event is handled, in its order, and the answer is 200 only if all are done.
func TestBatches(t *testing.T) {
	event := func(id string) string {
		return `{"specversion":"1.0","type":"t","source":"/s","id":"` + id + `","data":{}}`
	}
	for name, c := range map[string]struct {
		body    string
		want    int
		handled string
		each    []int
		says    string
	}{
		"none":                   {`[]`, 200, "", nil, ""},
		"one":                    {`[` + event("a") + `]`, 200, "a", nil, ""},
		"in their order":         {`[` + event("b") + `,` + event("a") + `,` + event("c") + `]`, 200, "b a c", nil, ""},
		"one never":              {`[` + event("a") + `,` + event("bad") + `,` + event("c") + `]`, 422, "a bad c", []int{200, 422, 200}, "1 of 3 events"},
		"one later":              {`[` + event("later") + `,` + event("a") + `]`, 503, "later a", []int{503, 200}, "1 of 2 events"},
		"one later, one never":   {`[` + event("bad") + `,` + event("later") + `,` + event("who") + `]`, 503, "bad later who", []int{422, 503, 401}, ""},
		"nobody known":           {`[` + event("who") + `,` + event("who") + `]`, 401, "who who", []int{401, 401}, ""},
		"for two reasons":        {`[` + event("who") + `,` + event("bad") + `]`, 422, "who bad", []int{401, 422}, ""},
		"a panic":                {`[` + event("panic") + `,` + event("a") + `]`, 503, "panic a", []int{503, 200}, ""},
		"one that is none":       {`[{"id":"x"},` + event("a") + `]`, 400, "a", []int{400, 200}, ""},
		"one in another's place": {`[[],"x",null,` + event("a") + `]`, 400, "a", []int{400, 400, 400, 200}, ""},
		"an id of two meanings":  {`[{"specversion":"1.0","type":"t","source":"/s","id":"1","id":"2"}]`, 400, "", []int{400}, ""},
		"no list":                {event("a"), 400, "", nil, "no list"},
		"null":                   {`null`, 400, "", nil, "no list"},
		"JSON and more":          {`[` + event("a") + `][]`, 400, "", nil, "no list"},
		"as many as may be":      {`[` + strings.Join(slices.Repeat([]string{event("a")}, maxBatch), ",") + `]`, 200, strings.TrimSpace(strings.Repeat("a ", maxBatch)), nil, ""},
		"one more":               {`[` + strings.Join(slices.Repeat([]string{event("a")}, maxBatch+1), ",") + `]`, 413, "", nil, "at most 100"},
		"more than a body's":     {`[` + strings.Repeat(" ", 1<<20) + `]`, 413, "", nil, "1048576"},
		"deep":                   {strings.Repeat("[", 100), 400, "", nil, "deeper"},
		"not UTF-8":              {"[\"\xff\"]", 400, "", nil, "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			var handled []string
			s := wire(t, func(_ context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
				switch handled = append(handled, e.ID()); e.ID() {
				case "bad":
					return nil, Permanent(errors.New("bad"))
				case "later":
					return nil, errors.New("later")
				case "who":
					return nil, Unauthenticated(errors.New("who?"))
				case "panic":
					panic("bug")
				}
				return nil, nil
			})
			status, body := s.send(t, strings.Replace(structuredRequest(c.body), "events+json", "events-batch+json", 1))
			var p problem
			if status != http.StatusOK && json.Unmarshal([]byte(body), &p) != nil {
				t.Errorf("%q", body)
			}
			var each []int
			for _, f := range p.Events {
				if each = append(each, f.Status); (f.Detail == "") != (f.Status == 200) {
					t.Errorf("%+v", f)
				}
			}
			if status != c.want || strings.Join(handled, " ") != c.handled || fmt.Sprint(each) != fmt.Sprint(c.each) || !strings.Contains(body, c.says) {
				t.Errorf("%d %q, handled %v, each %v; want %d, %v, %v", status, body, handled, each, c.want, c.handled, c.each)
			}
		})
	}
}

// TestABatchIsAnsweredByABatch: of what was replied to its events, which have the sender's token, all of them.
func TestABatchIsAnsweredByABatch(t *testing.T) {
	var tokens []string
	address, _ := serve(t, func(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
		token, _ := BearerToken(ctx)
		if tokens = append(tokens, token); e.ID() == "2" {
			return nil, nil
		}
		reply := cloudevents.NewEvent()
		reply.SetID("r-" + e.ID())
		reply.SetType("fact")
		reply.SetSource("/f")
		return &reply, nil
	})
	var batch []cloudevents.Event
	for _, id := range []string{"1", "2", "3"} {
		e := cloudevents.NewEvent()
		e.SetID(id)
		e.SetType("t")
		e.SetSource("/s")
		batch = append(batch, e)
	}
	r, err := cehttp.NewHTTPRequestFromEvents(t.Context(), address, batch)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer x")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	replies, err := cehttp.NewEventsFromHTTPResponse(answer)
	if err != nil || len(replies) != 2 || replies[0].ID() != "r-1" || replies[1].ID() != "r-3" || fmt.Sprint(tokens) != "[x x x]" {
		t.Errorf("%v %v, tokens %v", replies, err, tokens)
	}
	r, _ = cehttp.NewHTTPRequestFromEvents(t.Context(), address, batch)
	r.Header.Set("Ce-Id", "4")
	if answer, err = http.DefaultClient.Do(r); err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if b, _ := io.ReadAll(answer.Body); answer.StatusCode != 400 || len(tokens) != 3 {
		t.Errorf("an event's header beside a batch: %s %s", answer.Status, b)
	}
}

// FuzzBatch: whatever a body holds, 200 is said of none but a list whose events were all handled, and a refusal is JSON in one row.
func FuzzBatch(f *testing.F) {
	good := `{"specversion":"1.0","type":"t","source":"/s","id":"1"}`
	for _, seed := range []string{`[]`, `[` + good + `]`, `[` + good + `,{}]`, `[1,"x",null]`, `{}`, "[\"\x1b\"]", `[[[`, `[` + good + `,` + good} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		handled := 0
		w := httptest.NewRecorder()
		answerBatch(t.Context(), w, http.Header{}, body, func(context.Context, cloudevents.Event) (*cloudevents.Event, error) { handled++; return nil, nil })
		var list []json.RawMessage
		isList := json.Unmarshal(body, &list) == nil && list != nil
		if w.Code == http.StatusOK && (!isList || handled != len(list)) {
			t.Errorf("%q: 200, and %d were handled", body, handled)
		}
		if w.Code != http.StatusOK && (!json.Valid(w.Body.Bytes()) || strings.Count(w.Body.String(), "\n") != 1 || strings.ContainsAny(w.Body.String(), "\x1b\x7f")) {
			t.Errorf("%q: %q", body, w.Body)
		}
	})
}
