package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	shellquote "github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/webhook"
)

type createWebhook struct {
	*target
	provider, app, job, command, filter string
	displayName, cpu, memory, disk      string
	env, secrets                        []string
	header, idHeader                    string
	rate                                int32
}

func newCreateWebhook(t *target) *cobra.Command {
	o := &createWebhook{target: t}
	c := &cobra.Command{
		Use:   "create-webhook WEBHOOK_NAME",
		Short: "Let another system run an App or a Job by what it posts, signed",
		Long: `create-webhook makes an address that another system posts to, and says what is run for it. Each --env is a variable of the
Task and a CEL expression over body, headers and id: what comes from outside reaches the Task in no other way.

Without --secret a secret is made and shown, once. The function webhook is let read it, and run Tasks in this Space, by a Role
and RoleBindings; where you may not make those, what an administrator has to run is printed.`,
		Example: `  kf create-webhook push --provider GitHub --app shop --filter 'body.ref == "refs/heads/main"' --env REV=body.after
  kf create-webhook paid --provider Stripe --job invoices --secret stripe-signing --env CUSTOMER=body.data.object.customer
  kf create-webhook own --provider HMAC --signature-header X-Signature --id-header X-Delivery --app shop`,
		Args: cobra.ExactArgs(1),
		RunE: o.run,
	}
	f := c.Flags()
	f.StringVar(&o.provider, "provider", "", "who signs: GitHub, Gitea, Forgejo, GitLab, GitLabToken, "+
		"Bitbucket, Slack, Stripe, StandardWebhooks, HMAC")
	f.StringVar(&o.app, "app", "", "App to run")
	f.StringVar(&o.job, "job", "", "Job to run, in place of an App")
	f.StringVar(&o.command, "command", "", "command to run, in place of the App's or the Job's")
	f.StringVar(&o.filter, "filter", "", "CEL expression: what it is not true for runs nothing")
	f.StringArrayVar(&o.env, "env", nil, "NAME=CEL, a variable of the Task; may be given several times")
	f.StringVar(&o.displayName, "display-name", "", "CEL expression: the Task's display name")
	f.StringVar(&o.cpu, "cpu-cores", "", "CEL expression: CPU to request")
	f.StringVar(&o.memory, "memory-limit", "", "CEL expression: memory to request")
	f.StringVar(&o.disk, "disk-quota", "", "CEL expression: ephemeral storage to request")
	f.StringArrayVar(&o.secrets, "secret", nil, "Secret that holds what the sender signs with, as NAME or NAME:KEY; several may match")
	f.StringVar(&o.header, "signature-header", "", "header with the signature, for the provider HMAC")
	f.StringVar(&o.idHeader, "id-header", "", "header with the delivery's id, for the provider HMAC")
	f.Int32Var(&o.rate, "rate", 600, "how many deliveries to take in a minute")
	return c
}

func (o *createWebhook) run(cmd *cobra.Command, args []string) error {
	hook, err := o.described(args[0])
	if err != nil {
		return err
	}
	if err := o.connect(); err != nil {
		return err
	}
	ctx := cmd.Context()
	if o.app != "" {
		_, err = o.target.app(ctx, o.app)
	} else {
		_, err = o.target.job(ctx, o.job)
	}
	if err != nil {
		return err
	}
	hook.Namespace = o.space
	made := len(o.secrets) == 0
	if made {
		hook.Spec.SecretRefs = []v1alpha1.SecretKey{{Name: hook.Name + "-webhook", Key: "secret"}}
	}
	kube, err := kubernetes.NewForConfig(o.cfg)
	if err != nil {
		return err
	}
	if hook, err = o.kf.Webhooks(o.space).Create(ctx, hook, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create Webhook %s: %w", args[0], err)
	}
	o.printf("Webhook %s created. Post to:\n  https://DOMAIN/%s/%s\n"+
		"where DOMAIN is the one of the function webhook: kubectl -n kf-tasks get ksvc webhook\n", hook.Name, o.space, hook.Name)
	if made {
		secret := newSecret()
		if err := create(ctx, kube.CoreV1().Secrets(o.space).Create, &corev1.Secret{
			ObjectMeta: ownedBy(hook, hook.Name+"-webhook"), StringData: map[string]string{"secret": secret}}); err != nil {
			return fmt.Errorf("create the Secret %s-webhook: %w", hook.Name, err)
		}
		o.printf("\nIts secret, which is not shown again:\n  %s\n", secret)
	}
	return o.grant(ctx, kube, hook)
}

// described is the Webhook of the command line. What is wrong with its expressions is said before anything is made.
func (o *createWebhook) described(name string) (*v1alpha1.Webhook, error) {
	hook := &v1alpha1.Webhook{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.WebhookSpec{
		Provider: v1alpha1.Provider(o.provider), Filter: o.filter, RatePerMinute: o.rate,
		Run: v1alpha1.WebhookRun{App: o.app, Job: o.job, Command: o.command, DisplayName: o.displayName,
			CPU: o.cpu, Memory: o.memory, Disk: o.disk},
	}}
	if (o.app == "") == (o.job == "") {
		return nil, errors.New("say --app or --job: one of them is run")
	}
	if o.header != "" || o.idHeader != "" {
		hook.Spec.HMAC = &v1alpha1.HMACHeaders{Header: o.header, IDHeader: o.idHeader}
	}
	for _, v := range o.env {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return nil, fmt.Errorf("--env %s is not NAME=CEL, for example REF=body.ref", v)
		}
		hook.Spec.Run.Env = append(hook.Spec.Run.Env, v1alpha1.WebhookEnv{Name: name, Value: value})
	}
	for _, s := range o.secrets {
		name, key, _ := strings.Cut(s, ":")
		hook.Spec.SecretRefs = append(hook.Spec.SecretRefs, v1alpha1.SecretKey{Name: name, Key: cmp.Or(key, "secret")})
	}
	_, err := webhook.New(hook)
	return hook, err
}

// newSecret is one that every provider takes: whsec_ and base64 of 32 bytes, as Standard Webhooks has them.
func newSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return "whsec_" + base64.StdEncoding.EncodeToString(b)
}

// ownedBy is the metadata of what goes with a Webhook.
func ownedBy(hook *v1alpha1.Webhook, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, OwnerReferences: []metav1.OwnerReference{{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "Webhook", Name: hook.Name, UID: hook.UID}}}
}

// create creates what may be there already.
func create[T any](ctx context.Context, by func(context.Context, T, metav1.CreateOptions) (T, error), obj T) error {
	if _, err := by(ctx, obj, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

// account is the function webhook's.
var account = rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "kf-tasks", Name: "webhook"}

// grant lets the function webhook read the Secrets that the Webhook names, and command this Space.
func (o *createWebhook) grant(ctx context.Context, kube kubernetes.Interface, hook *v1alpha1.Webhook) error {
	var names []string
	for _, s := range hook.Spec.SecretRefs {
		names = append(names, s.Name)
	}
	name := "kf-webhook-" + hook.Name
	rbac := kube.RbacV1()
	role := &rbacv1.Role{ObjectMeta: ownedBy(hook, name), Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: names, Verbs: []string{"get"}}}}
	binding := func(meta metav1.ObjectMeta, kind, role string) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{ObjectMeta: meta, Subjects: []rbacv1.Subject{account},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role}}
	}
	err := errors.Join(
		create(ctx, rbac.Roles(o.space).Create, role),
		create(ctx, rbac.RoleBindings(o.space).Create, binding(ownedBy(hook, name), "Role", name)),
		create(ctx, rbac.RoleBindings(o.space).Create,
			binding(metav1.ObjectMeta{Name: "kf-webhooks"}, "ClusterRole", "kf-tasks-commander")))
	if err == nil {
		return nil
	}
	o.progress("It runs nothing until an administrator of the Space lets the function webhook (%v):", err)
	for _, words := range [][]string{
		append([]string{"role", name, "--verb=get", "--resource=secrets"}, each("--resource-name=", names)...),
		{"rolebinding", name, "--role=" + name, "--serviceaccount=kf-tasks:webhook"},
		{"rolebinding", "kf-webhooks", "--clusterrole=kf-tasks-commander", "--serviceaccount=kf-tasks:webhook"},
	} {
		o.progress("  kubectl -n %s create %s", o.space, shellquote.Join(words...))
	}
	return nil
}

func each(prefix string, names []string) (all []string) {
	for _, n := range names {
		all = append(all, prefix+n)
	}
	return all
}
