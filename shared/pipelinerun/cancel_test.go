package pipelinerun

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// server answers a patch with an error of the test's, and a read with what is there now; both only if they are asked for.
type server struct {
	patched error
	now     *tekton.PipelineRun
	patch   string // that was sent
}

func (s *server) PipelineRuns(string) tektonclient.PipelineRunInterface { return runs{server: s} }
func (s *server) TaskRuns(string) tektonclient.TaskRunInterface         { return taskRuns{server: s} }

type runs struct {
	tektonclient.PipelineRunInterface
	*server
}

func (r runs) Patch(_ context.Context, _ string, _ types.PatchType, b []byte, _ metav1.PatchOptions, _ ...string) (*tekton.PipelineRun, error) {
	r.patch = string(b)
	return &tekton.PipelineRun{}, r.patched
}

func (r runs) Get(context.Context, string, metav1.GetOptions) (*tekton.PipelineRun, error) {
	if r.now == nil {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "pipelineruns"}, "t")
	}
	return r.now, nil
}

type taskRuns struct {
	tektonclient.TaskRunInterface
	*server
}

func (r taskRuns) Patch(_ context.Context, _ string, _ types.PatchType, b []byte, _ metav1.PatchOptions, _ ...string) (*tekton.TaskRun, error) {
	r.patch = string(b)
	return &tekton.TaskRun{}, r.patched
}

// specStatus is what a patch asks for, of the object with a UID.
func specStatus(t *testing.T, patch, uid string) string {
	t.Helper()
	var p struct {
		Metadata struct{ UID string }
		Spec     struct{ Status string }
	}
	if err := json.Unmarshal([]byte(patch), &p); err != nil || p.Metadata.UID != uid {
		t.Errorf("%q is no patch of the object %s: %v", patch, uid, err)
	}
	return p.Spec.Status
}

// TestACancelThatCameTooLateIsNone: what had ended, or was gone, needs no end; all else is an error, which says what it was.
func TestACancelThatCameTooLateIsNone(t *testing.T) {
	const asked, notYet = tekton.PipelineRunSpecStatusCancelled, ""
	of := schema.GroupResource{Group: "tekton.dev", Resource: "pipelineruns"}
	refused := apierrors.NewBadRequest("Once the PipelineRun is complete, no updates are allowed")
	missing, conflict := apierrors.NewNotFound(of, "t"), apierrors.NewConflict(of, "t", errors.New("UID"))
	named := func(uid types.UID, run *tekton.PipelineRun) *tekton.PipelineRun {
		run.Namespace, run.Name, run.UID = "n", "t", uid
		return run
	}
	runs := func() *tekton.PipelineRun {
		return endedRun(notYet, corev1.ConditionUnknown, tekton.PipelineRunReasonRunning)
	}
	ended := func() *tekton.PipelineRun {
		return endedRun(notYet, corev1.ConditionTrue, tekton.PipelineRunReasonSuccessful)
	}
	for name, c := range map[string]struct {
		run     *tekton.PipelineRun
		patched error
		now     *tekton.PipelineRun
		sent    bool
		asked   bool
		err     error
	}{
		"it runs":                         {run: runs(), sent: true, asked: true},
		"it has ended":                    {run: ended()},
		"it was cancelled before":         {run: endedRun(asked, corev1.ConditionUnknown, tekton.PipelineRunReasonRunning)},
		"it is gone":                      {run: runs(), patched: missing, sent: true},
		"it ended just then":              {run: runs(), patched: refused, now: named("u", ended()), sent: true},
		"it has not, and is refused":      {run: runs(), patched: refused, now: named("u", runs()), sent: true, err: refused},
		"another has its name":            {run: runs(), patched: conflict, now: named("v", runs()), sent: true, err: conflict},
		"another, which has ended":        {run: runs(), patched: conflict, now: named("v", ended()), sent: true, err: conflict},
		"refused, and gone when asked of": {run: runs(), patched: refused, sent: true, err: refused},
	} {
		s := &server{patched: c.patched, now: c.now}
		got, err := Cancel(t.Context(), s, named("u", c.run))
		if got != c.asked || !errors.Is(err, c.err) || (s.patch != "") != c.sent {
			t.Errorf("%s: %t %v, sent %q", name, got, err, s.patch)
		}
		if c.sent && specStatus(t, s.patch, "u") != asked {
			t.Errorf("%s: sent %q", name, s.patch)
		}
	}
}

func TestATaskRunThatIsGoneNeedsNoEnd(t *testing.T) {
	of := schema.GroupResource{Group: "tekton.dev", Resource: "taskruns"}
	missing, conflict := apierrors.NewNotFound(of, "t"), apierrors.NewConflict(of, "t", errors.New("UID"))
	for patched, want := range map[error]error{nil: nil, missing: nil, conflict: conflict} {
		s := &server{patched: patched}
		err := CancelTaskRun(t.Context(), s, &tekton.TaskRun{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "t", UID: "u"}})
		if !errors.Is(err, want) || specStatus(t, s.patch, "u") != tekton.TaskRunSpecStatusCancelled {
			t.Errorf("%v: %v, sent %q", patched, err, s.patch)
		}
	}
}
