package cluster

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

// BenchmarkChurn has NAMESPACES come, one a second, each of which goes ten seconds later, and says how long after its creation a Task of a
// Space that has nothing to do with them has its PipelineRun; before that the same beside none. Each namespace rolls the source's
// adapter over. The Tasks are terminated from the beginning, so that no Pod of theirs stands in the way.
func BenchmarkChurn(b *testing.B) {
	namespaces, err := strconv.Atoi(cmp.Or(os.Getenv("NAMESPACES"), "60"))
	if err != nil {
		b.Fatalf("NAMESPACES: %v", err)
	}
	w := newWorld(b)
	w.task("warm", "true") // the Space's own namespace rolled the adapter over, too
	w.ended(2 * time.Minute)
	w.toRuns(b, "no namespace comes or goes", func() { time.Sleep(30 * time.Second) })
	w.toRuns(b, fmt.Sprintf("%d come and go", namespaces), func() {
		all := w.Kube.CoreV1().Namespaces()
		each := time.NewTicker(time.Second)
		defer each.Stop()
		for range namespaces {
			ns, err := all.Create(w.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "churn-"}}, metav1.CreateOptions{})
			if err != nil {
				w.Errorf("create a namespace: %v", err)
				return
			}
			time.AfterFunc(10*time.Second, func() { _ = all.Delete(context.Background(), ns.Name, metav1.DeleteOptions{}) }) // at the latest by make cluster-down
			<-each.C
		}
	})
}

// toRuns makes a Task each second while something else is done, and reports how long after each its PipelineRun is there.
func (w *world) toRuns(b *testing.B, name string, meanwhile func()) {
	b.Helper()
	there := w.arriving(harness.Watch(w, w.Tekton.PipelineRuns(w.space)), func(metav1.Object) bool { return true })
	done := make(chan struct{})
	go func() {
		defer close(done)
		meanwhile()
	}()
	var names []string
	var made []time.Time
	each := time.NewTicker(time.Second)
	defer each.Stop()
	for going := true; going; {
		task := harness.NewTask(w.space, app, "")
		task.GenerateName, task.Spec.Command, task.Spec.Terminated = "run-", "true", true
		made = append(made, time.Now())
		task, err := w.Kf.Tasks(w.space).Create(w.Context(), task, metav1.CreateOptions{})
		w.must(err)
		names = append(names, task.Name)
		select {
		case <-done:
			going = false
		case <-each.C:
		}
	}
	took := make([]time.Duration, len(names))
	for i, at := range there.wait(w, names) {
		took[i] = at.Sub(made[i])
	}
	report(b, name, measured{"Tasks": float64(len(took)), "p50-ms": ms(quantile(took, 50)), "p99-ms": ms(quantile(took, 99)), "most-ms": ms(quantile(took, 100))})
}
