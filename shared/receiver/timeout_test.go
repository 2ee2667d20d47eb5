package receiver

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestARequestIsGivenUpAndAStreamIsNot: whether nothing is answered or only a part; a watch and a followed log have
// answered after many times the limit.
func TestARequestIsGivenUpAndAStreamIsNot(t *testing.T) {
	const limit = 50 * time.Millisecond
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hangs":
			<-r.Context().Done()
		case "/stops":
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/stream", "/pods/p/log":
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			<-time.After(10 * limit)
			_, _ = io.WriteString(w, ", whole")
		default:
			_, _ = io.WriteString(w, "half, whole")
		}
	}))
	defer server.Close()
	client := &http.Client{Transport: bounded(limit)(http.DefaultTransport)}
	for path, whole := range map[string]bool{
		"/hangs": false, "/stops": false, "/stream?watch=true": true, "/stream?watch=1": true, "/stream?follow=true": true, "/stream?follow=false": false, "/": true,
		"/pods/p/log": true, // of a container that has ended: its taker may be slower than the limit
	} {
		resp, err := client.Get(server.URL + path)
		var body []byte
		if err == nil {
			body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if (err == nil) != whole || whole && string(body) != "half, whole" {
			t.Errorf("%s: %q %v", path, body, err)
		}
		var timeout net.Error
		if err != nil && (!errors.As(err, &timeout) || !timeout.Timeout()) {
			t.Errorf("%s: %v is not a timeout", path, err)
		}
	}
}
