package main

import (
	"context"
	"io"
	"net/http"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// Sink is the function command, the only door for commands.
type Sink struct {
	url    string
	client *http.Client
}

// tries is how often a command is posted that is not answered: it is the same command, however often it arrives.
const tries = 3

// NewSink is the function at an address; an answer is given up after within.
func NewSink(url string, within time.Duration) *Sink {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 100
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // a token goes nowhere else
	return &Sink{url, &http.Client{Timeout: within, Transport: transport, CheckRedirect: refuse}}
}

// Answered is what the function command has answered.
type Answered struct {
	Status int
	Header http.Header
	Body   []byte
}

// Post posts a command with the caller's token. Its answer is the function's own.
func (s *Sink) Post(ctx context.Context, e cloudevents.Event, token string) (answer Answered, err error) {
	for try := 1; ; try++ {
		answer, err = s.post(ctx, e, token)
		if err == nil || try == tries || ctx.Err() != nil {
			return answer, err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (s *Sink) post(ctx context.Context, e cloudevents.Event, token string) (Answered, error) {
	// As a whole: a key is then what it is, and no header that somebody decodes.
	r, err := cehttp.NewHTTPRequestFromEvent(binding.WithForceStructured(ctx), s.url, e)
	if err != nil {
		return Answered{}, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := s.client.Do(r)
	if err != nil {
		return Answered{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	return Answered{answer.StatusCode, answer.Header, body}, err
}
