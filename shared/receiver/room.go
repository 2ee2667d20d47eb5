package receiver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/semaphore"
)

// smallBody is what a hundred bodies at once may have, and events have but for few. Read as JSON, a body takes up to 25 times
// its bytes: thirty of 4 MB took 2.8 GB.
const smallBody = 32 << 10

// roomFor lets the larger bodies in only as long as there is room for all their bytes together, so that no number of senders makes
// the function need more memory than one body of the largest size does. The room is given back when the request is answered, or
// when a body must long have been read.
//
// A larger body waits for its turn within the time that is given, and then its sender is told to come again.
func roomFor(most int64, within time.Duration, next http.Handler) http.Handler {
	room := semaphore.NewWeighted(most)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bytes := r.ContentLength
		if bytes < 0 {
			begun := bufio.NewReaderSize(r.Body, smallBody+1)
			r.Body = struct {
				io.Reader
				io.Closer
			}{begun, r.Body}
			bytes = most
			if _, err := begun.Peek(smallBody + 1); errors.Is(err, io.EOF) {
				bytes = smallBody
			}
		}
		if bytes > smallBody {
			bytes = min(bytes, most)
			wait, cancel := context.WithTimeout(r.Context(), within)
			defer cancel()
			if room.Acquire(wait, bytes) != nil {
				w.Header().Set("Retry-After", strconv.Itoa(int(within.Seconds())))
				http.Error(w, "too many large bodies at once", http.StatusServiceUnavailable)
				return
			}
			back := make(chan struct{})
			defer close(back)
			go func() {
				defer room.Release(bytes)
				select {
				case <-back:
				case <-time.After(requestWithin):
				}
			}()
		}
		next.ServeHTTP(w, r)
	})
}
