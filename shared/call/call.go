// Package call is the HTTP request of a Task that sends one (v1alpha1.Call): how it comes into the environment of its container, and
// how it is sent from there.
package call

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

const (
	requestEnv = "KF_CALL"        // the Call, as JSON
	headerEnv  = "KF_CALL_HEADER" // and _0, _1 ...: the value of the header in that place, where it comes from a Secret

	defaultTimeout = time.Minute
	maxShown       = 64 << 10 // bytes of the answer's body that are shown
)

// Environment is what the program call reads: the request, and what of it comes from Secrets.
func Environment(c *v1alpha1.Call) []corev1.EnvVar {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and numbers: can't fail
	}
	env := []corev1.EnvVar{{Name: requestEnv, Value: verbatim.Literal(string(b))}}
	for i, h := range c.Headers {
		if h.SecretKeyRef != nil {
			env = append(env, corev1.EnvVar{Name: headerName(i), ValueFrom: &corev1.EnvVarSource{SecretKeyRef: h.SecretKeyRef}})
		}
	}
	return env
}

func headerName(i int) string { return fmt.Sprintf("%s_%d", headerEnv, i) }

// Send sends the request that an environment holds, and shows what came of it on out: one line, then the answer's body, as far as
// 64 KiB. The error says why the call has failed: no answer, or one that is no 2xx. Redirects are followed as browsers do, by
// net/http's rules: what authorizes the request does not go along to another host.
func Send(ctx context.Context, getenv func(string) string, out io.Writer, now func() time.Time) error {
	var c v1alpha1.Call
	if err := json.Unmarshal([]byte(getenv(requestEnv)), &c); err != nil {
		return fmt.Errorf("%s holds no request: %w", requestEnv, err)
	}
	timeout := cmp.Or(time.Duration(c.TimeoutSeconds)*time.Second, defaultTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no whole answer within %s (call.timeoutSeconds)", timeout))
	defer cancel()
	method := cmp.Or(c.Method, http.MethodGet)
	req, err := http.NewRequestWithContext(ctx, method, c.URL, strings.NewReader(c.Body))
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "kf-tasks-call")
	for i, h := range c.Headers {
		value := h.Value
		if h.SecretKeyRef != nil {
			value = strings.TrimSpace(getenv(headerName(i))) // a file that was made by an editor ends in a new line
		}
		if strings.EqualFold(h.Name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Add(h.Name, value)
	}
	began := now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, Shown(c.URL), failure(ctx, err))
	}
	defer res.Body.Close()
	fmt.Fprintf(out, "%s %s: %s after %s\n", method, Shown(c.URL), res.Status, now().Sub(began).Round(time.Millisecond))
	if err := show(out, res.Body); err != nil {
		return fmt.Errorf("%s %s: the answer broke off: %w", method, Shown(c.URL), failure(ctx, err))
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("%s %s was answered with %s", method, Shown(c.URL), res.Status)
	}
	return nil
}

// show copies an answer as far as it is shown, and reads it to its end.
func show(out io.Writer, body io.Reader) error {
	shown, err := io.Copy(out, io.LimitReader(body, maxShown))
	if err != nil {
		return err
	}
	rest, err := io.Copy(io.Discard, body)
	switch {
	case rest > 0:
		fmt.Fprintf(out, "\n... and %d more bytes\n", rest)
	case shown > 0:
		fmt.Fprintln(out)
	}
	return err
}

// failure is an error of the request without its URL, which may hold what is secret, and with the reason for which it was given up.
func failure(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if of := (*url.Error)(nil); errors.As(err, &of) {
		return of.Err
	}
	return err
}

// Shown is a URL without its query and fragment, which may hold what is secret.
func Shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the URL"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
