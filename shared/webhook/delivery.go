package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// Delivery is what somebody posted, and what was found out about it so far.
type Delivery struct {
	Header http.Header
	Body   []byte
	// Secrets are those that the Webhook names, as far as they could be read.
	Secrets [][]byte
	Now     time.Time

	// ID is the sender's own of this delivery. It is known once the body has been read: some say it there.
	ID string
	// Sent is when the sender says that it sent it, zero if it signs no time.
	Sent    time.Time
	Payload any
	Command *cloudevents.Event
	// Task is the name of the Task that the command makes.
	Task string
}

// Verdict is what becomes of a delivery: a status to answer, and why. Rule is the one that decided.
type Verdict struct {
	Rule    string
	Status  int
	Outcome v1alpha1.DeliveryOutcome
	Why     string
	// Answer is what the sender is to be answered in place of Why: a challenge that it wants back.
	Answer string
}

func ignored(why string) *Verdict {
	return &Verdict{Status: http.StatusAccepted, Outcome: v1alpha1.DeliveryIgnored, Why: why}
}

func refused(status int, why string) *Verdict {
	return &Verdict{Status: status, Outcome: v1alpha1.DeliveryRefused, Why: why}
}

// Mark is what a Webhook's status keeps of a delivery that was accepted: 96 bits each of a hash of its id and of its body, which
// nobody can choose to be another's.
type Mark struct{ ID, Body string }

// Mark is this delivery's.
func (d *Delivery) Mark() Mark { return Mark{short([]byte(d.ID)), short(d.Body)} }

func (m Mark) String() string { return m.ID + "." + m.Body }

func short(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// ReadMark reads what a status keeps.
func ReadMark(s string) (m Mark, ok bool) {
	m.ID, m.Body, ok = strings.Cut(s, ".")
	return m, ok
}

// Again says what a delivery is of which something was accepted before: the body that its id had, and the id that its body had.
// Nothing, if neither was there.
//
// Where the id is not signed, who has got hold of one delivery could send it again under ids of his own: a body is taken once.
func Again(m Mark, bodyOfID, idOfBody string, signsID bool) *Verdict {
	switch {
	case bodyOfID == m.Body:
		return &Verdict{Rule: "Again", Status: http.StatusAccepted, Outcome: v1alpha1.DeliveryStored, Why: "it was accepted before"}
	case bodyOfID != "":
		return &Verdict{Rule: "Again", Status: http.StatusUnprocessableEntity, Outcome: v1alpha1.DeliveryRefused,
			Why: "its id was used before, for another body"}
	case idOfBody != "" && !signsID:
		return &Verdict{Rule: "Again", Status: http.StatusAccepted, Outcome: v1alpha1.DeliveryIgnored,
			Why: "the same body was accepted before, under another id, which nobody signs: it was sent again"}
	}
	return nil
}

// Shown is text of a sender's as a status and an answer may have it: inert, and cut.
func Shown(s string, most int) string {
	s = inert.Fit(s, most)
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}

// Secret is a secret as senders mean it: without the end of a line, which `echo` and editors add.
func Secret(value []byte) []byte { return bytes.TrimRight(value, "\r\n") }
