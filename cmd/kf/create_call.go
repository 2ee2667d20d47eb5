package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// authorizationKey is the key of a call's Secret that holds its Authorization header.
const authorizationKey = "authorization"

type createCall struct {
	createJob
	method, body   string
	headers        []string
	auth, authFile string
	answerWithin   time.Duration
}

func newCreateCall(t *target) *cobra.Command {
	o := &createCall{createJob: createJob{target: t}}
	c := &cobra.Command{
		Use:   "create-call APP_NAME CALL_NAME URL",
		Short: "Create a call: an HTTP request that is sent on a schedule, or by hand",
		Long: `create-call creates a Job whose Tasks send an HTTP request, as PCF Scheduler's calls do, from the Space of the App. An answer
of 2xx is a success. Its log has the answer. All commands for Jobs work on calls as well.

What authorizes the request is kept in a Secret that goes with the call.`,
		Example: `  kf create-call shop refresh https://shop.example/refresh --schedule "*/15 * * * *"
  kf create-call shop report https://shop.example/report -X POST -H "Content-Type: application/json" --body '{"full": true}'
  kf create-call shop sync https://shop.example/sync --auth-header-file ./token -s @hourly`,
		Args: cobra.ExactArgs(3),
		RunE: o.run,
	}
	f := c.Flags()
	f.StringArrayVarP(&o.schedules, "schedule", "s", nil, "when to send it, e.g. \"30 2 * * *\"; may be given several times")
	f.StringVar(&o.zone, "time-zone", "", "IANA name of the zone of the schedule, e.g. Europe/Berlin; UTC when left out")
	f.StringVarP(&o.method, "method", "X", http.MethodGet, "GET, HEAD, POST, PUT, PATCH or DELETE")
	f.StringArrayVarP(&o.headers, "header", "H", nil, "header \"Name: value\", which is no secret; may be given several times")
	f.StringVar(&o.auth, "auth-header", "",
		"value of the header Authorization, e.g. \"Bearer ...\"; a list of processes shows it while kf runs")
	f.StringVar(&o.authFile, "auth-header-file", "", "file that holds the value of the header Authorization; - is the standard input")
	f.StringVar(&o.body, "body", "", "what to send, with POST, PUT, PATCH or DELETE")
	f.DurationVar(&o.answerWithin, "answer-within", time.Minute, "how long the answer may take, from 1s to 1h")
	f.Int32Var(&o.retries, "retries", 0, "how often to send it again when it fails")
	o.policy = string(v1alpha1.ConcurrencyAlways)
	asyncFlag(c, &o.async, "the call is ready")
	return c
}

func (o *createCall) run(cmd *cobra.Command, args []string) error {
	if err := o.check(cmd); err != nil {
		return err
	}
	if len(o.schedules) > 0 {
		if err := checkSchedules(o.zone, o.schedules, time.Now()); err != nil {
			return err
		}
	}
	request, err := o.request(args[2])
	if err != nil {
		return err
	}
	auth, err := o.authorization(cmd.InOrStdin())
	if err != nil {
		return err
	}
	if auth != "" {
		name := "kf-call-" + args[1]
		request.Headers = append(request.Headers, v1alpha1.CallHeader{Name: "Authorization", SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: authorizationKey}})
		o.created = func(ctx context.Context, job *v1alpha1.TaskSchedule) error { return o.keep(ctx, job, name, auth) }
	}
	job := o.described(cmd, args[:2])
	job.Spec.TaskTemplate.Call = request
	if _, err := preview(job, nil, time.Now()); err != nil {
		return err
	}
	return o.create(cmd.Context(), args[0], job)
}

// request is what the command line says of it.
func (o *createCall) request(address string) (*v1alpha1.Call, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("%.80q is no http or https URL: give one such as https://shop.example/nightly", address)
	case u.User != nil:
		return nil, errors.New("the URL holds a user and password, which everybody who may see the call would read: use --auth-header-file")
	case o.answerWithin < time.Second || o.answerWithin > time.Hour:
		return nil, errors.New("--answer-within is from 1s to 1h")
	}
	c := &v1alpha1.Call{URL: address, Method: strings.ToUpper(o.method), Body: o.body, TimeoutSeconds: int32(o.answerWithin.Seconds())}
	switch c.Method {
	case http.MethodGet, http.MethodHead:
		if o.body != "" {
			return nil, fmt.Errorf("--body needs a method that has one, and %s has none: use -X POST", c.Method)
		}
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, fmt.Errorf("--method is GET, HEAD, POST, PUT, PATCH or DELETE, not %.20q", o.method)
	}
	for _, h := range o.headers {
		name, value, found := strings.Cut(h, ":")
		if !found || strings.TrimSpace(name) == "" {
			return nil, fmt.Errorf("--header %.80q is no header: give \"Name: value\"", h)
		}
		if strings.EqualFold(strings.TrimSpace(name), "Authorization") {
			return nil, errors.New("--header Authorization: everybody who may see the call would read it: use --auth-header-file")
		}
		c.Headers = append(c.Headers, v1alpha1.CallHeader{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	return c, nil
}

// authorization is what the header Authorization is to hold, "" for none.
func (o *createCall) authorization(in io.Reader) (string, error) {
	if o.auth != "" && o.authFile != "" {
		return "", errors.New("give --auth-header or --auth-header-file, not both")
	}
	value := []byte(o.auth)
	var err error
	switch o.authFile {
	case "":
	case "-":
		value, err = io.ReadAll(io.LimitReader(in, 64<<10))
	default:
		value, err = os.ReadFile(o.authFile)
	}
	if err != nil {
		return "", fmt.Errorf("--auth-header-file: %w", err)
	}
	auth := strings.TrimSpace(string(value))
	switch {
	case auth == "" && o.authFile != "":
		return "", fmt.Errorf("--auth-header-file: %s holds nothing", o.authFile)
	case strings.ContainsAny(auth, "\r\n\x00"):
		return "", errors.New("the header Authorization has more than one line")
	}
	return auth, nil
}

// keep makes the Secret of a call, which goes with it. Without it the call is of no use, and goes too.
func (o *createCall) keep(ctx context.Context, job *v1alpha1.TaskSchedule, name, auth string) error {
	secrets, err := o.secrets()
	if err == nil {
		_, err = secrets.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Name:            name,
				Labels:          map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByKf},
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, v1alpha1.GroupVersion.WithKind("TaskSchedule"))},
			},
			Data: map[string][]byte{authorizationKey: []byte(auth)},
		}, metav1.CreateOptions{})
	}
	if err == nil {
		return nil
	}
	undo := o.kf.TaskSchedules(o.space).Delete(ctx, job.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &job.UID}})
	return errors.Join(fmt.Errorf("create Secret %s for what authorizes the call: %w; the call is not made", name, err), undo)
}
