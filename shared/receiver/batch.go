package receiver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.uber.org/zap"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// maxBatch is how many events a batch may have: each costs what one alone does, and all must be handled in the time of one request.
const maxBatch = 100

// fate is what became of one event of a batch, in the words of an answer to it alone.
type fate struct {
	// ID and Source say which, as its sender wrote them; they are left out of what is no event.
	ID     string `json:"id,omitempty"`
	Source string `json:"source,omitempty"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// answerBatch hands each event of a batch to handle, in their order, and tells the sender what became of all. It is 200 only if every one
// is done: a sender who knows but one answer must not take what was refused for done. So it may send the whole batch again, which costs
// those that are done nothing. On 200 the replies are a batch.
func answerBatch(ctx context.Context, w http.ResponseWriter, h http.Header, body []byte, handle Handler) {
	list, err := split(h, body)
	if err != nil {
		logging.FromContext(ctx).Warnw("refused a batch", zap.Error(err))
		refuse(w, err)
		return
	}
	fates, replies := make([]fate, len(list)), []cloudevents.Event{}
	for i, item := range list {
		reply, f := one(ctx, item, handle)
		if fates[i] = f; reply != nil {
			replies = append(replies, *reply)
		}
	}
	if p := together(fates); p.Status != http.StatusOK {
		p.write(w)
		return
	}
	if len(replies) == 0 {
		return
	}
	w.Header().Set("Content-Type", cloudevents.ApplicationCloudEventsBatchJSON)
	if err := json.NewEncoder(w).Encode(replies); err != nil {
		logging.FromContext(ctx).Warnw("the sender did not take the replies", zap.Error(err))
	}
}

// split takes a batch apart.
func split(h http.Header, body []byte) (list []json.RawMessage, err error) {
	for name := range h {
		if strings.HasPrefix(name, "Ce-") {
			return nil, refused(http.StatusBadRequest, "the header %s is an event's, and a batch has many", name)
		}
	}
	if err := sane(body); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &list); err != nil || list == nil {
		return nil, refused(http.StatusBadRequest, "this is no list of CloudEvents in JSON: %v", err)
	}
	if len(list) > maxBatch {
		return nil, refused(http.StatusRequestEntityTooLarge, "the batch has %d events: send at most %d at once", len(list), maxBatch)
	}
	return list, nil
}

var alone = http.Header{"Content-Type": {cloudevents.ApplicationCloudEventsJSON}}

// one handles one event of a batch.
func one(ctx context.Context, item []byte, handle Handler) (*cloudevents.Event, fate) {
	e, err := parse(ctx, alone, item, structured)
	if err != nil {
		logging.FromContext(ctx).Warnw("refused an event of a batch", zap.Error(err))
		p := problemOf(err)
		return nil, fate{Status: p.Status, Detail: p.Detail}
	}
	var reply *cloudevents.Event
	if err = ctx.Err(); err == nil { // who has gone sends it again
		reply, err = handle(about(ctx, e), *e)
	}
	f := fate{ID: inert.Fit(e.ID(), maxAnswer), Source: inert.Fit(e.Source(), maxAnswer), Status: http.StatusOK}
	if res := Result(about(ctx, e), err); res != nil {
		p := problemOf(res)
		f.Status, f.Detail = p.Status, p.Detail
	}
	return reply, f
}

// together is the one answer to a batch:
//
//	every event is done                           200
//	some may be done later                        503  the whole batch again
//	some never will be, all for one reason        that, e.g. 401
//	some never will be, for several reasons       422
func together(fates []fate) problem {
	status, bad := http.StatusOK, 0
	for _, f := range fates {
		if f.Status == http.StatusOK {
			continue
		}
		switch bad++; {
		case f.Status == http.StatusServiceUnavailable || status == http.StatusServiceUnavailable:
			status = http.StatusServiceUnavailable
		case bad == 1 || status == f.Status:
			status = f.Status
		default:
			status = http.StatusUnprocessableEntity
		}
	}
	detail := fmt.Sprintf("%d of %d events are not done: see events, which are in the batch's order", bad, len(fates))
	return problem{Title: http.StatusText(status), Status: status, Detail: detail, Events: fates}
}
