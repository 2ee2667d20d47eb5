package forward

import (
	"context"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/inert"
	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
)

// JSON writes each record as one line of JSON to w, which all streams share. The API gives both streams of a container
// as one; "stream" says so in the API's word.
func JSON(w io.Writer) sink.Sink { return &jsonSink{w: w} }

type jsonSink struct {
	mu sync.Mutex
	w  io.Writer
}

// flushAt is how much a stream gathers before it writes. A write holds whole lines only.
const flushAt = 32 << 10

func (s *jsonSink) Open(o sink.Origin) sink.Stream {
	str := func(b []byte, v string) []byte { return inert.AppendJSON(b, []byte(v)) }
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
	sink        *jsonSink
	fields      []byte // of every record
	buf         []byte
	undelivered sink.Undelivered
	held        sink.Undelivered // what buf holds
}

func (s *jsonStream) Write(_ context.Context, r sink.Record) error {
	b := append(s.buf, `{"time":"`...)
	b = r.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","severity":"INFO","logger":"task","message":`...)
	b = inert.AppendJSON(b, r.Text)
	b = append(b, s.fields...)
	b = strconv.AppendInt(append(b, `,"seq":`...), r.Seq, 10)
	if r.More {
		b = append(b, `,"partial":true`...)
	}
	if r.MaybeDouble {
		b = append(b, `,"maybeDouble":true`...)
	}
	s.buf = append(b, '}', '\n')
	s.held.Add(r)
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
		if s.undelivered.From.IsZero() {
			s.undelivered.From = s.held.From
		}
		s.undelivered.Lines += s.held.Lines
		s.undelivered.To, s.undelivered.Err = s.held.To, err
	}
	s.buf, s.held = s.buf[:0], sink.Undelivered{}
}

func (s *jsonStream) Flush(context.Context) []sink.Undelivered {
	s.Push()
	if s.undelivered.Err == nil {
		return nil
	}
	u := s.undelivered
	u.Sink, s.undelivered = "standard output", sink.Undelivered{}
	return []sink.Undelivered{u}
}

func (s *jsonStream) Close() {}
