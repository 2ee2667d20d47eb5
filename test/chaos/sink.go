package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"
)

// mode is what the log sink does with what it is sent.
type mode int

const (
	takes   mode = iota
	stalls       // keeps the sender waiting
	refuses      // 503
	full         // 507, and closes the connection
)

func (m mode) String() string { return [...]string{"takes", "stalls", "answers 503", "answers 507"}[m] }

// sink is what the function terminate hands logs to by OTLP, and where a Trigger sends all facts: this program, outside of the cluster
// and of its faults.
type sink struct {
	mu    sync.Mutex
	mode  mode
	lines map[string]map[int]bool              // by Task
	facts map[string]map[string]map[string]int // by type, Task and id
}

// port is OTLP's own, to which the NetworkPolicy of terminate lets it.
const port = "4318"

// listen serves on an address that Pods reach, until the context ends.
func listen(ctx context.Context, host string) (*sink, error) {
	s := &sink{lines: map[string]map[int]bool{}, facts: map[string]map[string]map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/logs", s.takeLogs)
	mux.HandleFunc("POST /facts", s.takeFact)
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // it is over
	go func() { _ = server.Serve(l) }()                   // ends by Close alone
	return s, nil
}

func (s *sink) set(m mode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = m
}

func (s *sink) is() mode {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mode
}

func (s *sink) takeLogs(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch s.is() {
	case stalls:
		for s.is() == stalls && r.Context().Err() == nil {
			time.Sleep(100 * time.Millisecond)
		}
		if r.Context().Err() != nil { // the sender has given it up: it is not taken
			return
		}
	case refuses:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case full:
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusInsufficientStorage)
		return
	}
	var logs collogs.ExportLogsServiceRequest
	if err := proto.Unmarshal(body, &logs); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	for _, of := range logs.ResourceLogs {
		task := ""
		for _, a := range of.GetResource().GetAttributes() {
			if a.Key == "kf.task" {
				task = a.Value.GetStringValue()
			}
		}
		for _, scope := range of.ScopeLogs {
			for _, record := range scope.LogRecords {
				s.line(task, record.Body.GetStringValue())
			}
		}
	}
	s.mu.Unlock()
	answer, err := proto.Marshal(&collogs.ExportLogsServiceResponse{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer)
}

// line counts one in that is numbered.
func (s *sink) line(task, text string) {
	var n int
	if _, err := fmt.Sscanf(text, "line %d", &n); err != nil {
		return
	}
	if s.lines[task] == nil {
		s.lines[task] = map[int]bool{}
	}
	s.lines[task][n] = true
}

func (s *sink) takeFact(w http.ResponseWriter, r *http.Request) {
	e, err := cehttp.NewEventFromHTTPRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, task, _ := strings.Cut(e.Subject(), "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.facts[e.Type()] == nil {
		s.facts[e.Type()] = map[string]map[string]int{}
	}
	if s.facts[e.Type()][task] == nil {
		s.facts[e.Type()][task] = map[string]int{}
	}
	s.facts[e.Type()][task][e.ID()]++
	w.WriteHeader(http.StatusOK)
}
