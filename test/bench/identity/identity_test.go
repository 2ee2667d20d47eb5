// Package identity measures what it costs to ask who sent an event.
package identity

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

const (
	rounds  = 5
	each    = 200 // events a round and side
	senders = 8
)

// BenchmarkTokenChecks sends the same events to the same function twice at a time, with a token that it asks the API server about
// and without, in rounds that take turns, and compares their rates:
//
//	bin/cluster up --dir /tmp/bench --stage control-plane
//	. /tmp/bench/env && go test -bench=. -v ./test/bench/identity
func BenchmarkTokenChecks(b *testing.B) {
	c := harness.New(b)
	ns := c.Namespace(b, "bench")
	app := c.App(b, ns, "app")

	b.Run("a Task's event to its PipelineRun", func(b *testing.B) {
		checked := c.Shipped(b, "runtask", "LOG_LEVEL=warn", "HINTS_FROM=system:serviceaccount:"+ns+":trigger")
		checked.Token = c.Token(b, ns, "trigger", "kf-tasks-runtask")
		unchecked := c.Shipped(b, "runtask", "LOG_LEVEL=warn")
		compare(b, func(token bool, round int) []cloudevents.Event {
			es := make([]cloudevents.Event, each)
			for i := range es {
				task := harness.NewTask(ns, app.Name, fmt.Sprintf("t%d-%t-%d", round, token, i))
				created, err := c.Kf.Tasks(ns).Create(context.Background(), task, metav1.CreateOptions{})
				if err != nil {
					b.Fatal(err)
				}
				es[i] = harness.Added("Task", created)
			}
			return es
		}, map[bool]*harness.Function{true: checked, false: unchecked})
	})
	b.Run("a command to its Task", func(b *testing.B) {
		open := c.Namespace(b, "open")
		c.App(b, open, "app")
		c.TakeCommandsFromAnyone(b, open)
		checked, unchecked := c.Shipped(b, "command", "LOG_LEVEL=warn"), c.Shipped(b, "command", "LOG_LEVEL=warn")
		checked.Token = c.Token(b, ns, "sender", "kf-tasks-command")
		c.Allow(b, ns, "sender", "tasks", "create")
		space := map[bool]string{true: ns, false: open}
		compare(b, func(token bool, round int) []cloudevents.Event {
			es := make([]cloudevents.Event, each)
			for i := range es {
				es[i] = command(b, space[token], fmt.Sprintf("c%d-%d", round, i))
			}
			return es
		}, map[bool]*harness.Function{true: checked, false: unchecked})
	})
}

func command(b *testing.B, namespace, id string) cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetType(events.TaskRun)
	e.SetSource("/bench")
	e.SetID(id)
	if err := e.SetData(cloudevents.ApplicationJSON, events.RunTask{Namespace: namespace, App: "app", Command: "true"}); err != nil {
		b.Fatal(err)
	}
	return e
}

// compare reports the rate with a token as a part of the rate without, of the median round.
func compare(b *testing.B, make func(token bool, round int) []cloudevents.Event, to map[bool]*harness.Function) {
	var ratios []float64
	for round := range rounds + 1 { // the first warms up
		rate := map[bool]float64{}
		for _, token := range []bool{round%2 == 0, round%2 != 0} {
			es := make(token, round)
			began := time.Now()
			var group errgroup.Group
			group.SetLimit(senders)
			for _, e := range es {
				group.Go(func() error {
					if status, _ := to[token].Send(e); status/100 != 2 {
						return fmt.Errorf("%s was answered with %d", e.ID(), status)
					}
					return nil
				})
			}
			if err := group.Wait(); err != nil {
				b.Fatal(err)
			}
			rate[token] = each / time.Since(began).Seconds()
		}
		b.Logf("round %d: %.0f/s with a token, %.0f/s without", round, rate[true], rate[false])
		if round > 0 {
			ratios = append(ratios, rate[true]/rate[false])
		}
	}
	slices.Sort(ratios)
	b.Logf("%d senders, %d rounds of %d: with a token %.2f of the rate without (%.2f to %.2f)", senders, rounds, each, ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
}
