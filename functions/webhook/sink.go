package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/webhook"
)

// Sink is where commands go.
type Sink struct {
	url, token string
	client     *http.Client
}

const (
	// tryWithin is how long one try may take, tryAgain the wait before the second, which doubles.
	tryWithin, tryAgain = 3 * time.Second, 200 * time.Millisecond
)

// NewSink is a sink at an address, to which the token in the file is sent along if there is such a file.
func NewSink(url, tokenFile string) *Sink {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 100
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // a token goes nowhere else
	return &Sink{url, tokenFile, &http.Client{Timeout: tryWithin, Transport: transport, CheckRedirect: refuse}}
}

// Post posts a command until it is taken, refused, or the context ends: many senders try once and never again.
func (s *Sink) Post(ctx context.Context, e *cloudevents.Event) *webhook.Verdict {
	for wait := tryAgain; ; wait *= 2 {
		status, said, err := s.post(ctx, e)
		v := Fate(status, said, err)
		if v.Status != http.StatusServiceUnavailable || status == http.StatusUnauthorized || status == http.StatusForbidden {
			return v
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return v
		}
	}
}

// Fate is what a sender is answered, by what became of its command: the sink's status and words, or that there was no answer.
func Fate(status int, said string, err error) *webhook.Verdict {
	failed := &webhook.Verdict{Rule: "Command", Status: http.StatusServiceUnavailable, Outcome: v1alpha1.DeliveryFailed}
	switch {
	case err != nil:
		failed.Why = "the command could not be handed on: " + err.Error()
	case status >= 200 && status < 300:
		return &webhook.Verdict{Rule: "Command", Status: http.StatusAccepted, Outcome: v1alpha1.DeliveryStored}
	case status == http.StatusUnauthorized || status == http.StatusForbidden: // a right can be granted
		failed.Why = "the Space does not let its Webhooks run Tasks: " + said
	case status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge || status == http.StatusUnprocessableEntity:
		return &webhook.Verdict{Rule: "Command", Status: http.StatusUnprocessableEntity, Outcome: v1alpha1.DeliveryRefused,
			Why: "the command was refused: " + said}
	default:
		failed.Why = fmt.Sprintf("the command was not taken: %d %s", status, said)
	}
	return failed
}

func (s *Sink) post(ctx context.Context, e *cloudevents.Event) (status int, said string, err error) {
	r, err := cehttp.NewHTTPRequestFromEvent(ctx, s.url, *e)
	if err != nil {
		return 0, "", err
	}
	switch token, err := os.ReadFile(s.token); { // it is renewed in place
	case err == nil:
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	case !errors.Is(err, fs.ErrNotExist):
		return 0, "", fmt.Errorf("the token for commands: %w", err)
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	return answer.StatusCode, receiver.Detail(b), nil
}
