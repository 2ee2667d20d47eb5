package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/webhook"
)

type webhookCommand struct {
	*target
	payload, at string
	headers     []string
}

func newWebhook(t *target) *cobra.Command {
	o := &webhookCommand{target: t}
	c := &cobra.Command{
		Use:   "webhook ACTION WEBHOOK_NAME",
		Short: "Show what came to a Webhook (deliveries), or what would become of a delivery (test)",
		Long: `webhook deliveries shows the latest deliveries whose signature was good, newest first, and what came of each.

webhook test says of a delivery, rule by rule, what would become of it, and shows the command. Nothing is sent, and nothing is run.
It reads the Webhook's secrets as you, to check the signature. What would be refused ends with exit code 1.`,
		Example: `  kf webhook deliveries push
  kf webhook test push --payload push.json --header "X-GitHub-Event: push" --header "X-Hub-Signature-256: sha256=757107ea"`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "deliveries":
				return o.deliveries(cmd.Context(), args[1])
			case "test":
				return o.test(cmd.Context(), args[1])
			}
			return fmt.Errorf("ACTION is deliveries or test, not %q", args[0])
		},
	}
	c.Flags().StringVar(&o.payload, "payload", "", "file with the body, byte for byte")
	c.Flags().StringArrayVar(&o.headers, "header", nil, "a header of the delivery, as \"Name: value\"; may be given several times")
	c.Flags().StringVar(&o.at, "at", "", "when it is received, as 2026-11-23T12:00:00Z; now when left out")
	return c
}

// webhook connects and finds a Webhook.
func (t *target) webhook(ctx context.Context, name string) (*v1alpha1.Webhook, error) {
	if err := t.connect(); err != nil {
		return nil, err
	}
	hook, err := client.Find(ctx, t.kf.Webhooks(t.space), t.space, name)
	if hook == nil && err == nil {
		return nil, notFound("there is no Webhook %q in Space %q; `kf webhooks --space %s` lists them", name, t.space, t.space)
	}
	return hook, err
}

func (o *webhookCommand) deliveries(ctx context.Context, name string) error {
	hook, err := o.webhook(ctx, name)
	if err != nil {
		return err
	}
	o.progress("Listing deliveries to Webhook %s in Space: %s", hook.Name, o.space)
	table := [][]string{{"Time", "ID", "Outcome", "Status", "Message"}}
	for _, d := range hook.Status.Deliveries {
		table = append(table, []string{d.Time.UTC().Format(time.RFC3339), d.ID, string(d.Outcome), strconv.Itoa(int(d.Status)), d.Message})
	}
	return o.table(table)
}

func (o *webhookCommand) test(ctx context.Context, name string) error {
	d, err := o.delivery()
	if err != nil {
		return err
	}
	object, err := o.webhook(ctx, name)
	if err != nil {
		return err
	}
	hook, err := webhook.New(object)
	if hook == nil {
		return fmt.Errorf("the Webhook %s can't be used as it stands: %w", name, err)
	}
	kube, err := kubernetes.NewForConfig(o.cfg)
	if err != nil {
		return err
	}
	for _, s := range object.Spec.SecretRefs {
		secret, err := kube.CoreV1().Secrets(o.space).Get(ctx, s.Name, metav1.GetOptions{})
		if err != nil {
			o.progress("The Secret %s can't be read: %v", s.Name, err)
			continue
		}
		d.Secrets = append(d.Secrets, webhook.Secret(secret.Data[s.Key]))
	}
	table := [][]string{{"Rule", "Status", "Why"}}
	if int64(len(d.Body)) > object.Spec.MaxBytes {
		table = append(table, []string{"Size", "413",
			fmt.Sprintf("the body has %d bytes, and may have %d", len(d.Body), object.Spec.MaxBytes)})
		return o.refused(table)
	}
	refused := false
	for _, step := range hook.Explain(ctx, d) {
		row := []string{step.Rule, "", "goes on"}
		if step.Verdict != nil {
			row = []string{step.Rule, strconv.Itoa(step.Verdict.Status), step.Verdict.Why}
			refused = refused || step.Verdict.Status >= http.StatusBadRequest
		}
		table = append(table, row)
	}
	switch {
	case refused:
		return o.refused(table)
	case d.Command == nil:
		return o.table(table)
	}
	if err := o.table(append(table, []string{"Command", "202", "would make Task " + d.Task})); err != nil {
		return err
	}
	o.printf("\n%s %s\n  %s\n", d.Command.Type(), d.Command.ID(), string(d.Command.Data()))
	return nil
}

// refused shows the rules, and that the last of them says no.
func (o *webhookCommand) refused(rules [][]string) error {
	if err := o.table(rules); err != nil {
		return err
	}
	return errors.New("the delivery would be refused, with status " + rules[len(rules)-1][1])
}

// delivery is the one of the command line.
func (o *webhookCommand) delivery() (*webhook.Delivery, error) {
	d := &webhook.Delivery{Header: http.Header{}, Now: time.Now()}
	if o.payload == "" {
		return nil, fmt.Errorf("say --payload FILE: the body that would be posted")
	}
	var err error
	if d.Body, err = os.ReadFile(o.payload); err != nil {
		return nil, err
	}
	if o.at != "" {
		if d.Now, err = time.Parse(time.RFC3339, o.at); err != nil {
			return nil, fmt.Errorf("--at %s is no time such as 2026-11-23T12:00:00Z", o.at)
		}
	}
	for _, h := range o.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || name == "" {
			return nil, fmt.Errorf("--header %s is not \"Name: value\"", h)
		}
		d.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	if d.Header.Get("Content-Type") == "" {
		d.Header.Set("Content-Type", "application/json")
	}
	return d, nil
}
