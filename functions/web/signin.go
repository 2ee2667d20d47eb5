package main

import (
	"errors"
	"net/http"

	"go.uber.org/zap"
	authn "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/rest"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// Names of cookies. A browser takes one of a name that begins so over TLS or from localhost alone, and sends it to no other host,
// subdomains included (RFC 6265bis, 4.1.3.2).
const (
	sessionCookie = "__Host-kf-session"
	// signInCookie is of who has yet to sign in: another site can't fill in and send our form for them (login CSRF).
	signInCookie = "__Host-kf-sign-in"
	// themeCookie is no secret, and holds over plain HTTP too.
	themeCookie = "kf-theme"
)

func cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}

func clearCookie(name string) *http.Cookie { return cookie(name, "", -1) }

// signInData is what the page of sign-in shows.
type signInData struct {
	// Next is where to go on, Why why one is here, Wrong what was wrong with the token.
	Next, Why, Wrong string
}

func (h *Handler) signInPage(w http.ResponseWriter, r *http.Request) {
	h.visit(w, r).askToSignIn(http.StatusOK, signInData{Next: localPath(r.URL.Query().Get("next"))})
}

// askToSignIn shows the form, at whatever address.
func (v *visit) askToSignIn(status int, d signInData) {
	id := ""
	if c, err := v.r.Cookie(signInCookie); err == nil {
		id = c.Value
	}
	if id == "" {
		id = randomID()
		http.SetCookie(v.w, cookie(signInCookie, id, 0))
	}
	v.session = Session{ID: id}
	v.render(status, view{Name: "signin", Title: "Sign in", Data: d})
}

func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	v := h.visit(w, r)
	id := ""
	if c, err := r.Cookie(signInCookie); err == nil {
		id = c.Value
	}
	if err := v.ownForm(id); err != nil {
		status, wrong := refusalOf(err).status, err.Error()
		if id == "" {
			wrong = "Your browser has kept no cookie of this page. It takes them over HTTPS, or from localhost, alone: see docs/web.md."
		}
		v.askToSignIn(status, signInData{Next: localPath(r.PostFormValue("next")), Wrong: wrong})
		return
	}
	next := localPath(r.PostForm.Get("next"))
	token, err := cleanToken(r.PostForm.Get("token"))
	if err != nil {
		v.askToSignIn(http.StatusUnprocessableEntity, signInData{Next: next, Wrong: "Not signed in: " + err.Error() + "."})
		return
	}
	user, err := h.whose(v, token)
	logging.FromContext(v.ctx).Infow("signed in", "user", user, zap.Error(err))
	switch {
	case apierrors.IsUnauthorized(err):
		v.askToSignIn(http.StatusUnauthorized, signInData{Next: next,
			Wrong: "Not signed in: the cluster does not take this token. It has expired, is of another cluster, or is not all of it."})
		return
	case err != nil:
		v.askToSignIn(http.StatusServiceUnavailable, signInData{Next: next,
			Wrong: "Not signed in: the cluster could not be asked whose the token is: " + inert.Line(err.Error())})
		return
	}
	session := Session{ID: randomID(), User: user, Token: token, Expires: v.began.Add(h.Session)}
	http.SetCookie(w, cookie(sessionCookie, h.Sealer.Seal(session), int(h.Session.Seconds())))
	http.SetCookie(w, clearCookie(signInCookie))
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// whose asks the API server whose a token is, with the token itself: everybody may ask that of themselves.
func (h *Handler) whose(v *visit, token string) (string, error) {
	cfg := rest.CopyConfig(h.Kube)
	cfg.BearerToken = token
	c, err := authenticationv1.NewForConfig(cfg)
	if err != nil {
		return "", err
	}
	review, err := c.SelfSubjectReviews().Create(v.ctx, &authn.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	if review.Status.UserInfo.Username == "system:anonymous" {
		return "", apierrors.NewUnauthorized("the token is nobody's")
	}
	return review.Status.UserInfo.Username, nil
}

func (v *visit) signOut() (string, error) {
	http.SetCookie(v.w, clearCookie(sessionCookie))
	return "/sign-in", nil
}

// theme keeps whether pages are dark or light. It needs no session, and does nothing that another's page could profit from.
func (h *Handler) theme(w http.ResponseWriter, r *http.Request) {
	v := h.visit(w, r)
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	value := r.PostFormValue("theme")
	switch err := sameOrigin(r); {
	case err != nil:
		v.fail(refusal{http.StatusForbidden, "Nothing was done: " + err.Error() + "."})
		return
	case value != "dark" && value != "light" && value != "auto":
		v.fail(refusal{http.StatusBadRequest, "There are the themes auto, dark and light."})
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: themeCookie, Value: value, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	http.Redirect(w, r, localPath(r.PostForm.Get("next")), http.StatusSeeOther)
}

// fail shows an error: what happened, and what to do about it.
func (v *visit) fail(err error) {
	if why, is := signedOut(err); is {
		next := v.r.URL.RequestURI()
		if v.r.Method != http.MethodGet {
			next = localPath(v.r.PostFormValue("back"))
			if why == "" {
				why = "Nothing was done: you are not signed in, or your session has ended. Sign in, and send the form again."
			}
		}
		if why != "" || v.hasCookie(sessionCookie) {
			http.SetCookie(v.w, clearCookie(sessionCookie))
			if why == "" {
				why = "Your session has ended. Sign in again; you come back to this page."
			}
		}
		v.askToSignIn(http.StatusUnauthorized, signInData{Next: localPath(next), Why: why})
		return
	}
	var form again
	if errors.As(err, &form) {
		if err = v.showApp(form.status, form.data); err == nil {
			return
		}
	}
	no := refusalOf(err)
	if no.status >= http.StatusInternalServerError && !errors.Is(v.ctx.Err(), err) {
		logging.FromContext(v.ctx).Warnw("not served", "path", v.r.URL.Path, zap.Error(err))
	}
	v.render(no.status, view{Name: "error", Title: http.StatusText(no.status), Data: no.text})
}

func (v *visit) hasCookie(name string) bool {
	_, err := v.r.Cookie(name)
	return err == nil
}
