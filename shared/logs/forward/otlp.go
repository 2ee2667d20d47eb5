package forward

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
)

// OTLP sends records to an OpenTelemetry collector by OTLP over HTTP. Where it is, and how to reach it, is read from the
// environment variables that OpenTelemetry defines: OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _CERTIFICATE and so on.
//
// The SDK's batch processor drops records when its queue is full. Here a batch waits instead, and the reader with it.
func OTLP(ctx context.Context, p sink.Patience) (sink.Sink, error) {
	e, err := otlploghttp.New(ctx, otlploghttp.WithRetry(otlploghttp.RetryConfig{Enabled: false})) // batches are tried again here
	if err != nil {
		return nil, fmt.Errorf("OTLP: %w", err)
	}
	return otlp{e, p}, nil
}

type otlp struct {
	exporter sdklog.Exporter
	patience sink.Patience
}

func (o otlp) Open(origin sink.Origin) sink.Stream {
	// Names of OpenTelemetry's semantic conventions where there are any.
	res := resource.NewSchemaless(
		attribute.String("service.name", origin.App),
		attribute.String("k8s.namespace.name", origin.Space),
		attribute.String("k8s.pod.name", origin.Pod),
		attribute.String("k8s.pod.uid", origin.PodUID),
		attribute.String("k8s.container.name", origin.Container),
		attribute.String("kf.space", origin.Space),
		attribute.String("kf.app", origin.App),
		attribute.String("kf.task", origin.Task),
		attribute.Int("kf.task.id", origin.ID),
	)
	g := &gather{}
	logger := sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(g)).Logger("github.com/kf-tasks/kf-tasks/terminate")
	return sink.Batches("the OpenTelemetry collector", o.patience, func(ctx context.Context, batch []sink.Record) (int, error) {
		g.records = g.records[:0]
		for _, r := range batch {
			var out log.Record
			out.SetTimestamp(r.Time)
			out.SetObservedTimestamp(time.Now())
			out.SetSeverity(log.SeverityInfo)
			out.SetBody(log.StringValue(string(r.Text)))
			out.AddAttributes(log.String("log.iostream", "all"), log.Int64("kf.log.seq", r.Seq))
			if r.More {
				out.AddAttributes(log.Bool("kf.log.partial", true))
			}
			if r.MaybeDouble {
				out.AddAttributes(log.Bool("kf.log.maybe_double", true))
			}
			logger.Emit(ctx, out)
		}
		if err := o.exporter.Export(ctx, g.records); err != nil {
			return 0, err
		}
		return len(batch), nil
	})
}

// gather keeps the records that the SDK makes of ours until they are exported together. One goroutine uses it.
type gather struct{ records []sdklog.Record }

func (g *gather) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (g *gather) OnEmit(_ context.Context, r *sdklog.Record) error {
	g.records = append(g.records, r.Clone())
	return nil
}
func (g *gather) Shutdown(context.Context) error   { return nil }
func (g *gather) ForceFlush(context.Context) error { return nil }
