package v1alpha1

import corev1 "k8s.io/api/core/v1"

// Call is an HTTP request that a Task sends, in place of a command of its App's image: PCF Scheduler's call. It is sent from the
// Space, as the App's service account and on its nodes, once for each start of the Task.
//
// +kubebuilder:validation:XValidation:rule="!has(self.body) || size(self.body) == 0 || has(self.method) && !(self.method in ['GET', 'HEAD'])",message="body needs a method that has one: POST, PUT, PATCH or DELETE"
type Call struct {
	// URL is where the request goes, such as "https://shop.example/internal/nightly". Who may sign in there belongs into headers.
	// +required
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/?#@\\\\s]+([/?#][^\\\\s]*)?$') && isURL(self)",message="url must be an http or https URL with a host, such as https://shop.example/nightly, without a user and password: those belong into a header from a Secret"
	URL string `json:"url"`

	// Method is GET when left out.
	// +optional
	// +kubebuilder:validation:Enum=GET;HEAD;POST;PUT;PATCH;DELETE
	Method string `json:"method,omitempty"`

	// Headers are those of the request, such as Content-Type or Authorization. None when left out.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Headers []CallHeader `json:"headers,omitempty"`

	// Body is sent as it is, such as {"full": true}. At most 64 KiB; empty when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	// +kubebuilder:validation:XValidation:rule="!self.contains('\\u0000')",message="body can't hold a NUL byte"
	Body string `json:"body,omitempty"`

	// TimeoutSeconds is how long the answer may take, to its last byte: from 1 to 3600 seconds, such as 300. 60 when left out.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`
}

// CallHeader is a header of a Call: with a value that whoever may read the Task may see, or with one from a Secret.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.value) && size(self.value) > 0 && has(self.secretKeyRef))",message="a header has a value, or a secretKeyRef, not both"
type CallHeader struct {
	// Name of the header, such as Authorization.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+.^_|~-]+$`
	Name string `json:"name"`

	// Value of the header, such as application/json. When left out, it is secretKeyRef's, or empty.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\r\\n\\u0000]')",message="a header's value is one line"
	Value string `json:"value,omitempty"`

	// SecretKeyRef is a key of a Secret of the Space that holds the value, such as the key authorization of the Secret nightly. The Task
	// waits until it is there. When left out, value counts.
	// +optional
	SecretKeyRef *corev1.SecretKeySelector `json:"secretKeyRef,omitempty"`
}
