package main

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"k8s.io/apimachinery/pkg/util/validation"
	strict "sigs.k8s.io/json"

	"github.com/kf-tasks/kf-tasks/shared/events"
)

// Request is what a caller asks for: to run an App or a Job, or how a Task stands.
type Request struct {
	Namespace, App, Job, Task string
	// Wait is how long the caller wants to wait for the end, within the limit.
	Wait time.Duration
	// Applied is what became of the header Prefer (RFC 7240, 3).
	Applied string
	// Key makes two requests one: the command's id.
	Key string
	// Data is the command's.
	Data []byte
}

// Parse reads a request; nobody waits for longer than limit. The error is the caller's fault.
func Parse(r *http.Request, limit time.Duration) (Request, error) {
	q := Request{Namespace: r.PathValue("namespace"), App: r.PathValue("app"), Job: r.PathValue("job"), Task: r.PathValue("task")}
	if len(validation.IsDNS1123Label(q.Namespace)) > 0 || len(validation.IsDNS1123Subdomain(q.App+q.Job+q.Task)) > 0 {
		return q, errors.New("these are no names of Kubernetes objects")
	}
	otherwise := limit
	if q.Task != "" {
		otherwise = 0 // whoever looks is told how it stands
	}
	var err error
	if q.Wait, q.Applied, err = prefer(r.Header.Values("Prefer"), otherwise, limit); err != nil || q.Task != "" {
		return q, err
	}
	if q.Key, err = key(r.Header.Values("Idempotency-Key")); err != nil {
		return q, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return q, fmt.Errorf("the body can't be read: %w", err)
	}
	q.Data, err = data(body, q)
	return q, err
}

// prefer reads the preferences wait and respond-async (RFC 7240, 4.1 and 4.3). Others are not for us, and of one that is there twice
// the first counts.
func prefer(headers []string, otherwise, limit time.Duration) (wait time.Duration, applied string, err error) {
	asked := map[string]string{}
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		preference, _, _ := strings.Cut(part, ";")
		name, value, _ := strings.Cut(preference, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if _, before := asked[name]; !before {
			asked[name] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	value, waits := asked["wait"]
	if _, async := asked["respond-async"]; async && !waits {
		return 0, "respond-async", nil
	}
	if !waits {
		return otherwise, "", nil
	}
	seconds, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, "", fmt.Errorf("Prefer: wait=%.20q must be a number of seconds", value)
	}
	wait = min(time.Duration(seconds)*time.Second, limit)
	return wait, "wait=" + strconv.Itoa(int(wait.Seconds())), nil
}

// visible is what a key may be: it is shown, and goes into an event's id.
var visible = regexp.MustCompile(`^[!-~]{1,256}$`)

// key is the caller's, with or without the quotes that a structured field has, or one that nobody has.
func key(headers []string) (string, error) {
	if len(headers) == 0 {
		return rand.Text(), nil
	}
	k := headers[0]
	if len(k) > 1 && k[0] == '"' && k[len(k)-1] == '"' {
		k = k[1 : len(k)-1]
	}
	if len(headers) > 1 || !visible.MatchString(k) {
		return "", errors.New("Idempotency-Key must be there once, with 1 to 256 visible characters of ASCII")
	}
	return k, nil
}

// data is a command's: what the caller says, and what the address does. Whether it makes sense is for the function command to say.
func data(body []byte, q Request) ([]byte, error) {
	said := map[string]json.RawMessage{}
	if len(body) > 0 {
		twice, err := strict.UnmarshalStrict(body, &said)
		if err = errors.Join(append(twice, err)...); err != nil {
			return nil, fmt.Errorf(`the body is no object in JSON, such as {"command": "bin/invoice"}: %w`, err)
		}
	}
	for name, value := range map[string]string{"namespace": q.Namespace, "app": q.App, "job": q.Job} {
		if _, there := said[name]; there {
			return nil, fmt.Errorf("the address says which Space, App or Job it is: leave %s out of the body", name)
		}
		if value != "" {
			said[name], _ = json.Marshal(value) // a text: can't fail
		}
	}
	return json.Marshal(said)
}

// Command is the event that asks for the Task. Its source is the address, so that a key is one within an App or a Job.
func (q Request) Command() cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetType(events.TaskRun)
	e.SetSource("/namespaces/" + q.Namespace + "/apps/" + q.App + "/tasks")
	if q.Job != "" {
		e.SetType(events.JobRun)
		e.SetSource("/namespaces/" + q.Namespace + "/jobs/" + q.Job + "/runs")
	}
	e.SetID(q.Key)
	e.SetDataContentType(cloudevents.ApplicationJSON)
	e.DataEncoded = q.Data
	return e
}

// Made is the name of the Task that the command makes, or made before.
func (q Request) Made() string {
	return events.TaskName(cmp.Or(q.App, q.Job), q.Command().Source(), q.Key)
}
