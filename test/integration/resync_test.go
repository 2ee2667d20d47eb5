package integration

import (
	"net/http"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestResyncsDoNotPileUp: where the API server takes longer for a look at all that is under way than it is until the next ping, the pings that
// come meanwhile are one more look together. Each with a look of its own they would keep the API server busy for ever.
func TestResyncsDoNotPileUp(t *testing.T) {
	for name, lists := range map[string]string{"start": "/api/v1/pods", "status": "/apis/kf.dev/v1alpha1/tasks", "runtask": "/apis/kf.dev/v1alpha1/tasks"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := harness.NewWorld(t).Function(t, name)
			isLook := func(r harness.Request) bool { return r.Method == http.MethodGet && r.Path == lists }
			f.Proxy.Inject(func(r harness.Request) harness.Fault {
				if isLook(r) {
					return harness.Fault{Delay: 2 * time.Second}
				}
				return harness.Fault{}
			})
			var pings errgroup.Group
			for range 20 {
				pings.Go(func() error {
					f.Deliver(harness.Ping("resync"))
					return nil
				})
			}
			_ = pings.Wait() // none returns an error
			looks := 0
			for _, r := range f.Proxy.Requests() {
				if isLook(r) {
					looks++
				}
			}
			if looks < 1 || looks > 3 { // one is under way, one is for all who came meanwhile, and one for who came when that was about to begin
				t.Errorf("%d looks of 20 pings", looks)
			}
			f.Deliver(harness.Ping("resync"))
			if now := len(f.Proxy.Requests()); now <= looks {
				t.Error("a ping that came later had no look")
			}
		})
	}
}
