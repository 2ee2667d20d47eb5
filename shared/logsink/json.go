package logsink

import (
	"context"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/podlogs"
)

// JSON writes each record as one line of JSON to w, which all streams share. The API hands both streams of a container
// on as one; "stream" says so in the API's word.
func JSON(w io.Writer) Sink { return &jsonSink{w: w} }

type jsonSink struct {
	mu sync.Mutex
	w  io.Writer
}

// flushAt is how much a stream gathers before it writes. A write holds whole lines only.
const flushAt = 32 << 10

func (s *jsonSink) Open(o Origin) Stream {
	str := func(b []byte, v string) []byte { return podlogs.AppendJSON(b, []byte(v)) }
	b := str([]byte(`,"space":`), o.Space)
	b = str(append(b, `,"app":`...), o.App)
	b = str(append(b, `,"task":`...), o.Task)
	b = strconv.AppendInt(append(b, `,"id":`...), int64(o.ID), 10)
	b = str(append(b, `,"pod":`...), o.Pod)
	b = str(append(b, `,"container":`...), o.Container)
	b = append(b, `,"stream":"All"`...)
	return &jsonStream{sink: s, fields: b}
}

type jsonStream struct {
	sink   *jsonSink
	fields []byte // of every record
	buf    []byte
	lost   Undelivered
	held   Undelivered // what buf holds
}

func (s *jsonStream) Write(_ context.Context, r Record) error {
	b := append(s.buf, `{"time":"`...)
	b = r.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","severity":"INFO","logger":"task","message":`...)
	b = podlogs.AppendJSON(b, r.Text)
	b = append(b, s.fields...)
	b = strconv.AppendInt(append(b, `,"seq":`...), r.Seq, 10)
	if r.More {
		b = append(b, `,"partial":true`...)
	}
	if r.MaybeDouble {
		b = append(b, `,"maybeDouble":true`...)
	}
	s.buf = append(b, '}', '\n')
	s.held.add(r)
	if len(s.buf) >= flushAt {
		s.Push()
	}
	return nil
}

func (s *jsonStream) Push() {
	if len(s.buf) == 0 {
		return
	}
	s.sink.mu.Lock()
	_, err := s.sink.w.Write(s.buf)
	s.sink.mu.Unlock()
	if err != nil {
		if s.lost.From.IsZero() {
			s.lost.From = s.held.From
		}
		s.lost.Lines += s.held.Lines
		s.lost.To, s.lost.Err = s.held.To, err
	}
	s.buf, s.held = s.buf[:0], Undelivered{}
}

func (s *jsonStream) Flush(context.Context) []Undelivered {
	s.Push()
	if s.lost.Err == nil {
		return nil
	}
	u := s.lost
	u.Sink, s.lost = "standard output", Undelivered{}
	return []Undelivered{u}
}

func (s *jsonStream) Close() {}
