package client

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// TestCreateOnceReturnsWhoHasTheName: whether that is success only the caller can say.
func TestCreateOnceReturnsWhoHasTheName(t *testing.T) {
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		post, path := r.Method == http.MethodPost, r.URL.Path
		switch {
		case post && strings.Contains(path, "/refusing/"):
			refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden)
		case post && !strings.Contains(path, "/empty/"):
			refuse(w, http.StatusConflict, metav1.StatusReasonAlreadyExists)
		case strings.Contains(path, "/passing/"):
			refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound)
		default:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"apiVersion": "kf.dev/v1alpha1", "kind": "Task", "metadata": {"name": "t", "uid": "other"}}`)
		}
	})
	for space, want := range map[string]struct {
		there bool
		err   string
	}{
		"empty":    {false, ""},
		"taken":    {true, ""},
		"passing":  {false, "passing/t was there and went"},
		"refusing": {false, "no"},
	} {
		task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: "t"}}
		there, err := CreateOnce(t.Context(), c.Tasks(space), task)
		if (there != nil) != want.there || (err == nil) != (want.err == "") || err != nil && err.Error() != want.err {
			t.Errorf("%s: %v %v, want one there: %t, error %q", space, there, err, want.there, want.err)
		}
	}
}

// TestFindAgainKnowsTheObjectByItsUID: another that has its name is not it.
func TestFindAgainKnowsTheObjectByItsUID(t *testing.T) {
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/none") {
			refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"apiVersion": "kf.dev/v1alpha1", "kind": "Task", "metadata": {"name": "t", "uid": "a", "generation": 2}}`)
	})
	for _, tt := range []struct {
		name  string
		uid   types.UID
		found bool
	}{{"t", "a", true}, {"t", "b", false}, {"none", "a", false}} {
		task := &v1alpha1.Task{}
		task.Namespace, task.Name, task.UID = "space", tt.name, tt.uid
		got, err := FindAgain(t.Context(), c.Tasks("space"), task)
		if err != nil || (got != nil) != tt.found || got != nil && got.Generation != 2 {
			t.Errorf("%s of UID %s: %v %v", tt.name, tt.uid, got, err)
		}
	}
}
