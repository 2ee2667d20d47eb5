package receiver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/kf-tasks/kf-tasks/shared/strictjson"
)

// binaryRequest is a request as it stands on the wire, with these headers beside those of an event, or in their place.
func binaryRequest(body string, headers ...string) string {
	lines := []string{"POST / HTTP/1.1", "Host: h", "Ce-Specversion: 1.0", "Ce-Type: t", "Ce-Source: /s", "Content-Type: application/json"}
	if !strings.Contains(strings.ToLower(strings.Join(headers, "\n")), "ce-id:") {
		lines = append(lines, "Ce-Id: 1")
	}
	if all := strings.ToLower(strings.Join(headers, "\n")); !strings.Contains(all, "content-length:") && !strings.Contains(all, "transfer-encoding:") {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	return strings.Join(append(lines, headers...), "\r\n") + "\r\n\r\n" + body
}

func structuredRequest(body string, headers ...string) string {
	lines := append([]string{"POST / HTTP/1.1", "Host: h", "Content-Type: application/cloudevents+json",
		fmt.Sprintf("Content-Length: %d", len(body))}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// TestRequestsOnTheWire: what is sent, byte for byte, and what its sender is told. "" is an event that is handled, once.
func TestRequestsOnTheWire(t *testing.T) {
	deep := strings.Repeat("[", strictjson.MaxDepth+1) + strings.Repeat("]", strictjson.MaxDepth+1)
	event := func(more string) string { return `{"specversion":"1.0","type":"t","source":"/s","id":"1"` + more + `}` }
	for name, c := range map[string]struct {
		request string
		want    int
		says    string
	}{
		"binary":                                {binaryRequest("{}"), 200, ""},
		"structured":                            {structuredRequest(event(`,"data":{}`)), 200, ""},
		"structured, with the same headers":     {structuredRequest(event(""), "Ce-Id: 1"), 200, ""},
		"nothing of an event":                   {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", 415, "no CloudEvent"},
		"no id":                                 {binaryRequest("{}", "Ce-Id:"), 400, "id"},
		"another method":                        {strings.Replace(binaryRequest("{}"), "POST", "PUT", 1), 405, "post a CloudEvent"},
		"OPTIONS":                               {strings.Replace(binaryRequest("{}"), "POST", "OPTIONS", 1), 405, ""},
		"a made-up method":                      {strings.Replace(binaryRequest("{}"), "POST", "P%0AST", 1), 405, ""},
		"an address in full":                    {strings.Replace(binaryRequest("{}"), "POST /", "POST http://elsewhere/", 1), 200, ""},
		"HTTP/1.0":                              {strings.Replace(binaryRequest("{}"), "HTTP/1.1", "HTTP/1.0", 1), 200, ""},
		"HTTP/9.9":                              {strings.Replace(binaryRequest("{}"), "HTTP/1.1", "HTTP/9.9", 1), 505, ""},
		"no Host":                               {strings.Replace(binaryRequest("{}"), "Host: h\r\n", "", 1), 400, ""},
		"two Hosts":                             {binaryRequest("{}", "Host: other"), 400, ""},
		"a body as large as allowed":            {binaryRequest(`"` + strings.Repeat("x", 1<<20-2) + `"`), 200, ""},
		"one byte more":                         {binaryRequest(`"` + strings.Repeat("x", 1<<20-1) + `"`), 413, "1048576"},
		"much more, in chunks":                  {binaryRequest("200001\r\n"+strings.Repeat("x", 2<<20+1)+"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 413, "1048576"},
		"a length that is a lie":                {binaryRequest("{}", "Content-Length: -2"), 400, ""},
		"two lengths":                           {binaryRequest("{}", "Content-Length: 2", "Content-Length: 3"), 400, ""},
		"a length and chunks":                   {binaryRequest("0\r\n\r\nPOST / HTTP/1.1\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"), 0, ""},
		"chunks by another name":                {binaryRequest("{}", "Transfer-Encoding: xchunked", "Content-Length: 2"), 501, ""},
		"a space before the colon":              {binaryRequest("{}", "Content-Length : 2"), 400, ""},
		"a header that is folded":               {binaryRequest("{}", "X-A: 1\r\n Ce-Subject: 2"), 200, ""},
		"a NUL in a header":                     {binaryRequest("{}", "X-A: \x00"), 400, ""},
		"an id twice":                           {binaryRequest("{}", "Ce-Id: 1", "CE-ID: 2"), 400, "Ce-Id is there 2 times"},
		"two content types":                     {binaryRequest("{}", "Content-Type: application/cloudevents+json"), 400, "Content-Type"},
		"32 KiB and more of headers":            {binaryRequest("{}", "X-A: "+strings.Repeat("a", 48<<10)), 431, ""},
		"many headers":                          {binaryRequest("{}", strings.TrimSuffix(strings.Repeat("A: b\r\n", 10000), "\r\n")), 431, ""},
		"gzip":                                  {binaryRequest("{}", "Content-Encoding: gzip"), 415, "gzip"},
		"Latin-1":                               {strings.Replace(structuredRequest(event("")), "+json", "+json; charset=latin1", 1), 415, "latin1"},
		"a batch":                               {strings.Replace(structuredRequest("["+event("")+"]"), "events+json", "events-batch+json", 1), 200, ""},
		"Avro":                                  {strings.Replace(structuredRequest("x"), "+json", "+avro", 1), 415, "+avro"},
		"an id of two meanings":                 {structuredRequest(event(`,"id":"2"`)), 400, `duplicate field "id"`},
		"an empty name, where the SDK stops":    {structuredRequest(event(`,"":1,"subject":"x"`)), 400, `""`},
		"another id in a header":                {structuredRequest(event(""), "Ce-Id: 2"), 400, "Ce-Id says another"},
		"an attribute in capitals":              {structuredRequest(event(`,"Id":"2"`)), 400, `"Id"`},
		"an id that is a number":                {structuredRequest(`{"specversion":"1.0","type":"t","source":"/s","id":1}`), 400, ""},
		"no JSON":                               {structuredRequest(`{"specversion":`), 400, ""},
		"JSON and more":                         {structuredRequest(event("") + "{}"), 400, ""},
		"deep data":                             {binaryRequest(deep), 400, "deeper than 64"},
		"deep data, in the event":               {structuredRequest(event(`,"data":` + deep)), 400, "deeper than 64"},
		"deep data, in base64":                  {structuredRequest(event(`,"data_base64":"` + strings.Repeat("W1tb", 30) + `"`)), 400, "deeper than 64"},
		"brackets in a string":                  {binaryRequest(`"` + strings.Repeat(`[\"`, 100) + `"`), 200, ""},
		"data as deep as allowed":               {binaryRequest(deep[1 : len(deep)-1]), 200, ""},
		"data that is not UTF-8":                {binaryRequest("\"\xff\""), 400, "not UTF-8"},
		"an event that is not UTF-8":            {structuredRequest(event(",\"subject\":\"\xff\"")), 400, "not UTF-8"},
		"other data is the function's business": {strings.Replace(binaryRequest("\xff"), "application/json", "application/x", 1), 200, ""},
		"an id in Latin-1":                      {binaryRequest("{}", "Ce-Id: M\xfcller"), 400, "id has characters"},
		"an id in overlong UTF-8":               {binaryRequest("{}", "Ce-Id: %C0%AF"), 400, "id has characters"},
		"a line break in an id":                 {binaryRequest("{}", "Ce-Id: a%0Ab"), 400, "id has characters"},
		"the same in JSON":                      {structuredRequest(`{"specversion":"1.0","type":"t","source":"/s","id":"a\nb"}`), 400, "id has characters"},
		"an escape sequence in an extension":    {binaryRequest("{}", "Ce-Kfapp: %1b[2J"), 400, "kfapp has characters"},
		"an 8-bit control":                      {binaryRequest("{}", "Ce-Subject: %C2%9B2J"), 400, "subject has characters"},
	} {
		t.Run(name, func(t *testing.T) {
			handled := 0
			s := wire(t, func(context.Context, cloudevents.Event) (*cloudevents.Event, error) { handled++; return nil, nil })
			status, body := s.send(t, c.request)
			if status != c.want && c.want != 0 || !strings.Contains(Detail([]byte(body)), c.says) {
				t.Errorf("%d %q, want %d with %q", status, body, c.want, c.says)
			}
			if want := map[bool]int{true: 1}[status == 200]; handled != want {
				t.Errorf("handled %d times", handled)
			}
		})
	}
}

// testServer is a server with the limits of a function's, behind a listener of its own.
type testServer struct{ *httptest.Server }

func wire(t *testing.T, handle Handler) testServer {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.Config = server(Env{MaxBody: 1 << 20}, answered(handle))
	s.Start()
	t.Cleanup(s.Close)
	return testServer{s}
}

// dial connects for as long as no answer should take.
func (s testServer) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// send writes a request as it is and returns the answer.
func (s testServer) send(t *testing.T, request string) (int, string) {
	t.Helper()
	c := s.dial(t)
	defer c.Close()
	go func() { _, _ = io.WriteString(c, request) }() // which is not read to its end when it is too large
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	body, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(body)
}

// TestARequestIsNotTwo: what stands after the chunks of one that says a length, too, is not a request of its own.
func TestARequestIsNotTwo(t *testing.T) {
	ids := make(chan string, 10)
	s := wire(t, func(_ context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
		ids <- e.ID()
		return nil, nil
	})
	c := s.dial(t)
	fmt.Fprint(c, binaryRequest("2\r\n{}\r\n0\r\n\r\n"+binaryRequest("{}", "Ce-Id: smuggled"), "Content-Length: 9", "Transfer-Encoding: chunked"))
	if _, err := io.ReadAll(c); err != nil { // the connection is to end with the first answer
		t.Error(err)
	}
	close(ids)
	for id := range ids {
		if id == "smuggled" {
			t.Error("handled")
		}
	}
}

// TestOneEventHasOneID: however its sender encodes it, by the specification or as the SDK does.
func TestOneEventHasOneID(t *testing.T) {
	var got string
	s := wire(t, func(_ context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
		got = e.ID()
		return nil, nil
	})
	in := func(id string) string { return `{"specversion":"1.0","type":"t","source":"/s","id":"` + id + `"}` }
	for want, requests := range map[string][]string{
		"invoice 42":  {binaryRequest("{}", "Ce-Id: invoice%2042"), binaryRequest("{}", "Ce-Id: invoice 42"), binaryRequest("{}", `ce-id: "invoice 42"`), structuredRequest(in("invoice 42"))},
		"Müller":      {binaryRequest("{}", "Ce-Id: M%C3%BCller"), binaryRequest("{}", "Ce-Id: M%c3%bcller"), binaryRequest("{}", "Ce-Id: Müller"), structuredRequest(in(`M\u00fcller`)), structuredRequest(in("Müller"))},
		"100%":        {binaryRequest("{}", "Ce-Id: 100%"), binaryRequest("{}", "Ce-Id: 100%25"), structuredRequest(in("100%"))},
		"50%2042":     {binaryRequest("{}", "Ce-Id: 50%252042")}, // one round
		`say "hi" \o`: {binaryRequest("{}", `Ce-Id: "say \"hi\" \\o"`), binaryRequest("{}", `Ce-Id: say%20%22hi%22%20\o`)},
		`"`:           {binaryRequest("{}", `Ce-Id: "`), binaryRequest("{}", `Ce-Id: %22`)},
		"%zz":         {binaryRequest("{}", `Ce-Id: %zz`)},
		"\U0001F600":  {binaryRequest("{}", "Ce-Id: %F0%9F%98%80"), structuredRequest(in(`\ud83d\ude00`))},
	} {
		for _, request := range requests {
			got = ""
			if status, body := s.send(t, request); status != 200 || got != want {
				t.Errorf("%q: %q %d %s, from\n%s", want, got, status, body, request)
			}
		}
	}
}

// TestASlowSenderIsGivenUp: in its headers, in its body, and one that says nothing.
func TestASlowSenderIsGivenUp(t *testing.T) {
	const soon = 50 * time.Millisecond
	real := server(Env{}, nil)
	if real.ReadHeaderTimeout != headerWithin || real.ReadTimeout != requestWithin {
		t.Errorf("a function's server waits %s and %s", real.ReadHeaderTimeout, real.ReadTimeout)
	}
	s := httptest.NewUnstartedServer(nil)
	s.Config = server(Env{MaxBody: 1 << 20}, answered(func(context.Context, cloudevents.Event) (*cloudevents.Event, error) {
		t.Error("handled")
		return nil, nil
	}))
	s.Config.ReadHeaderTimeout, s.Config.ReadTimeout = soon, 2*soon
	s.Start()
	defer s.Close()
	for name, begins := range map[string]string{
		"says nothing": "", "in its headers": "POST / HTTP/1.1\r\nCe-Id:", "in its body": strings.TrimSuffix(binaryRequest("{}"), "}"),
	} {
		c := testServer{s}.dial(t)
		fmt.Fprint(c, begins)
		told, err := io.ReadAll(c) // returns when the server has ended the connection
		if err != nil || name == "in its body" && !strings.HasPrefix(string(told), "HTTP/1.1 408 ") {
			t.Errorf("%s: %q %v", name, told, err)
		}
		c.Close()
	}
}

// TestAPanicTellsNothing: what it was about stands in the function's log.
func TestAPanicTellsNothing(t *testing.T) {
	s := wire(t, func(context.Context, cloudevents.Event) (*cloudevents.Event, error) { panic("secret") })
	if status, body := s.send(t, binaryRequest("{}")); status != 503 || strings.Contains(body, "secret") {
		t.Errorf("%d %s", status, body)
	}
}

// FuzzReadEvent: whatever a request's headers and body hold, it is refused in words or it is an event that can be told
// from others by printable attributes, with data that can be read.
func FuzzReadEvent(f *testing.F) {
	f.Add("1", "t", "/s", "x", "application/json", "", []byte(`{}`))
	f.Add("invoice%2042", `"t"`, "%2Fs", "", "application/cloudevents+json; charset=utf-8", "", []byte(`{"specversion":"1.0","type":"t","source":"/s","id":"a","data_base64":"e30="}`))
	f.Add("%ff", "", "::", "%1b[2J", "application/cloudevents+json", "", []byte(`{"specversion":"1.0","type":"t","source":"/s","id":"a","id":"b","":0}`))
	f.Add("1", "t", "/s", "x", "text/xml", "identity", []byte("\xff"))
	f.Add("1", "t", "/s", "x", "application/cloudevents-batch+json", "gzip", []byte(strings.Repeat("[", 100)))
	f.Fuzz(func(t *testing.T, id, kind, source, ext, contentType, coding string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
		r.Header["Ce-Specversion"] = []string{"1.0"}
		for name, value := range map[string]string{"Ce-Id": id, "Ce-Type": kind, "Ce-Source": source, "Ce-Ext": ext,
			"Content-Type": contentType, "Content-Encoding": coding} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		e, err := ReadEvent(r)
		if err != nil {
			if status := err.(*refusal).status; status/100 != 4 || err.Error() == "" {
				t.Errorf("%d %v", status, err)
			}
			return
		}
		if e.ID() == "" || e.Type() == "" || e.Source() == "" || e.Validate() != nil {
			t.Errorf("accepted: %v", e)
		}
		for _, value := range []string{e.ID(), e.Type(), e.Source(), e.Subject(), fmt.Sprint(e.Extensions()["ext"])} {
			if !utf8.ValidString(value) || strings.ContainsFunc(value, unfit) {
				t.Errorf("accepted: %q", value)
			}
		}
	})
}
