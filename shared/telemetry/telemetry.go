// Package telemetry is what a function tells of itself by OpenTelemetry: metrics of what became of its work, and spans that put the
// steps of one Task into one trace. Both are off unless an operator says where they go, by the settings that Knative's own parts have
// (knative.dev/pkg/observability); then what is here costs next to nothing.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"knative.dev/pkg/observability/metrics"
	"knative.dev/pkg/observability/tracing"
)

// Settings are those of every function: which way its metrics and traces go, and where.
type Settings struct {
	// MetricsProtocol is none, prometheus (scraped), http/protobuf or grpc (sent by OTLP).
	MetricsProtocol string `envconfig:"METRICS_PROTOCOL" default:"none"`
	// MetricsEndpoint is where they are sent; of prometheus the address that serves /metrics, such as :9464.
	MetricsEndpoint string `envconfig:"METRICS_ENDPOINT"`
	// TracingProtocol is none, http/protobuf or grpc (sent by OTLP), or stdout.
	TracingProtocol string `envconfig:"TRACING_PROTOCOL" default:"none"`
	// TracingEndpoint is where they are sent, such as http://collector.monitoring:4318/v1/traces.
	TracingEndpoint string `envconfig:"TRACING_ENDPOINT"`
	// TracingRate is the part of the traces that begin here which is kept, from 0 to 1; of one that begins elsewhere it is decided there.
	TracingRate float64 `envconfig:"TRACING_SAMPLING_RATE" default:"0.1"`
}

// traced says whether this process keeps traces, as OpenTelemetry's own providers are the process's.
var traced atomic.Bool

// Start begins to tell of a function, and returns how to stop, which sends what has not been sent.
func Start(ctx context.Context, function string, s Settings) (stop func(context.Context) error, err error) {
	is := resource.NewSchemaless(semconv.ServiceName(function), semconv.ServiceNamespace("kf-tasks"))
	measured := metrics.Config{Protocol: s.MetricsProtocol, Endpoint: s.MetricsEndpoint}
	if err := measured.Validate(); err != nil {
		return nil, fmt.Errorf("METRICS_PROTOCOL and METRICS_ENDPOINT: %w", err)
	}
	sent := tracing.Config{Protocol: s.TracingProtocol, Endpoint: s.TracingEndpoint, SamplingRate: s.TracingRate}
	if err := sent.Validate(); err != nil {
		return nil, fmt.Errorf("TRACING_PROTOCOL, TRACING_ENDPOINT and TRACING_SAMPLING_RATE: %w", err)
	}
	meters, err := metrics.NewMeterProvider(ctx, measured, sdkmetric.WithResource(is))
	if err != nil {
		return nil, err
	}
	tracers, err := tracing.NewTracerProvider(ctx, sent, trace.WithResource(is))
	if err != nil {
		return nil, err
	}
	traced.Store(s.TracingProtocol != tracing.ProtocolNone)
	otel.SetMeterProvider(meters)
	otel.SetTracerProvider(tracers)
	otel.SetTextMapPropagator(tracing.DefaultTextMapPropagator())
	return func(ctx context.Context) error { return errors.Join(meters.Shutdown(ctx), tracers.Shutdown(ctx)) }, nil
}
