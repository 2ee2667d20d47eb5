package gather

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kf-tasks/kf-tasks/shared/story"
)

// TestLookNotesWhatCantBeRead: what is not there is no error, and what may not be read does not end the story.
func TestLookNotesWhatCantBeRead(t *testing.T) {
	unread := story.Unread{}
	pods := schema.GroupResource{Resource: "pods"}
	for part, err := range map[story.Part]error{
		story.PartApp: nil, story.PartPod: apierrors.NewForbidden(pods, "x", errors.New("no")), story.PartRun: errors.New("an hour late"),
	} {
		Look(unread, part, func() (*int, error) { return nil, err })
	}
	if len(unread) != 2 || !strings.HasPrefix(unread[story.PartPod], "you may not (") || unread[story.PartRun] != "an hour late" {
		t.Errorf("%v", unread)
	}
}
