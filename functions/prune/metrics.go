package main

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/kf-tasks/kf-tasks/shared/retention"
)

// metrics are what prune counts.
type metrics struct {
	prunedTasks metric.Int64Counter
	excessTasks metric.Int64Gauge
}

func newMetrics(provider metric.MeterProvider) (*metrics, error) {
	meter := provider.Meter("github.com/kf-tasks/kf-tasks/functions/prune")
	pruned, err := meter.Int64Counter("kf.tasks.pruned", metric.WithDescription("Tasks deleted by the retention policy"))
	if err != nil {
		return nil, err
	}
	excess, err := meter.Int64Gauge("kf.tasks.excess", metric.WithDescription("Tasks that the sweep under way has yet to delete"))
	if err != nil {
		return nil, err
	}
	return &metrics{pruned, excess}, nil
}

func (m *metrics) pruned(ctx context.Context, by retention.Rule) {
	m.prunedTasks.Add(ctx, 1, metric.WithAttributes(attribute.String("rule", string(by))))
}

func (m *metrics) excess(ctx context.Context, n int) { m.excessTasks.Record(ctx, int64(n)) }
