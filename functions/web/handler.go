package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
)

// Handler serves the pages. It has no right of its own: whatever is read or done is by the token of whoever has signed in.
type Handler struct {
	// Kube is the way to the API server, without credentials.
	Kube   *rest.Config
	Sealer *Sealer
	Logs   *Logs
	// Session is how long one lasts.
	Session time.Duration
	Now     func() time.Time
}

// Routes are the addresses that are served.
func (h *Handler) Routes() http.Handler {
	mux := http.NewServeMux()
	for path, show := range map[string]func(*visit) error{
		"/{$}":                                     (*visit).spaces,
		"/spaces/{space}":                          (*visit).inSpace,
		"/spaces/{space}/events":                   (*visit).events,
		"/spaces/{space}/webhooks":                 (*visit).webhooks,
		"/spaces/{space}/webhooks/{name}":          (*visit).webhook,
		"/spaces/{space}/apps/{name}":              (*visit).app,
		"/spaces/{space}/apps/{name}/builds":       (*visit).builds,
		"/spaces/{space}/jobs/{name}":              (*visit).job,
		"/spaces/{space}/tasks/{name}":             (*visit).task,
		"/spaces/{space}/tasks/{name}/log":         (*visit).log,
		"/spaces/{space}/tasks/{name}/log/raw":     (*visit).rawLog,
		"/spaces/{space}/tasks/{name}/log/stream":  (*visit).streamLog,
		"/spaces/{space}/apps/{name}/tasks/{what}": (*visit).taskByID,
	} {
		mux.HandleFunc("GET "+path, h.page(show))
	}
	for path, act := range map[string]func(*visit) (string, error){
		"/spaces/{space}/apps/{name}/run":        (*visit).runApp,
		"/spaces/{space}/tasks/{name}/terminate": (*visit).terminate,
		"/spaces/{space}/tasks/{name}/rerun":     (*visit).rerun,
		"/spaces/{space}/jobs/{name}/run":        (*visit).runJob,
		"/spaces/{space}/jobs/{name}/suspend":    (*visit).suspend,
		"/spaces/{space}/jobs/{name}/resume":     (*visit).resume,
	} {
		mux.HandleFunc("POST "+path, h.action(act))
	}
	mux.HandleFunc("GET /sign-in", h.signInPage)
	mux.HandleFunc("POST /sign-in", h.signIn)
	mux.HandleFunc("POST /sign-out", h.action((*visit).signOut))
	mux.HandleFunc("POST /theme", h.theme)
	mux.Handle("GET /assets/", assets)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.visit(w, r).fail(notFound("There is no page %s.", r.URL.Path))
	})
	return guarded(mux)
}

// policy lets a page use our own script and style, show text and send its forms here, and nothing else: what Apps and Tasks say is
// written by anybody. The script makes no markup of text (Trusted Types hold it to that).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// guarded sets what a browser is held to, beside what every function that answers people sets (shared/receiver).
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		next.ServeHTTP(w, r)
	})
}

// visit is one request of somebody's.
type visit struct {
	*Handler
	ctx     context.Context
	w       http.ResponseWriter
	r       *http.Request
	began   time.Time
	session Session // the zero Session if nobody has signed in
	// space and name are of the address, "" where it has none.
	space, name string

	cfg *rest.Config
	kf  *client.Client
}

func (h *Handler) visit(w http.ResponseWriter, r *http.Request) *visit {
	v := &visit{Handler: h, ctx: r.Context(), w: w, r: r, began: h.Now(), space: r.PathValue("space"), name: r.PathValue("name")}
	if c, err := r.Cookie(sessionCookie); err == nil {
		v.session, _ = h.Sealer.Open(c.Value, v.began) // none is the answer to one that is not ours
	}
	return v
}

// enter signs the visit's requests with its session's token.
func (v *visit) enter() (err error) {
	if v.session.Token == "" {
		return errSignIn
	}
	if v.space != "" && !client.ValidNamespace(v.space) || v.name != "" && !client.ValidName(v.name) {
		return notFound("No object can have such a name.")
	}
	v.cfg = rest.CopyConfig(v.Kube)
	v.cfg.BearerToken = v.session.Token
	v.kf, err = client.New(v.cfg)
	return err
}

// page shows something.
func (h *Handler) page(show func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := h.visit(w, r)
		err := v.enter()
		if err == nil {
			err = show(v)
		}
		if err != nil {
			v.fail(err)
		}
	}
}

// action does something that a form asks for, once the form is known to be of one of the session's own pages, and goes on to a page.
func (h *Handler) action(act func(*visit) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := h.visit(w, r)
		err := v.enter()
		if err == nil {
			err = v.ownForm(v.session.ID)
		}
		next := ""
		if err == nil {
			next, err = act(v)
		}
		logging.FromContext(v.ctx).Infow("acted", "path", r.URL.Path, "user", v.session.User, zap.Error(err))
		if err != nil {
			v.fail(err)
			return
		}
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

// ownForm refuses what another site's page sent, or one of another session.
func (v *visit) ownForm(id string) error {
	if err := sameOrigin(v.r); err != nil {
		return refusal{http.StatusForbidden, "Nothing was done: " + err.Error() + "."}
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		return refusal{http.StatusBadRequest, "Nothing was done: the form can't be read: " + err.Error() + "."}
	}
	if !v.Sealer.IsFormToken(id, v.r.PostForm.Get("form")) {
		return refusal{http.StatusForbidden,
			"Nothing was done: the form is of another session, or of none. Go back, load the page again, and send it anew."}
	}
	return nil
}

// maxForm is for a command of the longest that a Task can have, escaped.
const maxForm = 3*131072 + 4096

// errSignIn is of who has not signed in, or has no more.
var errSignIn = errors.New("sign in first")

// signedOut says of an error that one has to sign in for it, and why.
func signedOut(err error) (why string, is bool) {
	switch {
	case errors.Is(err, errSignIn):
		return "", true
	case apierrors.IsUnauthorized(err):
		return "The cluster does not take your token any more: it has expired, or was revoked. " +
			"Sign in again; you come back to this page.", true
	}
	return "", false
}
