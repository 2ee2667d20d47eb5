package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/telemetry"
	"github.com/kf-tasks/kf-tasks/shared/webhook"
)

// Handler answers deliveries. What becomes of one is decided by shared/webhook; here it is read, handed on, and written down.
type Handler struct {
	Hooks *Hooks
	Kf    *client.Client
	Sink  *Sink
	// Within is how long a delivery may take, from when its headers are read.
	Within time.Duration
	Now    func() time.Time
}

// Routes is the one address of a Webhook.
func (h *Handler) Routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{space}/{name}", h.serve)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answer(w, &webhook.Verdict{Rule: "Path", Status: http.StatusNotFound, Why: "post to /SPACE/NAME"})
	})
	return mux
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	// What is begun is done, whether the sender still waits or the function is told to stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), h.Within)
	defer cancel()
	v, from := h.handle(ctx, w, r)
	log := logging.FromContext(ctx).With("webhook", r.PathValue("space")+"/"+r.PathValue("name"), "status", v.Status, "rule", v.Rule)
	if v.Status == http.StatusServiceUnavailable {
		log.Warnw("not done; to be sent again", "why", v.Why)
	} else {
		log.Infow("answered", "why", v.Why)
	}
	telemetry.WebhookAnswered(ctx, from, v.Status)
	answer(w, v)
}

// handle takes the rules in their order: what costs least first, and nothing is parsed before it is known who sent it.
func (h *Handler) handle(ctx context.Context, w http.ResponseWriter, r *http.Request) (_ *webhook.Verdict, from v1alpha1.Provider) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return &webhook.Verdict{Rule: "Method", Status: http.StatusMethodNotAllowed, Why: "post a delivery"}, ""
	}
	hook, err := h.Hooks.Get(ctx, r.PathValue("space"), r.PathValue("name"))
	if err != nil {
		return unavailable("Object", err), ""
	}
	if hook == nil {
		return &webhook.Verdict{Rule: "Object", Status: http.StatusNotFound, Why: "there is no such Webhook"}, ""
	}
	return h.take(ctx, w, r, hook), hook.Spec.Provider
}

// take takes the rules that are about a Webhook's delivery.
func (h *Handler) take(ctx context.Context, w http.ResponseWriter, r *http.Request, hook *hook) *webhook.Verdict {
	body, v := h.body(w, r, hook)
	if v != nil {
		return v
	}
	d := &webhook.Delivery{Header: r.Header, Body: body, Secrets: hook.secrets, Now: h.Now()}
	if v := hook.Known(ctx, d); v != nil {
		return v
	}
	if at := hook.rate.ReserveN(d.Now, 1); !at.OK() || at.DelayFrom(d.Now) > 0 {
		wait := at.DelayFrom(d.Now)
		at.CancelAt(d.Now)
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
		return &webhook.Verdict{Rule: "Rate", Status: http.StatusTooManyRequests, Why: "more than the Webhook takes in a minute"}
	}
	if v = hook.Wanted(ctx, d); v == nil {
		return h.run(ctx, hook, d)
	}
	h.noteSoon(ctx, hook, webhook.EntryOf(d, v))
	return v
}

// body reads the body: 413 for one that is too large, 408 for one that does not come.
func (h *Handler) body(w http.ResponseWriter, r *http.Request, hook *hook) ([]byte, *webhook.Verdict) {
	// Half of the time is left for what is to be done with it.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.Within / 2)) // one that can't has the server's own
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, max(hook.Spec.MaxBytes, 1)))
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &large):
		return nil, &webhook.Verdict{Rule: "Size", Status: http.StatusRequestEntityTooLarge,
			Why: fmt.Sprintf("the body is larger than %d bytes", large.Limit)}
	}
	return nil, &webhook.Verdict{Rule: "Size", Status: http.StatusRequestTimeout, Why: "the body ended early, or was late"}
}

// run hands a command on and writes down that it did. Only when both are done is it accepted: whoever sends it again before that
// finds the Task by its name, and after that the mark.
func (h *Handler) run(ctx context.Context, hook *hook, d *webhook.Delivery) *webhook.Verdict {
	if v := hook.ring.Begin(d, hook.SignsID()); v != nil {
		if v.Outcome != v1alpha1.DeliveryStored {
			h.noteSoon(ctx, hook, webhook.EntryOf(d, v))
		}
		return v
	}
	defer hook.ring.End(d.Mark()) // if it was not saved
	v := h.Sink.Post(ctx, d.Command)
	if v.Outcome != v1alpha1.DeliveryStored {
		h.noteSoon(ctx, hook, webhook.EntryOf(d, v))
		return v
	}
	v.Why = "Task " + d.Task
	number := hook.ring.note(webhook.EntryOf(d, v))
	if err := hook.ring.save(ctx, h.Kf.Webhooks(hook.Namespace), number); err != nil {
		return unavailable("Record", err)
	}
	return v
}

// noteSoon writes down what nobody waits for: together with others, and perhaps not at all.
func (h *Handler) noteSoon(ctx context.Context, hook *hook, e webhook.Entry) {
	hook.ring.note(e)
	if !hook.ring.leads() {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		time.Sleep(time.Second) // those of the next second go along
		if err := hook.ring.save(ctx, h.Kf.Webhooks(hook.Namespace), hook.ring.latest()); err != nil {
			logging.FromContext(ctx).Warnw("deliveries are not shown", "webhook", hook.Namespace+"/"+hook.Name, zap.Error(err))
		}
	}()
}

func unavailable(rule string, err error) *webhook.Verdict {
	return &webhook.Verdict{Rule: rule, Status: http.StatusServiceUnavailable, Outcome: v1alpha1.DeliveryFailed, Why: err.Error()}
}

// answer tells a sender what became of its delivery. Who is not known is told nothing more, nor is what is wrong on our side: its
// log says that, and the Webhook's status.
func answer(w http.ResponseWriter, v *webhook.Verdict) {
	text := strings.ToLower(string(v.Outcome))
	switch {
	case v.Answer != "":
		text = v.Answer
	case v.Status == http.StatusUnauthorized:
		text = "the signature is not good"
		w.Header().Set("WWW-Authenticate", "Signature")
	case v.Status == http.StatusServiceUnavailable:
		text = "not done: send it again"
	case v.Outcome == "":
		text = v.Why
	case v.Why != "":
		text += ": " + v.Why
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(v.Status)
	_, _ = io.WriteString(w, webhook.Shown(text, 1024)+"\n")
}
