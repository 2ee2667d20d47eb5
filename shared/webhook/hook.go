package webhook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// Hook is a Webhook that is ready to decide: its expressions are compiled, once for each of its generations.
type Hook struct {
	Namespace, Name string
	Spec            *v1alpha1.WebhookSpec

	provider provider
	filter   *expression // nil: all pass
	mapping  []mapped
	unfit    error // why it can't decide: an expression that can't be compiled
}

// mapped is an expression and what its value is for.
type mapped struct {
	of string // for people: "env REF", "cpu"
	*expression
}

// New makes a Webhook ready. What is wrong with its expressions is an error, with which it is usable all the same: it verifies, and
// then refuses.
func New(w *v1alpha1.Webhook) (*Hook, error) {
	h := &Hook{Namespace: w.Namespace, Name: w.Name, Spec: w.Spec.DeepCopy()}
	var known bool
	h.provider, known = providers[w.Spec.Provider]
	switch {
	case !known:
		names := slices.Sorted(maps.Keys(providers))
		return nil, fmt.Errorf("provider %q is not one of this version's, which are %v", w.Spec.Provider, names)
	case w.Spec.Provider == v1alpha1.ProviderHMAC && (w.Spec.HMAC == nil || w.Spec.HMAC.Header == ""):
		return nil, errors.New("the provider HMAC needs hmac.header")
	case w.Unreadable != "":
		return nil, errors.New(w.Unreadable)
	}
	h.unfit = h.compile()
	return h, h.unfit
}

func (h *Hook) compile() error {
	var unfit []error
	add := func(of, text string, kind kind) *expression {
		e, err := compile(text, kind)
		if err != nil {
			unfit = append(unfit, fmt.Errorf("%s: %w", of, err))
		}
		return e
	}
	if h.Spec.Filter != "" {
		h.filter = add("filter", h.Spec.Filter, truth)
	}
	run := h.Spec.Run
	for _, m := range []struct{ of, text string }{
		{"displayName", run.DisplayName}, {"cpu", run.CPU}, {"memory", run.Memory}, {"disk", run.Disk},
	} {
		if m.text != "" {
			h.mapping = append(h.mapping, mapped{m.of, add(m.of, m.text, text)})
		}
	}
	for _, v := range run.Env {
		h.mapping = append(h.mapping, mapped{"env " + v.Name, add("env "+v.Name, v.Value, text)})
	}
	return errors.Join(unfit...)
}

// Source is the source of the command events of a Webhook.
func (h *Hook) Source() string {
	return fmt.Sprintf("/apis/%s/namespaces/%s/webhooks/%s", v1alpha1.GroupVersion, h.Namespace, h.Name)
}

func passesFilter(ctx context.Context, h *Hook, d *Delivery) *Verdict {
	if h.unfit != nil {
		return refused(http.StatusUnprocessableEntity, "the Webhook can't be used as it stands: "+inert.Fit(h.unfit.Error(), 500))
	}
	if h.filter == nil {
		return nil
	}
	v, err := h.filter.eval(ctx, d)
	if err != nil {
		return refused(http.StatusUnprocessableEntity, "filter: "+err.Error())
	}
	if pass, ok := v.(bool); !ok {
		return refused(http.StatusUnprocessableEntity, fmt.Sprintf("filter: it yields %s, not true or false", kindOf(v)))
	} else if !pass {
		return ignored("filter: it is not for this Webhook")
	}
	return nil
}
