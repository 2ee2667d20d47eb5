package main

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/space"
)

// HoldToSpace says on an App if its Space (nil if there is none) does not allow its images. runtask starts none of its Tasks then, for the
// same reason.
func HoldToSpace(app *v1alpha1.App, of *v1alpha1.Space, now time.Time) {
	if why := space.NotAllowed(app, of); why != "" {
		v1alpha1.SetCondition(app, &app.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse,
			Reason: v1alpha1.ReasonImageNotAllowed, Message: why + ": push the App with another image"}, now)
	}
}

// HeldToSpace says whether an App says of that what its Space says now.
func HeldToSpace(app *v1alpha1.App, of *v1alpha1.Space) bool {
	said := v1alpha1.Reason(app.Status.Conditions, v1alpha1.ConditionReady) == v1alpha1.ReasonImageNotAllowed
	return app.DeletionTimestamp != nil || said == (space.NotAllowed(app, of) != "")
}

// spaces are all of them by name, by one list from the API server's cache.
func (h *Handler) spaces(ctx context.Context) (map[string]*v1alpha1.Space, error) {
	all := map[string]*v1alpha1.Space{}
	for of, err := range client.All[*v1alpha1.Space](ctx, h.Kf.Spaces(), metav1.ListOptions{ResourceVersion: "0"}) {
		if err != nil {
			return nil, err
		}
		all[of.Name] = of
	}
	return all, nil
}
