package cluster

import (
	"crypto/md5" //nolint:gosec // JobSink names Jobs by it
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"golang.org/x/sync/errgroup"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

const (
	rounds  = 4  // the first warms up
	each    = 20 // events a round and side
	senders = 8
	source  = "/bench"
)

// BenchmarkJobSink posts the same number of events to a Broker of the Space, whose Trigger hands commands to the function command, and to a
// JobSink, by turns. Both end in a Pod that does nothing; a round begins when all Pods of the one before have ended.
func BenchmarkJobSink(b *testing.B) {
	w := newWorld(b)
	broker, sink := w.broker(), w.jobSink()
	tasks := w.arriving(harness.Watch(w, w.Kf.Tasks(w.space)), anything)
	runs := w.arriving(harness.Watch(w, w.Tekton.PipelineRuns(w.space)), anything)
	jobs := w.arriving(harness.Watch(w, w.Kube.BatchV1().Jobs(w.space)), anything)
	var toTask, toRun, toJob rate
	for round := range rounds {
		turns := []func(){
			func() {
				began := w.post(broker, round)
				if names := named(began, taskName); round > 0 {
					toTask.add(began, tasks.wait(b, names))
					toRun.add(began, runs.wait(b, names))
				}
				w.ended(3 * time.Minute)
			},
			func() {
				began := w.post(sink, round)
				if names := named(began, jobName); round > 0 {
					toJob.add(began, jobs.wait(b, names))
				}
				w.jobsEnded()
			},
		}
		if round%2 != 0 {
			slices.Reverse(turns)
		}
		for _, turn := range turns {
			turn()
		}
	}
	report(b, "JobSink: event to its Job", toJob.measured(toJob))
	report(b, "command event to its Task", toTask.measured(toJob))
	report(b, "command event to its PipelineRun", toRun.measured(toJob))
}

// posted is one event, and when it was sent.
type posted struct {
	id string
	at time.Time
}

// rate is how fast things came of events.
type rate struct {
	n     int
	took  time.Duration // of the rounds, from the first event to the last thing
	after []time.Duration
}

func (r *rate) add(events []posted, there []time.Time) {
	began := slices.MinFunc(events, func(a, b posted) int { return a.at.Compare(b.at) }).at
	r.n, r.took = r.n+len(events), r.took+slices.MaxFunc(there, time.Time.Compare).Sub(began)
	for i, e := range events {
		r.after = append(r.after, there[i].Sub(e.at))
	}
}

func (r *rate) measured(beside rate) measured {
	perSecond := func(r rate) float64 { return float64(r.n) / r.took.Seconds() }
	return measured{
		"of-jobsink": perSecond(*r) / perSecond(beside), "created/s": perSecond(*r),
		"p50-ms": ms(quantile(r.after, 50)), "p99-ms": ms(quantile(r.after, 99)),
	}
}

func named(all []posted, name func(id string) string) (names []string) {
	for _, e := range all {
		names = append(names, name(e.id))
	}
	return names
}

func taskName(id string) string { return events.TaskName(app, source, id) }

// jobName is as knative.dev/eventing v0.50 has it, cmd/jobsink.
func jobName(id string) string {
	sum := md5.Sum([]byte(source + id)) //nolint:gosec // as above
	return "sink-" + hex.EncodeToString(sum[:])
}

// target is where events are posted.
type target struct{ url, host, token string }

// post posts a round of events, from several senders.
func (w *world) post(to target, round int) []posted {
	w.Helper()
	all := make([]posted, each)
	var group errgroup.Group
	group.SetLimit(senders)
	for i := range all {
		group.Go(func() error {
			e := cloudevents.NewEvent()
			e.SetType(events.TaskRun)
			e.SetSource(source)
			e.SetID(fmt.Sprintf("%d-%d", round, i))
			if err := e.SetData(cloudevents.ApplicationJSON, events.RunTask{Namespace: w.space, App: app, Command: "true"}); err != nil {
				return err
			}
			all[i] = posted{e.ID(), time.Now()}
			r, err := cehttp.NewHTTPRequestFromEvent(w.Context(), to.url, e)
			if err != nil {
				return err
			}
			r.Host = to.host
			if to.token != "" {
				r.Header.Set("Authorization", "Bearer "+to.token)
			}
			answer, err := w.client.Do(r)
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusAccepted {
				return fmt.Errorf("%s answered with %s", to.host, answer.Status)
			}
			return nil
		})
	}
	w.must(group.Wait())
	return all
}

// token is one of an account of the Space for what is posted to; "" where nobody asks for one.
func (w *world) token(to *unstructured.Unstructured) string {
	w.Helper()
	audience, _, _ := unstructured.NestedString(to.Object, "status", "address", "audience")
	if audience == "" {
		return ""
	}
	return w.Token(w, w.space, "sender", audience)
}

// broker makes a Broker of the Space whose Trigger may command it, as docs/events.md shows.
func (w *world) broker() target {
	w.Helper()
	if w.oidc() {
		_, err := w.Kube.RbacV1().RoleBindings(w.space).Create(w.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "commands"},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kf-tasks-commander"},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "commands-oidc-eventing.knative.dev-trigger", Namespace: w.space}},
		}, metav1.CreateOptions{})
		w.must(err)
	} else {
		w.TakeCommandsFromAnyone(w, w.space)
	}
	v1 := schema.GroupVersion{Group: "eventing.knative.dev", Version: "v1"}
	made := w.put(v1.WithResource("brokers"), "Broker", "own", map[string]any{})
	w.put(v1.WithResource("triggers"), "Trigger", "commands", map[string]any{
		"broker":     "own",
		"subscriber": map[string]any{"uri": "http://command." + harness.SystemNamespace + ".svc.cluster.local", "audience": events.CommandAudience},
	})
	return target{w.address("knative-eventing", "broker-ingress") + "/" + w.space + "/own", "broker-ingress.knative-eventing.svc.cluster.local", w.token(made)}
}

func (w *world) jobSink() target {
	w.Helper()
	made := w.put(schema.GroupVersionResource{Group: "sinks.knative.dev", Version: "v1alpha1", Resource: "jobsinks"}, "JobSink", "sink", map[string]any{
		"job": map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"restartPolicy": "Never",
			"containers": []any{map[string]any{"name": "c", "image": busybox(), "command": []any{"true"},
				"resources": map[string]any{"requests": map[string]any{"cpu": "5m", "memory": "8Mi"}}}},
		}}}}})
	return target{w.address("knative-eventing", "job-sink") + "/" + w.space + "/sink", "job-sink.knative-eventing.svc.cluster.local", w.token(made)}
}

func (w *world) jobsEnded() {
	w.Helper()
	harness.Eventually(w, 3*time.Minute, func() error {
		list, err := w.Kube.BatchV1().Jobs(w.space).List(w.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, j := range list.Items {
			if j.Status.CompletionTime == nil {
				time.Sleep(500 * time.Millisecond)
				return fmt.Errorf("Job %s has not ended: %+v", j.Name, j.Status)
			}
		}
		return nil
	})
}
