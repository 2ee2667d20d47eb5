// Package forward sends the lines of Tasks to the cluster's logging stream: as JSON on standard output, where the node's
// agent (Fluentd, Fluent Bit, Stackdriver's) picks them up, and, where configured, to an OpenTelemetry collector or a
// Fluentd.
package forward

import (
	"context"
	"io"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
)

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
func New(ctx context.Context, s Settings) (sink.Sink, error) {
	sinks := []sink.Sink{JSON(s.Stdout)}
	p := sink.DefaultPatience
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
	return sink.All(sinks...), nil
}
