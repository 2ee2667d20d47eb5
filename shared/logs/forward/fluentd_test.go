package forward

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fluent/fluent-logger-golang/fluent"
	"github.com/tinylib/msgp/msgp"

	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
)

// patient has limits that no machine is too slow for; hasty, for what is to fail.
var (
	patient = sink.Patience{Total: time.Minute, Attempt: 20 * time.Second, First: 10 * time.Millisecond, Most: 50 * time.Millisecond}
	hasty   = sink.Patience{Total: 50 * time.Millisecond, Attempt: 50 * time.Millisecond, First: time.Millisecond, Most: 10 * time.Millisecond}
)

// server takes the forward protocol (github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1), as Fluentd does:
// messages [tag, time, record, {chunk}], each answered by {ack: chunk}.
type server struct {
	address string
	answer  func(seq int64) verdict

	mu    sync.Mutex
	got   []fluent.MessageExt
	conns []net.Conn
	stop  func()
	died  chan struct{} // has one when an answer has killed it
}

// verdict is what becomes of a message that has arrived.
type verdict int

const (
	acknowledged verdict = iota
	ignored
	denied // acknowledged as another
	killed // the server with it
)

func newServer(t *testing.T, answer func(seq int64) verdict) *server {
	s := &server{address: "127.0.0.1:0", answer: answer, died: make(chan struct{}, 1)}
	s.start(t)
	return s
}

// start listens, again after a kill, at the same address.
func (s *server) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address = l.Addr().String()
	s.stop = func() {
		l.Close()
		for _, c := range s.conns {
			c.(*net.TCPConn).SetLinger(0) // a reset, as of a machine that is gone
			c.Close()
		}
		s.conns = nil
	}
	t.Cleanup(s.kill)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			go s.serve(c)
		}
	}()
}

func (s *server) kill() { s.mu.Lock(); defer s.mu.Unlock(); s.stop() }

func (s *server) serve(c net.Conn) {
	for r := msgp.NewReader(c); ; {
		var m fluent.MessageExt
		if m.DecodeMsg(r) != nil {
			return
		}
		s.mu.Lock()
		s.got = append(s.got, m)
		s.mu.Unlock()
		ack := m.Option["chunk"]
		switch s.answer(seq(m)) {
		case ignored:
			continue
		case denied:
			ack = "another"
		case killed:
			s.kill()
			select {
			case s.died <- struct{}{}:
			default:
			}
			return
		}
		b, _ := fluent.AckResp{Ack: ack}.MarshalMsg(nil)
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// messages are those that arrived.
func (s *server) messages() []fluent.MessageExt { s.mu.Lock(); defer s.mu.Unlock(); return s.got }

func seq(m fluent.MessageExt) int64 {
	n, _ := m.Record.(map[string]any)["seq"].(int64)
	return n
}

func (s *server) stream(t *testing.T, p sink.Patience) sink.Stream {
	t.Helper()
	f, err := Fluentd(s.address, "kf.task", p)
	if err != nil {
		t.Fatal(err)
	}
	stream := f.Open(origin)
	t.Cleanup(stream.Close)
	return stream
}

func always(v verdict) func(int64) verdict { return func(int64) verdict { return v } }

func TestFluentdHasEachLineWithItsTimeAndWhereItIsFrom(t *testing.T) {
	s := newServer(t, always(acknowledged))
	stream := s.stream(t, patient)
	write(t, stream, 1, 3)
	if err := stream.Write(t.Context(), sink.Record{Time: base, Text: []byte("part"), Seq: 3, More: true, MaybeDouble: true}); err != nil {
		t.Fatal(err)
	}
	if us := stream.Flush(t.Context()); us != nil {
		t.Fatal(us)
	}
	got := s.messages()
	if len(got) != 3 {
		t.Fatalf("%d messages: %v", len(got), got)
	}
	const from = "app:a container:c id:7"
	for i, want := range []string{
		"map[" + from + " message:line 1 pod:p seq:1 space:s stream:All task:t]",
		"map[" + from + " message:line 2 pod:p seq:2 space:s stream:All task:t]",
		"map[" + from + " maybeDouble:true message:part partial:true pod:p seq:3 space:s stream:All task:t]",
	} {
		at := base
		if i < 2 {
			at = base.Add(time.Duration(i + 1)) // to the nanosecond
		}
		m := got[i]
		if fmt.Sprint(m.Record) != want || m.Tag != "kf.task" || !time.Time(m.Time).Equal(at) {
			t.Errorf("%s at %s: %v\nwant %s at %s", m.Tag, time.Time(m.Time), m.Record, want, at)
		}
	}
}

// TestFluentdKilledInTheMiddleHasEveryLine: what it had taken and not acknowledged comes again, and nothing else.
func TestFluentdKilledInTheMiddleHasEveryLine(t *testing.T) {
	const lines, dies = 40, 20
	var once sync.Once
	s := newServer(t, func(seq int64) verdict {
		v := acknowledged
		if seq == dies {
			once.Do(func() { v = killed })
		}
		return v
	})
	stream := s.stream(t, patient)
	write(t, stream, 1, lines+1)
	stream.Push()
	<-s.died
	s.start(t)
	if us := stream.Flush(t.Context()); us != nil {
		t.Fatal(us)
	}
	var want, got []int64
	for i := range int64(lines) {
		if want = append(want, i+1); i+1 == dies {
			want = append(want, dies)
		}
	}
	for _, m := range s.messages() {
		got = append(got, seq(m))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestWhatFluentdDoesNotAcknowledgeIsReported: taken is not enough.
func TestWhatFluentdDoesNotAcknowledgeIsReported(t *testing.T) {
	for name, v := range map[string]verdict{"no answer": ignored, "another's acknowledgement": denied, "killed each time": killed} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, func(seq int64) verdict {
				if seq == 1 {
					return acknowledged
				}
				return v
			})
			stream := s.stream(t, sink.Patience{Total: time.Millisecond, Attempt: 2 * time.Second, First: time.Millisecond, Most: time.Millisecond})
			write(t, stream, 1, 4)
			us := stream.Flush(t.Context())
			if len(us) != 1 || us[0].Sink != "Fluentd" || us[0].Lines != 2 || !us[0].From.Equal(base.Add(2)) || us[0].Err == nil {
				t.Errorf("reported %v", us)
			}
		})
	}
}

func TestFluentdThatRefusesIsReported(t *testing.T) {
	s := newServer(t, always(acknowledged))
	s.kill()
	stream := s.stream(t, hasty)
	write(t, stream, 1, 4)
	if us := stream.Flush(t.Context()); len(us) != 1 || us[0].Lines != 3 || !strings.Contains(fmt.Sprint(us[0].Err), "refused") {
		t.Errorf("reported %v", us)
	}
}

func TestFluentdsAddress(t *testing.T) {
	for address, want := range map[string]string{
		"fluentd.logging:24224": "fluentd.logging", "[::1]:24224": "[::1]", // the client joins host and port by a colon
		"fluentd": "not HOST:PORT", "fluentd:http": "not a number",
	} {
		f, err := Fluentd(address, "t", hasty)
		if err != nil && !strings.Contains(err.Error(), want) || err == nil && f.(*fluentd).config.FluentHost != want {
			t.Errorf("%s: %v %v, want %s", address, f, err, want)
		}
	}
}
