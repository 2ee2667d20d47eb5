package harness

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	toolswatch "k8s.io/client-go/tools/watch"
)

// Watch sees what happens to the objects of a client from now until it is stopped, or the test ends. A busy API server ends
// watches: the next one takes up where that ended, as the real source's does.
func Watch[L metav1.ListInterface](tb testing.TB, c interface {
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
},
) watch.Interface {
	tb.Helper()
	now, err := c.List(tb.Context(), metav1.ListOptions{Limit: 1})
	if err != nil {
		tb.Fatal(err)
	}
	w, err := toolswatch.NewRetryWatcherWithContext(tb.Context(), now.GetResourceVersion(), &cache.ListWatch{WatchFuncWithContext: c.Watch})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(w.Stop)
	return w
}
