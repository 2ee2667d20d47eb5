package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

const scope = "github.com/kf-tasks/kf-tasks"

// Attributes, by OpenTelemetry's names where it has one.
const (
	eventType  = attribute.Key("cloudevents.event_type")
	statusCode = attribute.Key("http.response.status_code")
	outcome    = attribute.Key("kf.outcome")
	provider   = attribute.Key("kf.webhook.provider")
)

// Counters and histograms, each with what it is for people. docs/operate.md has them with what they are called in Prometheus.
var (
	events = histogram("kf.event.duration",
		"How long an event took, by its type and what became of it: done, refused, or to be tried again",
		.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60)
	starts = histogram("kf.task.start.latency",
		"From when a Task was created until its PipelineRun was, of Tasks that had nothing to wait for",
		.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120)
	lateness = histogram("kf.tick.lateness", "From the instant that a Job was due until its Task was created",
		.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 3600)
	ends        = counter("kf.task.ended", "{task}", "Tasks that have ended, by the reason of their condition Succeeded")
	instants    = counter("kf.job.instants", "{instant}", "Instants of Jobs that were decided, by outcome")
	overdue     = gauge("kf.job.overdue", "{job}", "Jobs that have not succeeded within their expectSuccessWithin, as of the last tick")
	pruned      = counter("kf.task.pruned", "{task}", "Tasks that were deleted because of their App's or Job's retention")
	excess      = counter("kf.retention.excess", "{task}", "Tasks beyond their App's limit that no sweep may delete yet, at each")
	deadLetters = counter("kf.dead_letters", "{event}", "Events that nobody could handle, by type")
	logLines    = counter("kf.log.lines", "{line}", "Lines of Tasks' logs that were forwarded or served")
	logGaps     = counter("kf.log.gaps", "{task}", "Tasks of whose log something was lost")
	builds      = counter("kf.build.ended", "{build}", "Builds that have ended, by outcome")
	webhooks    = counter("kf.webhook.deliveries", "{delivery}", "Deliveries to Webhooks, by provider and answer")
)

func counter(name, unit, what string) metric.Int64Counter {
	c, err := otel.Meter(scope).Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
	return must(c, err)
}

func gauge(name, unit, what string) metric.Int64Gauge {
	g, err := otel.Meter(scope).Int64Gauge(name, metric.WithUnit(unit), metric.WithDescription(what))
	return must(g, err)
}

// histogram is of seconds.
func histogram(name, what string, bounds ...float64) metric.Float64Histogram {
	h, err := otel.Meter(scope).Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what),
		metric.WithExplicitBucketBoundaries(bounds...))
	return must(h, err)
}

// must: an instrument can't be made only if its name or bounds are wrong, which each test that imports this would find.
func must[T any](instrument T, err error) T {
	if err != nil {
		panic(err)
	}
	return instrument
}

// TaskStarted tells that a Task got its PipelineRun so long after it was created.
func TaskStarted(ctx context.Context, after time.Duration) {
	starts.Record(ctx, max(0, after.Seconds()))
}

// TaskEnded tells that a Task ended, and why.
func TaskEnded(ctx context.Context, reason string) {
	ends.Add(ctx, 1, metric.WithAttributes(outcome.String(reason)))
}

// InstantRun tells that the Task of an instant was created so long after it.
func InstantRun(ctx context.Context, late time.Duration) {
	lateness.Record(ctx, max(0, late.Seconds()))
}

// InstantDecided tells what became of so many instants of a Job.
func InstantDecided(ctx context.Context, became string, count int64) {
	instants.Add(ctx, max(1, count), metric.WithAttributes(outcome.String(became)))
}

// JobsOverdue tells how many Jobs are overdue.
func JobsOverdue(ctx context.Context, count int) { overdue.Record(ctx, int64(count)) }

// Pruned tells that so many Tasks were deleted.
func Pruned(ctx context.Context, count int) { pruned.Add(ctx, int64(count)) }

// Excess tells that an App has so many Tasks beyond its limit that can't be deleted yet.
func Excess(ctx context.Context, over int) { excess.Add(ctx, int64(over)) }

// DeadLetter tells that an event of a type was lost.
func DeadLetter(ctx context.Context, of string) {
	deadLetters.Add(ctx, 1, metric.WithAttributes(eventType.String(of)))
}

// Log tells that so many lines of a Task's log were forwarded or served, and whether something of it was lost.
func Log(ctx context.Context, lines int64, gap bool) {
	logLines.Add(ctx, lines)
	if gap {
		logGaps.Add(ctx, 1)
	}
}

// BuildEnded tells what became of a build.
func BuildEnded(ctx context.Context, became string) {
	builds.Add(ctx, 1, metric.WithAttributes(outcome.String(became)))
}

// WebhookAnswered tells how a delivery was answered.
func WebhookAnswered(ctx context.Context, from v1alpha1.Provider, status int) {
	webhooks.Add(ctx, 1, metric.WithAttributes(provider.String(string(from)), statusCode.Int(status)))
}
