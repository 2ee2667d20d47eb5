package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// Done is what became of a step of the plan.
type Done struct {
	Step
	Phase   int
	At, End time.Time // when it began, and was over
	Did     string
	Err     error
}

// Phase is a part of the run: with resync on, or off.
type Phase struct {
	Name    string
	From    time.Time
	Last    time.Time // when the last fault was over
	Settled time.Time // zero if never
	Hanging int       // how many waited for resync, with it off
}

// record is one run, and what is known of it.
type record struct {
	options
	*world
	load    *load
	seen    *watched
	log     io.Writer
	broker  string
	commit  string
	began   time.Time
	average string // the machine's load, before

	mu     sync.Mutex
	done   []Done
	phases []Phase
}

// newRecord makes the world, and begins to watch it.
func newRecord(ctx context.Context, o options, w *world) (*record, error) {
	if err := os.MkdirAll(filepath.Dir(o.log), 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(o.log)
	if err != nil {
		return nil, err
	}
	r := &record{options: o, world: w, load: &load{world: w}, seen: newWatched(), log: io.MultiWriter(os.Stdout, log), broker: inMemory, commit: commit(), began: time.Now(), average: average()}
	broker, err := w.Dynamic.Resource(triggersKind.GroupVersion().WithResource("brokers")).Namespace(systemNamespace).Get(ctx, "default", metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("the functions are not deployed on this cluster, make demo does so: %w", err)
	}
	if config, _, _ := unstructured.NestedString(broker.Object, "spec", "config", "name"); config == "jetstream-channel" { // config/options/jetstream
		r.broker = jetStream
	}
	if err := w.rememberFilters(ctx); err != nil {
		return nil, err
	}
	if err := r.sync(ctx); err != nil {
		return nil, err
	}
	r.say("setting up; Broker %s, commit %s, load average %s", r.broker, r.commit, r.average)
	if err := w.set(ctx, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + w.host + ":" + port}, "terminate"); err != nil {
		return nil, err
	}
	if err := w.build(ctx); err != nil {
		return nil, err
	}
	r.say("Space %s is there; containers' own records are in %s", w.space, w.records)
	return r, r.seen.begin(ctx, w)
}

// sync has etcd write with fsync: the cluster program has given it the command, which takes effect when it is started again.
func (r *record) sync(ctx context.Context) error {
	without, err := r.withoutSync()
	if err != nil || !without {
		return err
	}
	if err := r.program("kill", "etcd"); err != nil {
		return err
	}
	return until(ctx, time.Minute, func() error {
		if without, err := r.withoutSync(); err != nil || without {
			return errors.Join(err, errors.New("etcd runs without fsync: bin/cluster up --fsync first"))
		}
		_, err := r.Kube.Discovery().ServerVersion()
		return err
	})
}

func (r *record) say(format string, args ...any) {
	fmt.Fprintf(r.log, "%8s  %s\n", time.Since(r.began).Round(100*time.Millisecond), fmt.Sprintf(format, args...))
}

// run goes through the plan, one half with resync and one without, checks and reports.
func (r *record) run(ctx context.Context) error {
	catalogue := map[string]Fault{}
	for _, f := range faults(r.broker) {
		catalogue[f.Name] = f
	}
	steps := Plan(r.seed, r.window(), namesOf(faults(r.broker)))
	half := r.window() / 2
	var first, second []Step
	for _, s := range steps {
		if s.At < half {
			first = append(first, s)
		} else {
			s.At -= half
			second = append(second, s)
		}
	}
	r.say("%d faults; the same again: %s", len(steps), again(r.options, r.broker))
	r.phase(ctx, "on", half, first, catalogue)
	resync, err := r.stopResync(ctx)
	if err != nil {
		return err
	}
	defer r.startResync(context.WithoutCancel(ctx), resync)
	r.phase(ctx, "off", half, second, catalogue)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.phases[1].Hanging = len(r.hanging(ctx, time.Now()))
	r.say("resync is back; %d hang without it", r.phases[1].Hanging)
	r.startResync(ctx, resync)
	end := time.Now()
	r.phases[1].Settled = r.settle(ctx, end, max(r.length/2, 2*time.Minute))
	state, err := r.collect(ctx, end)
	if err != nil {
		return err
	}
	return r.tell(state)
}

// phase runs the load, and the steps meanwhile, and waits until all is settled: with resync off no longer than that takes at its best.
func (r *record) phase(ctx context.Context, name string, length time.Duration, steps []Step, catalogue map[string]Fault) {
	p := Phase{Name: name, From: time.Now().Truncate(time.Second)} // as the API server counts
	n := len(r.phases)
	r.say("resync is %s", name)
	loading, stop := context.WithCancel(ctx)
	var loaded, broken sync.WaitGroup
	loaded.Go(func() { r.load.run(loading, r.every) })
	for _, s := range steps {
		broken.Go(func() {
			select {
			case <-time.After(time.Until(p.From.Add(s.At))):
				r.step(ctx, n, s, catalogue[s.Fault])
			case <-ctx.Done():
			}
		})
	}
	broken.Wait()
	select {
	case <-time.After(time.Until(p.From.Add(length))):
	case <-ctx.Done():
	}
	p.Last = time.Now()
	stop()
	loaded.Wait()
	limit := r.length / 4
	if name == "off" {
		limit = min(limit, time.Minute)
	}
	p.Settled = r.settle(ctx, time.Now(), limit)
	r.phases = append(r.phases, p)
}

// step does a fault, and undoes it, which is tried until it succeeds.
func (r *record) step(ctx context.Context, phase int, s Step, f Fault) {
	d := Done{Step: s, Phase: phase, At: time.Now()}
	d.Did, d.Err = f.do(ctx, r.Cluster, rand.New(rand.NewPCG(s.Draw, 0)))
	r.say("%s: %s %s", f.Name, d.Did, text(d.Err))
	if f.undo != nil {
		select {
		case <-time.After(f.Lasts):
		case <-ctx.Done():
		}
		err := until(context.WithoutCancel(ctx), 3*time.Minute, func() error { return f.undo(context.WithoutCancel(ctx), r.Cluster) })
		d.Err = errors.Join(d.Err, err)
		r.say("%s: over %s", f.Name, text(err))
	}
	d.End = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = append(r.done, d)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return "(" + err.Error() + ")"
}

// settle waits until nothing of what was asked for before a time hangs, and returns when; the zero time if it never came to that. A busy
// machine takes long to run what it was given, and that is no fault: it is waited for as long as something of it comes to its end.
func (r *record) settle(ctx context.Context, before time.Time, patience time.Duration) time.Time {
	var hangs []string
	err := whileItShrinks(ctx, patience, func() (int, error) {
		all, err := r.look(ctx, before)
		if err == nil {
			hangs = all
		}
		return len(all), err
	})
	if err != nil {
		r.say("not settled, and nothing ended for %s: %s (%v)", patience, strings.Join(hangs[:min(len(hangs), 10)], "; "), err)
		return time.Time{}
	}
	r.say("settled, %s after the last fault", time.Since(before).Round(time.Second))
	return time.Now()
}

// whileItShrinks counts until there is none left, and gives up when there have not been fewer for so long, or can't be counted.
func whileItShrinks(ctx context.Context, patience time.Duration, count func() (int, error)) error {
	fewest, since := math.MaxInt, time.Now()
	for {
		n, err := count()
		if err == nil && n == 0 {
			return nil
		}
		if err == nil && n < fewest {
			fewest, since = n, time.Now()
		}
		if time.Since(since) >= patience || ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx), fmt.Errorf("%d are left", fewest))
		}
		select {
		case <-time.After(min(time.Second, patience)):
		case <-ctx.Done():
		}
	}
}

// stopResync takes away the ping by which functions find what they missed.
func (r *record) stopResync(ctx context.Context) (was *unstructured.Unstructured, err error) {
	pings := r.Dynamic.Resource(pingsKind).Namespace(systemNamespace)
	return was, until(ctx, 3*time.Minute, func() error {
		if was == nil {
			if was, err = pings.Get(ctx, "resync", metav1.GetOptions{}); err != nil {
				return err
			}
		}
		return ignoreNotFound(pings.Delete(ctx, "resync", metav1.DeleteOptions{}))
	})
}

func (r *record) startResync(ctx context.Context, was *unstructured.Unstructured) {
	fresh := &unstructured.Unstructured{Object: map[string]any{"apiVersion": was.GetAPIVersion(), "kind": was.GetKind(), "spec": was.Object["spec"]}}
	fresh.SetName(was.GetName())
	fresh.SetLabels(was.GetLabels())
	pings := r.Dynamic.Resource(pingsKind).Namespace(systemNamespace)
	err := until(ctx, 3*time.Minute, func() error {
		_, err := pings.Create(ctx, fresh, metav1.CreateOptions{})
		return ignoreExists(err)
	})
	if err != nil {
		r.say("resync is not back: %v; make deploy makes it", err)
	}
}

// suspendJobs ends what they owe.
func (r *record) suspendJobs(ctx context.Context) error {
	for name := range jobs {
		if err := until(ctx, 2*time.Minute, func() error {
			_, err := r.Kf.TaskSchedules(r.space).Patch(ctx, name, types.MergePatchType, []byte(`{"spec":{"suspend":true}}`), metav1.PatchOptions{})
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// commit is what is checked out.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty=, with changes").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// average is the machine's load average of 1, 5 and 15 minutes.
func average() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}
