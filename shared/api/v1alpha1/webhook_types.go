package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Webhook is an address to which another system posts, and what of this Space is run for it. Not in Kf.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={all,kf},shortName=kfhook
// +kubebuilder:printcolumn:name="Provider",type=string,JSONPath=`.spec.provider`
// +kubebuilder:printcolumn:name="App",type=string,JSONPath=`.spec.run.app`
// +kubebuilder:printcolumn:name="Job",type=string,JSONPath=`.spec.run.job`
// +kubebuilder:printcolumn:name="Suspend",type=boolean,JSONPath=`.spec.suspend`
// +kubebuilder:printcolumn:name="LastDelivery",type=date,JSONPath=`.status.deliveries[0].time`
// +kubebuilder:printcolumn:name="Outcome",type=string,JSONPath=`.status.deliveries[0].outcome`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="a Webhook's name must be at most 63 characters"
type Webhook struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec WebhookSpec `json:"spec"`
	// +optional
	Status WebhookStatus `json:"status,omitempty"`

	// Unreadable says what of the stored spec could not be decoded, and why; "" if all could.
	Unreadable string `json:"-"`
}

// WebhookList is a list of Webhooks.
//
// +kubebuilder:object:root=true
type WebhookList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []Webhook `json:"items"`
}

// Provider is a way in which senders sign.
type Provider string

// Providers.
const (
	ProviderGitHub           Provider = "GitHub"
	ProviderGitea            Provider = "Gitea"
	ProviderForgejo          Provider = "Forgejo"
	ProviderGitLab           Provider = "GitLab"
	ProviderGitLabToken      Provider = "GitLabToken" // legacy: signs nothing
	ProviderBitbucket        Provider = "Bitbucket"
	ProviderSlack            Provider = "Slack"
	ProviderStripe           Provider = "Stripe"
	ProviderStandardWebhooks Provider = "StandardWebhooks"
	ProviderHMAC             Provider = "HMAC"
)

// WebhookSpec says who may post, and what is run for it.
//
// +kubebuilder:validation:XValidation:rule="(self.provider == 'HMAC') == has(self.hmac)",message="hmac says how the provider HMAC signs: it has it, and no other"
type WebhookSpec struct {
	// Provider says how the sender signs.
	// +kubebuilder:validation:Enum=GitHub;Gitea;Forgejo;GitLab;GitLabToken;Bitbucket;Slack;Stripe;StandardWebhooks;HMAC
	Provider Provider `json:"provider"`

	// SecretRefs name the secrets that the sender may have signed with: any of them is enough, so that one can be put in
	// the place of another without a gap.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	SecretRefs []SecretKey `json:"secretRefs"`

	// HMAC says how the provider HMAC signs.
	// +optional
	HMAC *HMACHeaders `json:"hmac,omitempty"`

	// Filter is a CEL expression over body, headers and id, such as body.ref == "refs/heads/main": what it is not true for is answered, and
	// runs nothing. All runs when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Filter string `json:"filter,omitempty"`

	// Run says what is run.
	Run WebhookRun `json:"run"`

	// RatePerMinute is how many deliveries are taken in a minute, such as 60; what is more is told to come again. 600 when left out.
	// +optional
	// +kubebuilder:default=600
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=60000
	RatePerMinute int32 `json:"ratePerMinute,omitempty"`

	// MaxBytes is how large a payload may be, in bytes, such as 65536; the function's own MAX_BODY holds as well. 1048576 when left out.
	// +optional
	// +kubebuilder:default=1048576
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=26214400
	MaxBytes int64 `json:"maxBytes,omitempty"`

	// WindowSeconds is how far, in seconds, the time that a sender signs may be from ours, such as 60. 300 when left out. Senders that sign
	// none have no window.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	WindowSeconds int32 `json:"windowSeconds,omitempty"`

	// Suspend answers deliveries, and runs nothing for them. False when left out.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// SecretKey names a value in a Secret of the Webhook's namespace.
type SecretKey struct {
	// Name is the Secret's, such as github.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name"`
	// Key is where the value is in the Secret, such as token; secret when left out.
	// +optional
	// +kubebuilder:default=secret
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// HMACHeaders are the headers of a sender that signs the body with HMAC-SHA256, in hexadecimal.
type HMACHeaders struct {
	// Header has the signature, with or without sha256= before it, such as X-Signature.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9-]+$`
	Header string `json:"header"`
	// IDHeader has the delivery's id, such as X-Request-Id. When left out, the id is made from the body, so that two deliveries of the same
	// bytes are one.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9-]*$`
	IDHeader string `json:"idHeader,omitempty"`
}

// WebhookRun is what is run: an App, or a Job. What comes from outside reaches it as the values of variables alone, as the text
// of a display name, and as quantities; the command is the Webhook's.
//
// +kubebuilder:validation:XValidation:rule="(has(self.app) && size(self.app) > 0) != (has(self.job) && size(self.job) > 0)",message="run names an app or a job: one of them"
// +kubebuilder:validation:XValidation:rule="!has(self.displayName) || size(self.displayName) == 0 || has(self.app)",message="a Job's Tasks have the Job's displayName"
type WebhookRun struct {
	// App is the App whose image is run, such as shop; when left out, job is run.
	// +optional
	// +kubebuilder:validation:MaxLength=57
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$`
	App string `json:"app,omitempty"`

	// Job is the Job that is run, now, such as nightly; when left out, app is run.
	// +optional
	// +kubebuilder:validation:MaxLength=52
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$`
	Job string `json:"job,omitempty"`

	// Command replaces the App's start command, or the Job's command, such as bin/deploy. It is this text, whatever was posted. The App's,
	// or the Job's, when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	Command string `json:"command,omitempty"`

	// DisplayName is a CEL expression whose value the Task gets as its displayName, such as "push of " + body.after; an empty value is
	// none, as when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	DisplayName string `json:"displayName,omitempty"`
	// CPU is a CEL expression whose value, in cores, the Task gets, such as "500m"; an empty value is none, as when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	CPU string `json:"cpu,omitempty"`
	// Memory is a CEL expression whose value, in bytes with their unit, the Task gets, such as body.large ? "2Gi" : "512Mi"; an empty value
	// is none, as when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Memory string `json:"memory,omitempty"`
	// Disk is a CEL expression whose value, in bytes with their unit, the Task gets, such as "1Gi"; an empty value is none, as when left
	// out.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Disk string `json:"disk,omitempty"`

	// Env are variables of the Task: each value is a CEL expression.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Env []WebhookEnv `json:"env,omitempty"`
}

// WebhookEnv is a variable whose value is made from what was posted.
type WebhookEnv struct {
	// Name is the variable's, such as COMMIT.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	Name string `json:"name"`
	// Value is a CEL expression whose value the variable gets, such as body.after.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value"`
}

const (
	// MaxAccepted is how many deliveries a Webhook remembers to have run, MaxDeliveries how many it shows.
	MaxAccepted   = 1000
	MaxDeliveries = 25
)

// WebhookStatus is what came of the latest deliveries whose signature was good. Of others nothing is kept.
type WebhookStatus struct {
	// Accepted are the latest deliveries for which something was run, newest last: 96 bits of a hash of the id and of the body each.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MaxLength=64
	Accepted []string `json:"accepted,omitempty"`

	// Deliveries are the latest deliveries, newest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=25
	Deliveries []Delivery `json:"deliveries,omitempty"`
}

// Delivery is the record of one delivery.
type Delivery struct {
	// ID is the sender's, as far as it can be shown.
	// +kubebuilder:validation:MaxLength=256
	ID string `json:"id"`
	// Time is when it came.
	Time metav1.Time `json:"time"`

	// Outcome is Stored (something is run), Ignored (nothing is to be), Refused (it can't be) or Failed (it may pass, if the
	// sender comes again).
	// +kubebuilder:validation:Enum=Stored;Ignored;Refused;Failed
	Outcome DeliveryOutcome `json:"outcome"`

	// Status is the HTTP status that the sender was answered.
	Status int32 `json:"status"`

	// Message says why; of what is stored, which Task it is.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// DeliveryOutcome is what came of a delivery.
type DeliveryOutcome string

// Outcomes of deliveries.
const (
	DeliveryStored  DeliveryOutcome = "Stored"
	DeliveryIgnored DeliveryOutcome = "Ignored"
	DeliveryRefused DeliveryOutcome = "Refused"
	DeliveryFailed  DeliveryOutcome = "Failed"
)
