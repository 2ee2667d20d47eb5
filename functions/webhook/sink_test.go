package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// TestFate: only what was taken is accepted, and only what can never be is refused: all else may pass, and is sent again.
func TestFate(t *testing.T) {
	for name, test := range map[string]struct {
		status  int
		err     error
		answer  int
		outcome v1alpha1.DeliveryOutcome
		why     string
	}{
		"taken":           {202, nil, 202, v1alpha1.DeliveryStored, ""},
		"done":            {200, nil, 202, v1alpha1.DeliveryStored, ""},
		"bad":             {422, nil, 422, v1alpha1.DeliveryRefused, "refused: said"},
		"too large":       {413, nil, 422, v1alpha1.DeliveryRefused, "refused: said"},
		"no right":        {403, nil, 503, v1alpha1.DeliveryFailed, "does not let its Webhooks run Tasks: said"},
		"no token":        {401, nil, 503, v1alpha1.DeliveryFailed, "does not let"},
		"moved":           {302, nil, 503, v1alpha1.DeliveryFailed, "302 said"},
		"not there":       {404, nil, 503, v1alpha1.DeliveryFailed, "404 said"},
		"busy":            {429, nil, 503, v1alpha1.DeliveryFailed, "429 said"},
		"down":            {503, nil, 503, v1alpha1.DeliveryFailed, "503 said"},
		"nobody answered": {0, errors.New("EOF"), 503, v1alpha1.DeliveryFailed, "could not be handed on: EOF"},
	} {
		v := Fate(test.status, "said", test.err)
		if v.Status != test.answer || v.Outcome != test.outcome || !strings.Contains(v.Why, test.why) {
			t.Errorf("%s: %+v, want %d %s %q", name, v, test.answer, test.outcome, test.why)
		}
	}
}
