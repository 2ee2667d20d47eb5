package events

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// cause is what an event says of why there is another, and hands on to that.
type cause struct {
	// id is the event's own, which the next has as causationid (CloudEvents' extension "correlation").
	id string
	// trace and state are W3C's trace context (CloudEvents' extension "distributed tracing"), correlation the sender's own word for
	// all that belongs together.
	trace, state, correlation string
	// chain names the Jobs and Apps that have run because of one another, with spaces between: kfchain.
	chain string
}

const (
	maxState       = 512 // characters that all must hand on (W3C Trace Context, 3.3.1.5)
	maxCorrelation = 256
	maxID          = 1024
	// maxChain is how many may have run because of one another. What is a longer chain is a loop that somebody has made by accident.
	maxChain = 8
)

var (
	traceParent = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)
	noTrace     = regexp.MustCompile(`^ff|-0{32}-|-0{16}-`)
	traceState  = regexp.MustCompile(fmt.Sprintf(`^[\x20-\x7e]{1,%d}$`, maxState))
	chained     = regexp.MustCompile(`^[a-z0-9-]{1,63}/(jobs|apps)/[a-z0-9.-]{1,253}$`)
)

// causeIn is the cause that an event is.
func causeIn(e cloudevents.Event) cause {
	text := func(extension string) string {
		s, err := types.Format(e.Extensions()[extension])
		if err != nil {
			return ""
		}
		return s
	}
	return cause{e.ID(), text("traceparent"), text("tracestate"), text("correlationid"), text("kfchain")}.fit()
}

// causeOf is why a Task tells facts: the command that asked for it, or that its Job fired.
func causeOf(t *v1alpha1.Task) cause {
	of := t.Annotations
	c := cause{trace: of[v1alpha1.TraceParentAnnotation], state: of[v1alpha1.TraceStateAnnotation],
		correlation: of[v1alpha1.CorrelationAnnotation], chain: of[v1alpha1.ChainAnnotation]}
	owner := metav1.GetControllerOf(t)
	switch from := madeFrom(t); {
	case from != nil:
		c.id = from.ID
	case owner != nil && !t.Instant().IsZero():
		c.id = jobFactID(owner.UID, t.Instant(), JobFired)
	}
	if job := t.Labels[v1alpha1.TaskScheduleLabel]; job != "" {
		c.chain = with(c.chain, link(t.Namespace, "jobs", job))
	}
	return c.fit()
}

// fit leaves out what can't be handed on. That is what W3C asks for of a trace that is none; what else a sender gets wrong has been
// refused before, by check, and annotations may be anybody's.
func (c cause) fit() cause {
	if !traceParent.MatchString(c.trace) || noTrace.MatchString(c.trace) {
		c.trace = ""
	}
	if c.trace == "" || !traceState.MatchString(c.state) {
		c.state = ""
	}
	if len(c.correlation) > maxCorrelation || strings.ContainsFunc(c.correlation, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		c.correlation = ""
	}
	if checkChain(c.chain) != nil {
		c.chain = ""
	}
	if len(c.id) > maxID { // it is in the data of the fact, which has more room than its headers
		c.id = ""
	}
	return c
}

// tell writes the cause into an event.
func (c cause) tell(e *cloudevents.Event) {
	for extension, value := range map[string]string{
		"causationid": c.id, "traceparent": c.trace, "tracestate": c.state, "correlationid": c.correlation, "kfchain": c.chain,
	} {
		if value != "" {
			e.SetExtension(extension, value)
		}
	}
}

// HandOn are the annotations by which what is made of a Task belongs to its cause.
func HandOn(t *v1alpha1.Task) map[string]string { return causeOf(t).annotations() }

// annotations keep the cause on a Task.
func (c cause) annotations() map[string]string {
	kept := map[string]string{}
	for annotation, value := range map[string]string{
		v1alpha1.TraceParentAnnotation: c.trace, v1alpha1.TraceStateAnnotation: c.state,
		v1alpha1.CorrelationAnnotation: c.correlation, v1alpha1.ChainAnnotation: c.chain,
	} {
		if value != "" {
			kept[annotation] = value
		}
	}
	return kept
}

// checkCause says what of a command's cause can't be kept.
func checkCause(e cloudevents.Event) error {
	if s, _ := types.Format(e.Extensions()["correlationid"]); len(s) > maxCorrelation {
		return fmt.Errorf("the attribute correlationid has %d bytes: it may have %d", len(s), maxCorrelation)
	}
	s, _ := types.Format(e.Extensions()["kfchain"])
	return checkChain(s)
}

func checkChain(chain string) error {
	links := strings.Fields(chain)
	for _, l := range links {
		if !chained.MatchString(l) {
			return fmt.Errorf("the attribute kfchain holds %.80q: it is of NAMESPACE/jobs/NAME and NAMESPACE/apps/NAME", l)
		}
	}
	if len(links) > maxChain+1 { // a Task's own Job is one
		return fmt.Errorf("the attribute kfchain has %d links: it may have %d", len(links), maxChain)
	}
	return nil
}

func link(namespace, kind, name string) string { return namespace + "/" + kind + "/" + name }

// with is a chain with one more link, if it is not there.
func with(chain, l string) string {
	links := strings.Fields(chain)
	if slices.Contains(links, l) {
		return chain
	}
	return strings.Join(append(links, l), " ")
}
