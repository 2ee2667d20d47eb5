package forward

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/fluent/fluent-logger-golang/fluent"

	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
)

// Fluentd sends records to a Fluentd or Fluent Bit by the forward protocol, each acknowledged before the next is sent:
// a connection that takes bytes and dies loses nothing. The tag is that of all records.
func Fluentd(address, tag string, p sink.Patience) (sink.Sink, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("Fluentd's address %q is not HOST:PORT: %w", address, err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("Fluentd's port %q is not a number", port)
	}
	return &fluentd{tag: tag, patience: p, config: fluent.Config{
		FluentHost: strings.TrimSuffix(address, ":"+port), FluentPort: n, // joined again as they are: an IPv6 address keeps its brackets
		RequestAck: true, SubSecondPrecision: true,
		MaxRetry: 1, RetryWait: 1, // records are tried again here
		Timeout: p.Attempt, WriteTimeout: p.Attempt, ReadTimeout: p.Attempt,
	}}, nil
}

type fluentd struct {
	tag      string
	patience sink.Patience
	config   fluent.Config
}

func (f *fluentd) Open(o sink.Origin) sink.Stream {
	var conn *fluent.Fluent // each stream has its own: one that waits for an acknowledgement holds up no other
	fields := map[string]any{
		"space": o.Space, "app": o.App, "task": o.Task, "id": o.ID, "pod": o.Pod, "container": o.Container, "stream": "All",
	}
	s := sink.Batches("Fluentd", f.patience, func(ctx context.Context, batch []sink.Record) (int, error) {
		if conn == nil {
			c, err := fluent.New(f.config)
			if err != nil {
				return 0, err
			}
			conn = c
		}
		for i, r := range batch {
			if err := ctx.Err(); err != nil {
				return i, err
			}
			m := map[string]any{"message": string(r.Text), "seq": r.Seq}
			for k, v := range fields {
				m[k] = v
			}
			if r.More {
				m["partial"] = true
			}
			if r.MaybeDouble {
				m["maybeDouble"] = true
			}
			if err := conn.PostWithTime(f.tag, r.Time, m); err != nil {
				conn.Close()
				conn = nil
				return i, err
			}
		}
		return len(batch), nil
	})
	return &closing{Stream: s, close: sync.OnceFunc(func() {
		if conn != nil {
			conn.Close()
		}
	})}
}

// closing closes a connection after its stream.
type closing struct {
	sink.Stream
	close func()
}

func (c *closing) Close() {
	c.Stream.Close()
	c.close()
}
