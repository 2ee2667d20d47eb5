// Package create measures the ways in which a Task, or what is nearest to one, comes to be, beside the bare creation of a Task.
package create

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

const (
	senders = 8
	rounds  = 4
	each    = 150 // a round and side
)

// BenchmarkCreate has rounds of each way and of bare Tasks take turns, so that what else the machine does falls on both:
//
//	bin/cluster up --dir .cluster-bench --stage control-plane
//	. .cluster-bench/env && go test -run - -bench . -benchtime 1x -v ./test/bench/create
func BenchmarkCreate(b *testing.B) {
	c := harness.New(b)
	ns := c.Namespace(b, "bench")
	c.App(b, ns, "app")
	ctx := context.Background()
	raw := func(name string) error {
		_, err := c.Kf.Tasks(ns).Create(ctx, harness.NewTask(ns, "app", "raw-"+name), metav1.CreateOptions{})
		return err
	}
	b.Run("bare PipelineRun", func(b *testing.B) {
		beside(b, raw, func(name string) error {
			run := &tekton.PipelineRun{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns}, Spec: tekton.PipelineRunSpec{
				PipelineSpec: &tekton.PipelineSpec{Tasks: []tekton.PipelineTask{{Name: "t", TaskSpec: &tekton.EmbeddedTask{TaskSpec: spec()}}}}}}
			_, err := c.Tekton.PipelineRuns(ns).Create(ctx, run, metav1.CreateOptions{})
			return err
		})
	})
	b.Run("bare TaskRun", func(b *testing.B) {
		beside(b, raw, func(name string) error {
			step := spec()
			run := &tekton.TaskRun{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns}, Spec: tekton.TaskRunSpec{TaskSpec: &step}}
			_, err := c.Tekton.TaskRuns(ns).Create(ctx, run, metav1.CreateOptions{})
			return err
		})
	})
	b.Run("command event", func(b *testing.B) {
		command := c.Shipped(b, "command", "LOG_LEVEL=warn")
		command.Token = c.Token(b, ns, "sender", "kf-tasks-command")
		c.Allow(b, ns, "sender", "tasks", "create")
		beside(b, raw, func(name string) error { return post(command, commandEvent(ns, name)) })
	})
}

func spec() tekton.TaskSpec {
	return tekton.TaskSpec{Steps: []tekton.Step{{Name: "s", Image: "registry.example/app:1", Command: []string{"true"}}}}
}

func commandEvent(ns, id string) cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetType(events.TaskRun)
	e.SetSource("/bench")
	e.SetID(id)
	_ = e.SetData(cloudevents.ApplicationJSON, events.RunTask{Namespace: ns, App: "app", Command: "true"}) // it is JSON
	return e
}

// poster keeps its connections, as Brokers do.
var poster = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

func post(to *harness.Function, e cloudevents.Event) error {
	r, err := cehttp.NewHTTPRequestFromEvent(context.Background(), to.URL, e)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+to.Token)
	answer, err := poster.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("answered with %s", answer.Status)
	}
	return nil
}

// beside reports the rate of one way, alone and as a part of that of bare Tasks.
func beside(b *testing.B, raw, way func(name string) error) {
	took := map[bool]time.Duration{}
	for round := range rounds + 1 { // the first warms up
		for _, bare := range []bool{round%2 == 0, round%2 != 0} {
			do := way
			if bare {
				do = raw
			}
			var group errgroup.Group
			group.SetLimit(senders)
			began := time.Now()
			for i := range each {
				group.Go(func() error { return do(fmt.Sprintf("t%d-%d-%d", began.UnixMicro(), round, i)) })
			}
			if err := group.Wait(); err != nil {
				b.Fatal(err)
			}
			if round > 0 {
				took[bare] += time.Since(began)
			}
		}
	}
	b.ReportMetric(took[true].Seconds()/took[false].Seconds(), "of-raw")
	b.ReportMetric(rounds*each/took[false].Seconds(), "created/s")
	b.ReportMetric(rounds*each/took[true].Seconds(), "raw-created/s")
}
