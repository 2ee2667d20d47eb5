package receiver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestNoInterimAnswer: who wants to hear 100 (Continue) first is told to send without, and no body is touched.
func TestNoInterimAnswer(t *testing.T) {
	read := false
	s := httptest.NewServer(server(Env{MaxBody: 1 << 20}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read = true
		_, _ = io.Copy(io.Discard, r.Body)
	})).Handler)
	defer s.Close()
	client := http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	for expect, want := range map[string]int{"100-continue": http.StatusExpectationFailed, "": http.StatusOK} {
		r, err := http.NewRequest(http.MethodPost, s.URL, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		if expect != "" {
			r.Header.Set("Expect", expect)
		}
		read = false
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want || read != (want == http.StatusOK) {
			t.Errorf("Expect: %q is answered %d, the body read %t", expect, answer.StatusCode, read)
		}
	}
}
