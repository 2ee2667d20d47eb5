package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/coalesce"
	"github.com/kf-tasks/kf-tasks/shared/webhook"
)

const (
	// holds is how long what was read of a Webhook and its secrets is believed, and noHolds how long that there is none.
	holds, noHolds = 5 * time.Second, time.Second
	// remembered is how many Webhooks are kept, at most, and how many names of none.
	remembered = 4096
	// strangers is how many names that were never seen are looked up at once: whoever makes up names waits for others who do.
	strangers = 8
)

// Hooks reads Webhooks and the secrets that they name, and keeps them for seconds.
type Hooks struct {
	kf   *client.Client
	kube kubernetes.Interface

	fresh, none *cache.LRUExpireCache // by namespace/name: *hook, nothing
	seen        *cache.LRUExpireCache // by UID: *seen
	known       *cache.LRUExpireCache // names that had a Webhook
	reads       coalesce.Calls[*hook] // by namespace/name
	room        chan struct{}
}

// NewHooks makes one that reads by the clients.
func NewHooks(kf *client.Client, kube kubernetes.Interface) *Hooks {
	c := func() *cache.LRUExpireCache { return cache.NewLRUExpireCache(remembered) }
	return &Hooks{
		kf: kf, kube: kube, fresh: c(), none: c(), seen: c(), known: c(),
		reads: coalesce.Calls[*hook]{Patience: holds}, room: make(chan struct{}, strangers),
	}
}

// hook is a Webhook as it was read.
type hook struct {
	*webhook.Hook
	object  *v1alpha1.Webhook
	secrets [][]byte
	*seen
}

// seen is what outlives a reading: it is of the object, whatever its generation.
type seen struct {
	rate *rate.Limiter
	ring *ring

	generation int64
	compiled   *webhook.Hook
}

// Get returns a Webhook, nil if there is none.
func (h *Hooks) Get(ctx context.Context, namespace, name string) (*hook, error) {
	key := namespace + "/" + name
	if v, ok := h.fresh.Get(key); ok {
		return v.(*hook), nil
	}
	if _, ok := h.none.Get(key); ok || !client.ValidNamespace(namespace) || !client.ValidName(name) {
		return nil, nil
	}
	if _, ok := h.known.Get(key); !ok {
		select {
		case h.room <- struct{}{}:
			defer func() { <-h.room }()
		case <-ctx.Done():
			return nil, fmt.Errorf("look for Webhook %s: %w", key, ctx.Err())
		}
	}
	found, err := h.reads.Do(ctx, key, func(ctx context.Context) (*hook, error) { return h.read(ctx, namespace, name) })
	if ctx.Err() != nil {
		return nil, fmt.Errorf("look for Webhook %s: %w", key, ctx.Err())
	}
	return found, err
}

func (h *Hooks) read(ctx context.Context, namespace, name string) (*hook, error) {
	key := namespace + "/" + name
	object, err := client.Find(ctx, h.kf.Webhooks(namespace), namespace, name)
	if err != nil {
		return nil, err
	}
	if object == nil {
		h.none.Add(key, nil, noHolds)
		return nil, nil
	}
	h.known.Add(key, nil, 24*time.Hour)
	kept := h.of(object)
	if kept.compiled == nil {
		return nil, fmt.Errorf("the Webhook %s can't be used as it stands", key)
	}
	secrets, err := h.secrets(ctx, object)
	if err != nil {
		return nil, err
	}
	found := &hook{Hook: kept.compiled, object: object, secrets: secrets, seen: kept}
	h.fresh.Add(key, found, holds)
	return found, nil
}

// of is what is kept of a Webhook. Readings of one name come one after another.
func (h *Hooks) of(object *v1alpha1.Webhook) *seen {
	perMinute := int(max(object.Spec.RatePerMinute, 1))
	limit := rate.Every(time.Minute / time.Duration(perMinute))
	now := &seen{generation: object.Generation}
	if v, ok := h.seen.Get(object.UID); ok {
		old := v.(*seen)
		if old.generation == object.Generation {
			return old
		}
		now.ring, now.rate = old.ring, old.rate
		now.rate.SetLimit(limit)
		now.rate.SetBurst(perMinute)
	} else {
		now.ring, now.rate = newRing(object), rate.NewLimiter(limit, perMinute)
	}
	now.compiled, _ = webhook.New(object) // what is wrong with it is told when it is to decide
	h.seen.Add(object.UID, now, 24*time.Hour)
	return now
}

// secrets are those that the Webhook names, as far as they are there. Not to be let to read one is an error: the Space may yet
// grant it.
func (h *Hooks) secrets(ctx context.Context, object *v1alpha1.Webhook) (all [][]byte, err error) {
	read := map[string]*corev1.Secret{}
	for _, s := range object.Spec.SecretRefs {
		secret, ok := read[s.Name]
		if !ok {
			secret, err = client.Find(ctx, h.kube.CoreV1().Secrets(object.Namespace), object.Namespace, s.Name)
			if err != nil {
				return nil, err
			}
			read[s.Name] = secret
		}
		if secret != nil {
			all = append(all, webhook.Secret(secret.Data[s.Key]))
		}
	}
	return all, nil
}
