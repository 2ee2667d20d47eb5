package receiver

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestLargeBodiesShareOneRoom: together they never have more bytes than one may have, however many come at once, whether they say
// their length or not; small ones wait for none of them.
func TestLargeBodiesShareOneRoom(t *testing.T) {
	const most = 1 << 20
	var at, peak atomic.Int64
	held, entered := make(chan struct{}), make(chan struct{}, 100)
	server := httptest.NewServer(roomFor(most, time.Minute, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		n := int64(len(b))
		if n <= smallBody {
			return
		}
		for now := at.Add(n); now > peak.Load(); {
			peak.Store(now)
		}
		entered <- struct{}{}
		<-held
		at.Add(-n)
	})))
	defer server.Close()
	post := func(body io.Reader) int {
		resp, err := http.Post(server.URL, "application/json", body)
		if err != nil {
			t.Error(err)
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	chunked := func(n int) io.Reader { return io.MultiReader(bytes.NewReader(make([]byte, n))) } // of a length that net/http can't tell
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			body := io.Reader(bytes.NewReader(make([]byte, most/2)))
			if i%2 == 1 {
				body = chunked(most / 2)
			}
			if code := post(body); code != http.StatusOK {
				t.Errorf("a large body was answered with %d", code)
			}
		})
	}
	<-entered
	for _, n := range []int{0, 10, smallBody} {
		if code := post(bytes.NewReader(make([]byte, n))); code != http.StatusOK {
			t.Errorf("%d bytes: %d", n, code)
		}
		if code := post(chunked(n)); code != http.StatusOK {
			t.Errorf("%d bytes in chunks: %d", n, code)
		}
	}
	close(held)
	all.Wait()
	if peak.Load() > most {
		t.Errorf("%d bytes at once, and %d is what one may have", peak.Load(), most)
	}
}
