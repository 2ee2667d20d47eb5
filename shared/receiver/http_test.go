package receiver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// TestARequestUnderWayIsAnsweredWhenTheFunctionStops: it hears of the end, what it says then arrives, and the process is
// not ended before.
func TestARequestUnderWayIsAnsweredWhenTheFunctionStops(t *testing.T) {
	begun, returned := make(chan struct{}), make(chan struct{})
	address, stop := start(t, func(ctx context.Context, env Env) {
		ServeHTTP(ctx, env, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, "first")
			http.NewResponseController(w).Flush()
			close(begun)
			<-r.Context().Done()
			select {
			case <-returned:
				t.Error("main would have returned, and the process with it, before the request was answered")
			case <-time.After(200 * time.Millisecond):
			}
			fmt.Fprintln(w, "last")
		}))
		close(returned)
	})
	r, err := http.Get(address + "/anything")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	<-begun
	stop()
	if b, err := io.ReadAll(r.Body); err != nil || string(b) != "first\nlast\n" {
		t.Errorf("%q %v", b, err)
	}
}
