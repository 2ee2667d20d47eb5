package v1alpha1

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestHandledIsSaidByWhatOnlyWeWrite: not by a label of others, and not by ours on a copy.
func TestHandledIsSaidByWhatOnlyWeWrite(t *testing.T) {
	for name, test := range map[string]struct {
		task              Task
		handled, restored bool
	}{
		"new":           {Task{ObjectMeta: metav1.ObjectMeta{UID: "u"}}, false, false},
		"Helm's":        {Task{ObjectMeta: metav1.ObjectMeta{UID: "u", Labels: map[string]string{VersionLabel: "1.16.0", ManagedByLabel: "Helm"}}}, false, false},
		"handled":       {Task{ObjectMeta: metav1.ObjectMeta{UID: "u", Labels: map[string]string{HandledLabel: "u"}}}, true, false},
		"a copy":        {Task{ObjectMeta: metav1.ObjectMeta{UID: "u", Labels: map[string]string{HandledLabel: "other"}}}, false, true},
		"stripped":      {Task{ObjectMeta: metav1.ObjectMeta{UID: "u"}, Status: TaskStatus{Starts: []TaskStart{{}}}}, true, false},
		"a copy's mark": {Task{ObjectMeta: metav1.ObjectMeta{UID: "u", Labels: map[string]string{HandledLabel: "x"}}, Status: TaskStatus{Starts: []TaskStart{{}}}}, true, false},
	} {
		if test.task.HandledBefore() != test.handled || test.task.Restored() != test.restored {
			t.Errorf("%s: handled %v, restored %v", name, test.task.HandledBefore(), test.task.Restored())
		}
	}
}
