package call

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// send sends a call as its container would: what Environment says, as Kubernetes expands it, with secrets filled in.
func send(t *testing.T, c v1alpha1.Call, secrets map[string]string) (string, error) {
	t.Helper()
	env := map[string]string{}
	for _, v := range Environment(&c) {
		env[v.Name] = strings.ReplaceAll(v.Value, "$$", "$") // the only thing that these values have Kubernetes do
		if v.ValueFrom != nil {
			env[v.Name] = secrets[v.ValueFrom.SecretKeyRef.Key]
		}
	}
	var out bytes.Buffer
	err := Send(t.Context(), func(name string) string { return env[name] }, &out, time.Now)
	return out.String(), err
}

func TestSend(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "elsewhere auth=%q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1), http.StatusFound)
		case "/large":
			_, _ = w.Write(bytes.Repeat([]byte("x"), maxShown+10))
		case "/broken":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("begun"))
		case "/slow":
			<-r.Context().Done()
		case "/refused":
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write([]byte("no coffee"))
		default:
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s host=%s auth=%q many=%v body=%s", r.Method, r.URL, r.Host, r.Header.Get("Authorization"), r.Header["X-A"], body)
		}
	}))
	defer server.Close()
	auth := []v1alpha1.CallHeader{{Name: "Authorization", SecretKeyRef: &corev1.SecretKeySelector{Key: "authorization"}}}
	for name, test := range map[string]struct {
		call       v1alpha1.Call
		says       []string
		fails      string
		neverShown string
	}{
		"plain": {call: v1alpha1.Call{URL: server.URL + "/a?b=c#d"}, says: []string{"GET " + server.URL + "/a: 200 OK", "GET /a?b=c host="}},
		"all": {call: v1alpha1.Call{URL: server.URL, Method: "POST", Body: `{"a": "$(X) $$"}`,
			Headers: append(auth, v1alpha1.CallHeader{Name: "X-A", Value: "1"}, v1alpha1.CallHeader{Name: "X-A", Value: "2"}, v1alpha1.CallHeader{Name: "Host", Value: "shop.example"})},
			says: []string{`POST / host=shop.example auth="Bearer x" many=[1 2] body={"a": "$(X) $`}},
		"redirected":    {call: v1alpha1.Call{URL: server.URL + "/away", Headers: auth}, says: []string{`elsewhere auth=""`}},
		"large":         {call: v1alpha1.Call{URL: server.URL + "/large"}, says: []string{"... and 10 more bytes"}},
		"no 2xx":        {call: v1alpha1.Call{URL: server.URL + "/refused"}, says: []string{"418", "no coffee"}, fails: "was answered with 418"},
		"broken off":    {call: v1alpha1.Call{URL: server.URL + "/broken"}, says: []string{"begun"}, fails: "broke off"},
		"slow":          {call: v1alpha1.Call{URL: server.URL + "/slow?token=hidden", TimeoutSeconds: 1}, fails: "no whole answer within 1s", neverShown: "hidden"},
		"nobody there":  {call: v1alpha1.Call{URL: "http://127.0.0.1:1/?token=hidden"}, fails: "connection refused", neverShown: "hidden"},
		"secrets stay":  {call: v1alpha1.Call{URL: server.URL + "/refused?token=hidden", Headers: auth}, fails: "418", neverShown: "hidden"},
		"its own proxy": {call: v1alpha1.Call{URL: "ftp://shop.example"}, fails: "unsupported protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := send(t, test.call, map[string]string{"authorization": "Bearer x\n"})
			if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%v, want %q", err, test.fails)
			}
			for _, s := range test.says {
				if !strings.Contains(out, s) {
					t.Errorf("%.300q lacks %q", out, s)
				}
			}
			if all := out + fmt.Sprint(err); test.neverShown != "" && strings.Contains(all, test.neverShown) {
				t.Errorf("%q shows a secret", all)
			}
		})
	}
}

func TestACallThatIsStoppedStops(t *testing.T) {
	begun := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { close(begun); <-r.Context().Done() }))
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	go func() { <-begun; stop() }()
	request, _ := json.Marshal(v1alpha1.Call{URL: server.URL})
	err := Send(ctx, func(string) string { return string(request) }, io.Discard, time.Now)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
