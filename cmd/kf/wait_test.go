package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func waiting() (*target, *bytes.Buffer) {
	var said bytes.Buffer
	return &target{screen: screen{err: &said}}, &said
}

func TestAWaitSaysSoAndGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, said := waiting()
		p := patience{every: lookEvery, limit: 50 * time.Second, say: func() { w.progress("waiting") }, late: "nobody has looked"}
		began := time.Now()
		err := w.await(t.Context(), p, func(context.Context) (bool, error) { return false, nil })
		if err == nil || err.Error() != "nobody has looked" || time.Since(began) != 50*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if n := strings.Count(said.String(), "waiting\n"); n != 16 { // every three seconds
			t.Errorf("said %d times", n)
		}
	})
}

func TestAWaitThatIsInterruptedSaysWhatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := waiting()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		p := patience{every: 200 * time.Millisecond, limit: time.Minute, stopped: "it stays", late: "late"}
		err := w.await(ctx, p, func(ctx context.Context) (bool, error) {
			<-ctx.Done() // as a request that is under way
			return false, ctx.Err()
		})
		if err == nil || err.Error() != "it stays" {
			t.Error(err)
		}
	})
}

// TestAWaitOutlivesTheAPIServer: what can pass is said and looked past; what can't ends the wait.
func TestAWaitOutlivesTheAPIServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, said := waiting()
		looks := 0
		err := w.await(t.Context(), patience{every: 200 * time.Millisecond}, func(context.Context) (bool, error) {
			if looks++; looks < 40 {
				return false, apierrors.NewInternalError(errors.New("etcd is gone"))
			}
			return true, nil
		})
		if err != nil || looks != 40 || strings.Count(said.String(), "etcd is gone; looking again\n") != 2 {
			t.Errorf("%v after %d looks: %s", err, looks, said)
		}
		forbidden := apierrors.NewForbidden(v1alpha1.GroupVersion.WithResource("tasks").GroupResource(), "x", nil)
		err = w.await(t.Context(), patience{every: time.Second}, func(context.Context) (bool, error) { return false, forbidden })
		if !errors.Is(err, forbidden) {
			t.Error(err)
		}
	})
}

func TestReadyMeansLookedAtAsItIsNow(t *testing.T) {
	ready := func(status metav1.ConditionStatus) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, Reason: "NoGood", Message: "because"}}
	}
	for name, c := range map[string]struct {
		standing standing
		want     string
	}{
		"looked at":     {standing{2, ready(metav1.ConditionTrue)}, ""},
		"found wrong":   {standing{2, ready(metav1.ConditionFalse)}, "Job nightly is there, and can't run: NoGood: because"},
		"an older look": {standing{1, ready(metav1.ConditionFalse)}, "is the function tick deployed?"},
		"undecided":     {standing{2, ready(metav1.ConditionUnknown)}, "is the function tick deployed?"},
		"never seen":    {standing{}, "Job nightly is there, and nobody has looked at it for 1m0s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, _ := waiting()
			s := subject{what: "Job", name: "nightly", generation: 2, function: "tick", unfit: "can't run"}
			err := w.ready(t.Context(), s, func(context.Context) (standing, error) { return c.standing, nil })
			if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		})
	}
}

func TestATasksExitCodeIsTheProgramsOwn(t *testing.T) {
	code := func(n int32) *int32 { return &n }
	for _, c := range []struct {
		status metav1.ConditionStatus
		exit   *int32
		want   error
		text   string
	}{
		{metav1.ConditionUnknown, nil, nil, ""},
		{metav1.ConditionTrue, code(0), nil, ""},
		{metav1.ConditionFalse, code(7), exitCode(7), ""},
		{metav1.ConditionFalse, nil, nil, "did not succeed: Broken"},
		{metav1.ConditionFalse, code(0), nil, "did not succeed: Broken"},
	} {
		task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "t"}}
		task.Status.ExitCode = c.exit
		task.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: c.status, Reason: "Broken"}}
		switch err := result(task); {
		case c.text != "":
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s %v: %v", c.status, c.exit, err)
			}
		case !errors.Is(err, c.want):
			t.Errorf("%s: %v, want %v", c.status, err, c.want)
		}
	}
}
