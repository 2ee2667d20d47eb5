package telemetry

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/types"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// traceParent is W3C's header, and the attribute of CloudEvents' extension "distributed tracing".
const traceParent = "traceparent"

// TektonSpanContext is Tekton's annotation of a PipelineRun: the trace that its own spans belong to, as a JSON object of W3C's headers
// (tektoncd/pipeline, pkg/reconciler/pipelinerun/tracing.go).
const TektonSpanContext = "tekton.dev/pipelinerunSpanContext"

// Process begins the span of one event in the trace that it belongs to. What others post and belongs to none begins one: what comes
// of it then says so (the event is changed). end tells what became of it.
func Process(ctx context.Context, e *cloudevents.Event, now time.Time) (
	_ context.Context, end func(became string, err error, now time.Time),
) {
	ctx, span := otel.Tracer(scope).Start(parent(ctx, e), "process "+e.Type(), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithTimestamp(now), trace.WithAttributes(eventType.String(e.Type())))
	if of := header(ctx); of != "" && e.Extensions()[traceParent] == nil && !strings.HasPrefix(e.Type(), "dev.knative.") {
		e.SetExtension(traceParent, of)
	}
	return ctx, func(became string, err error, until time.Time) {
		events.Record(ctx, max(0, until.Sub(now).Seconds()), metric.WithAttributes(eventType.String(e.Type()), outcome.String(became)))
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		span.SetAttributes(outcome.String(became))
		span.End(trace.WithTimestamp(until))
	}
}

// header is the trace of a context as W3C's traceparent, "" if it is in none that is kept.
func header(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceParent]
}

// Mark puts a Task into the trace of the context, unless it is in one: the steps that follow are found there.
func Mark(ctx context.Context, t *v1alpha1.Task) {
	if of := header(ctx); of != "" && t.Annotations[v1alpha1.TraceParentAnnotation] == "" {
		if t.Annotations == nil {
			t.Annotations = map[string]string{}
		}
		t.Annotations[v1alpha1.TraceParentAnnotation] = of
	}
}

// Ran adds the span of a Task that has ended, from its start to its end, to the trace that it belongs to.
func Ran(ctx context.Context, t *v1alpha1.Task) {
	of := t.Annotations[v1alpha1.TraceParentAnnotation]
	if of == "" || t.Status.StartTime == nil || t.Status.CompletionTime == nil {
		return
	}
	_, span := otel.Tracer(scope).Start(within(ctx, of), "task "+t.Namespace+"/"+t.Name, trace.WithTimestamp(t.Status.StartTime.Time),
		trace.WithAttributes(outcome.String(v1alpha1.Reason(t.Status.Conditions, v1alpha1.ConditionSucceeded))))
	span.End(trace.WithTimestamp(t.Status.CompletionTime.Time))
}

// parent is a context in the trace that an event belongs to: by its own extension, or by the annotation of the Task or PipelineRun
// that it is about, which is a hint like all of it: a forged one draws a wrong picture, and does nothing.
func parent(ctx context.Context, e *cloudevents.Event) context.Context {
	if of, err := types.Format(e.Extensions()[traceParent]); err == nil && of != "" {
		return within(ctx, of)
	}
	if !traced.Load() { // nobody would see it
		return ctx
	}
	var object struct {
		Metadata struct{ Annotations map[string]string }
	}
	if json.Unmarshal(e.Data(), &object) != nil {
		return ctx
	}
	if of := object.Metadata.Annotations[v1alpha1.TraceParentAnnotation]; of != "" {
		return within(ctx, of)
	}
	carrier := propagation.MapCarrier{}
	if json.Unmarshal([]byte(object.Metadata.Annotations[TektonSpanContext]), &carrier) == nil {
		return within(ctx, carrier[traceParent])
	}
	return ctx
}

// within is a context in the trace of a traceparent.
func within(ctx context.Context, of string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceParent: of})
}
