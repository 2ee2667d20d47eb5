// Package sink is what takes lines: a stream of records for each container, in order, each of them taken or reported as
// undelivered. Memory is bounded: a sink that is slow makes the writer wait.
package sink

import (
	"context"
	"fmt"
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
	// Seq counts the records of an Origin in one delivery, from 1.
	Seq int64
	// More says that the line goes on in the next record.
	More bool
	// MaybeDouble says that the line may have been delivered before, by an instance that died.
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
	// Flush waits until everything was taken, and reports what was not.
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

// Add counts a record in.
func (u *Undelivered) Add(r Record) {
	if u.Lines == 0 && u.From.IsZero() {
		u.From = r.Time
	}
	u.To = r.Time
	if !r.More {
		u.Lines++
	}
}

// Report puts what several sinks did not take into one sentence, "" if they took everything.
func Report(us []Undelivered) string {
	var parts []string
	for _, u := range us {
		parts = append(parts, u.String())
	}
	return strings.Join(parts, "; ")
}

// All delivers everything to each of several sinks. The slowest sets the pace.
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
