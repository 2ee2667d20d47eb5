// Package logsink hands the lines of Tasks on to the cluster's logging stream: as JSON on standard output, where the
// node's agent (Fluentd, Fluent Bit, Stackdriver's) picks them up, and, where configured, to an OpenTelemetry collector
// or a Fluentd. Memory is bounded: a sink that is slow makes the reader wait. What could not be handed on is told.
package logsink

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// Origin is where lines come from.
type Origin struct {
	Space, App, Task string
	ID               int
	Pod, PodUID      string
	Container        string
}

// Record is a line, or a piece of one that is too long to be held.
type Record struct {
	Time time.Time
	Text []byte
	// Seq counts the records of an Origin in one handing over, from 1.
	Seq int64
	// More says that the line goes on in the next record.
	More bool
	// MaybeDouble says that the line may have been handed on before, by an instance that died.
	MaybeDouble bool
}

// Sink opens streams.
type Sink interface {
	Open(Origin) Stream
}

// Stream takes the lines of one Origin, from one goroutine.
type Stream interface {
	// Write takes a record, and does not keep its Text. It waits while the stream has no room.
	Write(ctx context.Context, r Record) error
	// Push sends on what is held back for a fuller batch. It does not wait.
	Push()
	// Flush waits until everything was taken, and tells what was not.
	Flush(ctx context.Context) []Undelivered
	// Close ends the stream. What was not flushed is lost.
	Close()
}

// Undelivered says which lines a sink did not take.
type Undelivered struct {
	Sink     string
	Lines    int64
	From, To time.Time
	Err      error
}

func (u Undelivered) String() string {
	return fmt.Sprintf("%s did not take %d lines from %s to %s: %v", u.Sink, u.Lines,
		u.From.Format(time.RFC3339Nano), u.To.Format(time.RFC3339Nano), u.Err)
}

// add counts a record in.
func (u *Undelivered) add(r Record) {
	if u.Lines == 0 && u.From.IsZero() {
		u.From = r.Time
	}
	u.To = r.Time
	if !r.More {
		u.Lines++
	}
}

// Missing puts what several sinks did not take into one sentence, "" if they took everything.
func Missing(us []Undelivered) string {
	var parts []string
	for _, u := range us {
		parts = append(parts, u.String())
	}
	return strings.Join(parts, "; ")
}

// Settings say where lines go.
type Settings struct {
	// Stdout takes them as JSON, always.
	Stdout io.Writer
	// OTLP: to an OpenTelemetry collector too.
	OTLP bool
	// Fluentd: to this HOST:PORT too, under this tag.
	Fluentd, FluentdTag string
	// Patience is how long a sink that is down is waited for.
	Patience time.Duration
}

// New returns the Sink that the settings describe. Nothing is connected yet.
func New(ctx context.Context, s Settings) (Sink, error) {
	sinks := []Sink{JSON(s.Stdout)}
	p := DefaultPatience
	if s.Patience > 0 {
		p.Total = s.Patience
	}
	if s.OTLP {
		o, err := OTLP(ctx, p)
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, o)
	}
	if s.Fluentd != "" {
		f, err := Fluentd(s.Fluentd, s.FluentdTag, p)
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, f)
	}
	return All(sinks...), nil
}

// All hands everything on to each of several sinks. The slowest sets the pace.
func All(sinks ...Sink) Sink { return all(sinks) }

type all []Sink

func (a all) Open(o Origin) Stream {
	streams := make(allStreams, len(a))
	for i, s := range a {
		streams[i] = s.Open(o)
	}
	return streams
}

type allStreams []Stream

func (a allStreams) Write(ctx context.Context, r Record) error {
	for _, s := range a {
		if err := s.Write(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func (a allStreams) Push() {
	for _, s := range a {
		s.Push()
	}
}

func (a allStreams) Flush(ctx context.Context) (us []Undelivered) {
	for _, s := range a {
		us = append(us, s.Flush(ctx)...)
	}
	return us
}

func (a allStreams) Close() {
	for _, s := range a {
		s.Close()
	}
}
