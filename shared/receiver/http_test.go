package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
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
			fmt.Fprintln(w, context.Cause(r.Context()))
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
	if b, err := io.ReadAll(r.Body); err != nil || string(b) != "first\n"+ErrStopping.Error()+"\n" {
		t.Errorf("%q %v", b, err)
	}
}

// TestAnswersAreGuarded: every answer keeps a browser from running what a log or a name says, and what may pass says when
// to come again.
func TestAnswersAreGuarded(t *testing.T) {
	address, _ := start(t, func(ctx context.Context, env Env) {
		ServeHTTP(ctx, env, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "no", map[string]int{"/no": 403, "/later": 503}[r.URL.Path])
		}))
	})
	for path, again := range map[string]string{"/no": "", "/later": "1"} {
		r, err := http.Get(address + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Retry-After": again} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s %q, want %q", path, name, got, want)
			}
		}
	}
}

// TestRefusalsOfRequests: what is no event is refused in the same words, with the token's owner known or not.
func TestRefusalsOfRequests(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want int
		says string
	}{
		"of its own":     {WithStatus(http.StatusNotFound, errors.New("there is none")), 404, "there is none"},
		"too large":      {Unreadable(fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 7})), 413, "larger than 7 bytes"},
		"too slow":       {Unreadable(fmt.Errorf("read: %w", os.ErrDeadlineExceeded)), 408, ""},
		"malformed":      {Unreadable(errors.New("no name")), 400, "no name"},
		"may pass":       {errors.New("later"), 503, "later"},
		"not to be told": {Forbidden(errors.New("\x1b[2J")), 403, "^[[2J"},
	} {
		address, stop := start(t, func(ctx context.Context, env Env) {
			ServeHTTP(ctx, env, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if token, err := BearerToken(r.Context()); token != "x" || err != nil {
					t.Errorf("the token is %q, %v", token, err)
				}
				Refuse(r.Context(), w, c.err)
			}))
		})
		r, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer x")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		stop()
		if answer.StatusCode != c.want || !strings.Contains(Detail(b), c.says) || answer.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s %s", name, answer.Status, b)
		}
	}
}
