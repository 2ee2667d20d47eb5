package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// patched keeps the patch that it is sent.
type patched struct {
	kind  types.PatchType
	patch string
	by    string
	err   error
}

func (p *patched) Patch(
	_ context.Context, name string, kind types.PatchType, patch []byte, o metav1.PatchOptions, _ ...string,
) (*v1alpha1.Task, error) {
	p.kind, p.patch, p.by = kind, string(patch), o.FieldManager
	return &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: name}}, p.err
}

// TestMergeNamesTheObjectAndTheChange, and nothing else: what a merge patch does not name stays.
func TestMergeNamesTheObjectAndTheChange(t *testing.T) {
	task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{
		Namespace: "demo", Name: "shop-1", UID: "u-1", ResourceVersion: "7", Labels: map[string]string{"team": "web"},
	}}
	for _, c := range []struct {
		change client.Change
		want   string
	}{
		{client.Change{Spec: map[string]any{"terminated": true}}, `{"metadata":{"uid":"u-1"},"spec":{"terminated":true}}`},
		{client.Change{Labels: map[string]string{"a": "b"}}, `{"metadata":{"labels":{"a":"b"},"uid":"u-1"}}`},
		{client.Change{Annotations: map[string]string{"a": "b"}, Manager: "ann"}, `{"metadata":{"annotations":{"a":"b"},"uid":"u-1"}}`},
		{client.Change{Spec: map[string]any{"cpu": nil}, IfUnchanged: true},
			`{"metadata":{"resourceVersion":"7","uid":"u-1"},"spec":{"cpu":null}}`},
		{client.Change{Finalizers: &[]string{}, IfUnchanged: true}, `{"metadata":{"finalizers":[],"resourceVersion":"7","uid":"u-1"}}`},
	} {
		var p patched
		got, err := client.Merge(t.Context(), &p, task, c.change)
		if err != nil || got.Name != "shop-1" || p.kind != types.MergePatchType || p.patch != c.want || p.by != c.change.Manager {
			t.Errorf("%s by %q: %v, want %s by %q", p.patch, p.by, err, c.want, c.change.Manager)
		}
	}
	refused := errors.New("refused")
	_, err := client.Merge(t.Context(), &patched{err: refused}, task, client.Change{})
	if !errors.Is(err, refused) || !strings.Contains(err.Error(), "patch Task demo/shop-1") {
		t.Error(err)
	}
}
