package array

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// maxName is how long a Task's name may be: it is a label of its Pod.
const maxName = 63

// Name is that of the Task of an index, and the lock by which there is one only: the array's and the index. Of an array whose name is too
// long for that, a hash of it stands for its end. No dot may come before the hyphen: it would not be a name (RFC 1123).
func Name(array string, index int) string {
	name := fmt.Sprintf("%s-%d", array, index)
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(array))
	end := fmt.Sprintf("-%s-%d", hex.EncodeToString(sum[:5]), index)
	return strings.TrimRight(array[:maxName-len(end)], ".-") + end
}

// own are labels that say something of the array itself.
var own = []string{
	v1alpha1.VersionLabel, v1alpha1.HandledLabel, v1alpha1.StartLabel, v1alpha1.TaskLabel,
	v1alpha1.TaskScheduleLabel, v1alpha1.SuspendLabel,
}

// Task is the one of an index. The array owns it: it goes with the array, and is not its Job's.
func Task(array *v1alpha1.Task, index int) *v1alpha1.Task {
	spec := *array.Spec.DeepCopy()
	spec.Count, spec.Parallelism, spec.RequestedBy, spec.NotBefore = 0, 0, "", nil
	if spec.DisplayName != "" && spec.DisplayName != array.Name {
		spec.DisplayName = fmt.Sprintf("%.240s[%d]", spec.DisplayName, index)
	} else {
		spec.DisplayName = ""
	}
	spec.Env = v1alpha1.OverrideEnv(spec.Env, []v1alpha1.EnvVar{
		{Name: v1alpha1.IndexEnv, Value: strconv.Itoa(index)}, {Name: v1alpha1.CountEnv, Value: strconv.Itoa(int(array.Spec.Count))},
	})
	labels := map[string]string{}
	maps.Copy(labels, array.Labels)
	for _, l := range own {
		delete(labels, l)
	}
	maps.Copy(labels, v1alpha1.TaskLabels(spec.AppRef.Name))
	labels[v1alpha1.ArrayLabel], labels[v1alpha1.IndexLabel] = array.Name, strconv.Itoa(index)
	labels[v1alpha1.AwaitedLabel] = "true"
	return &v1alpha1.Task{
		ObjectMeta: metav1.ObjectMeta{
			Name: Name(array.Name, index), Namespace: array.Namespace, Labels: labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(array, v1alpha1.GroupVersion.WithKind("Task"))},
		},
		Spec: spec,
	}
}

// IndexOf is the index of a Task of this very array, and false for any other.
func IndexOf(array, t *v1alpha1.Task) (index int, ok bool) {
	index, err := strconv.Atoi(t.Labels[v1alpha1.IndexLabel])
	if err != nil || index < 0 || index >= int(array.Spec.Count) || !metav1.IsControlledBy(t, array) {
		return 0, false
	}
	return index, true
}
