package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/kmeta"
)

// ServiceInstance is a service whose credentials the user brings, for Apps to be bound to. The credentials are in the Secret that
// spec.parametersFrom names. It is Kf's, less the services of brokers and volumes.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories={all,kf}
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.status.serviceTypeDescription`
// +kubebuilder:printcolumn:name="ClassName",type=string,JSONPath=`.status.className`
// +kubebuilder:printcolumn:name="PlanName",type=string,JSONPath=`.status.planName`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].reason`
type ServiceInstance struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec ServiceInstanceSpec `json:"spec"`
	// +optional
	Status ServiceInstanceStatus `json:"status,omitempty"`
}

// ServiceInstanceList is a list of ServiceInstances.
//
// +kubebuilder:object:root=true
type ServiceInstanceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []ServiceInstance `json:"items"`
}

// ServiceInstanceSpec is the service as its owner wants it.
//
// +kubebuilder:validation:XValidation:rule="has(self.userProvided) && !has(self.brokered) && !has(self.osb) && !has(self.volume)",message="only services whose credentials you bring are built here (kf create-user-provided-service): nothing provisions those of brokers and volumes"
type ServiceInstanceSpec struct {
	// UserProvided is a service whose credentials the user brings.
	// +optional
	UserProvided *UserProvidedService `json:"userProvided,omitempty"`

	// Brokered, OSB and Volume are Kf's, and refused.
	// +optional
	Brokered *NotBuilt `json:"brokered,omitempty"`
	// +optional
	OSB *NotBuilt `json:"osb,omitempty"`
	// +optional
	Volume *NotBuilt `json:"volume,omitempty"`

	// Tags are words by which an App finds the service in VCAP_SERVICES, such as "sql".
	// +optional
	// +nullable
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=256
	Tags []string `json:"tags"`

	// ParametersFrom names the Secret with the credentials: one JSON object, under the key "params".
	// +kubebuilder:validation:XValidation:rule="has(self.name) && size(self.name) > 0",message="parametersFrom.name must be the name of the Secret with the credentials"
	ParametersFrom corev1.LocalObjectReference `json:"parametersFrom"`

	// DeleteRequests is Kf's; its CLI counts it up when it deletes the service.
	// +optional
	DeleteRequests int `json:"deleteRequests,omitempty"`
}

// UserProvidedService is a service whose credentials the user brings.
type UserProvidedService struct {
	// RouteServiceURL is Kf's, and refused: nothing serves routes here.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="route services are not built here: nothing serves routes"
	RouteServiceURL *NotBuilt `json:"routeServiceURL,omitempty"`

	// MockClassName is the label in VCAP_SERVICES, "user-provided" when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	MockClassName string `json:"mockClassName,omitempty"`

	// MockPlanName is the plan in VCAP_SERVICES; none when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	MockPlanName string `json:"mockPlanName,omitempty"`
}

// NotBuilt stands for what Kf has, and is refused here.
//
// +kubebuilder:pruning:PreserveUnknownFields
type NotBuilt struct{}

// ServiceInstanceStatus is the service as it stands.
type ServiceInstanceStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// ServiceTypeDescription is "user-provided".
	// +optional
	ServiceTypeDescription string `json:"serviceTypeDescription,omitempty"`

	// SecretName is the Secret with the credentials, once it is there.
	// +optional
	SecretName string `json:"secretName,omitempty"`

	ServiceFields `json:",inline"`

	// DeleteRequests is the last spec.deleteRequests that was seen.
	// +optional
	DeleteRequests int `json:"deleteRequests,omitempty"`
}

// ServiceFields are what VCAP_SERVICES says of a service.
type ServiceFields struct {
	// +optional
	// +nullable
	// +listType=atomic
	Tags []string `json:"tags"`
	// ClassName is the label.
	// +optional
	ClassName string `json:"className,omitempty"`
	// +optional
	PlanName string `json:"planName,omitempty"`
}

// ServiceInstanceBinding lets an App's Tasks have the credentials of a service. It is Kf's, less that of routes.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories={all,kf}
// +kubebuilder:printcolumn:name="App",type=string,JSONPath=`.spec.app.name`
// +kubebuilder:printcolumn:name="Service",type=string,JSONPath=`.spec.instanceRef.name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].reason`
type ServiceInstanceBinding struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec ServiceInstanceBindingSpec `json:"spec"`
	// +optional
	Status ServiceInstanceBindingStatus `json:"status,omitempty"`
}

// ServiceInstanceBindingList is a list of ServiceInstanceBindings.
//
// +kubebuilder:object:root=true
type ServiceInstanceBindingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []ServiceInstanceBinding `json:"items"`
}

// ServiceInstanceBindingSpec is the binding as its owner wants it.
//
// +kubebuilder:validation:XValidation:rule="has(self.app) && !has(self.route)",message="a binding is of an App (kf bind-service APP SERVICE): nothing serves routes here"
// +kubebuilder:validation:XValidation:rule="self.app == oldSelf.app && self.instanceRef == oldSelf.instanceRef && self.parametersFrom == oldSelf.parametersFrom",message="a binding stays what it is: unbind, and bind anew"
// +kubebuilder:validation:XValidation:rule=`(has(self.bindingNameOverride) ? self.bindingNameOverride : "") == (has(oldSelf.bindingNameOverride) ? oldSelf.bindingNameOverride : "")`,message="the name of a binding stays: unbind, and bind anew"
type ServiceInstanceBindingSpec struct {
	// App is the App that is bound.
	// +optional
	App *BoundApp `json:"app,omitempty"`

	// Route is Kf's, and refused.
	// +optional
	Route *NotBuilt `json:"route,omitempty"`

	// InstanceRef is the service.
	// +kubebuilder:validation:XValidation:rule="has(self.name) && size(self.name) > 0",message="instanceRef.name must be the name of a service"
	InstanceRef corev1.LocalObjectReference `json:"instanceRef"`

	// ParametersFrom names the Secret with what is added to the service's credentials, and wins over them: one JSON object, under
	// the key "params".
	// +kubebuilder:validation:XValidation:rule="has(self.name) && size(self.name) > 0",message="parametersFrom.name must be the name of the Secret with the binding's parameters"
	ParametersFrom corev1.LocalObjectReference `json:"parametersFrom"`

	// BindingNameOverride is the name by which the App finds the service; the service's own when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	BindingNameOverride string `json:"bindingNameOverride,omitempty"`

	// ProgressDeadlineSeconds is Kf's, for brokers.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ProgressDeadlineSeconds int64 `json:"progressDeadlineSeconds,omitempty"`

	// UnbindRequests is Kf's; its CLI counts it up when it unbinds.
	// +optional
	UnbindRequests int `json:"unbindRequests,omitempty"`
}

// BoundApp names the App that is bound.
type BoundApp struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// ServiceInstanceBindingStatus is the binding as it stands.
type ServiceInstanceBindingStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// BindingName is the name by which the App finds the service.
	// +optional
	BindingName string `json:"bindingName,omitempty"`

	// CredentialsSecretRef is the Secret with the credentials that the App has, each value as JSON: Kf's form.
	// +optional
	CredentialsSecretRef corev1.LocalObjectReference `json:"credentialsSecretRef,omitempty"`

	// Binding is the Secret whose keys are the files of the binding (servicebinding.io, Provisioned Service). Not in Kf.
	// +optional
	Binding corev1.LocalObjectReference `json:"binding,omitempty"`

	ServiceFields `json:",inline"`

	// UnbindRequests is the last spec.unbindRequests that was seen.
	// +optional
	UnbindRequests int `json:"unbindRequests,omitempty"`
}

const (
	// ServiceFinalizer keeps a service until no App is bound to it, and a binding until its App no longer has the credentials. It is
	// Kf's name, on both.
	ServiceFinalizer = "serviceinstancebinding.kf.dev"
	// ServiceParams is the key, in the Secrets of services and bindings, of one JSON object.
	ServiceParams = "params"
	// UserProvidedClass is the label in VCAP_SERVICES, and the type, of a service whose credentials the user brings.
	UserProvidedClass = "user-provided"
)

// ServiceParamsSecret names the Secret with a service's credentials, as Kf's CLI does. Names that are no names of objects differ
// from Kf's, which hashes them.
func ServiceParamsSecret(instance string) string {
	return kmeta.ChildName("serviceinstance-"+instance+"-params", "")
}

// BindingName names the binding of an App to a service, as Kf's CLI does: there is one.
func BindingName(app, instance string) string {
	return kmeta.ChildName("binding-"+app+"-"+instance, "")
}

// BindingParamsSecret names the Secret with a binding's parameters, as Kf's CLI does.
func BindingParamsSecret(app, instance string) string {
	return kmeta.ChildName("binding-"+app+"-"+instance+"-params", "")
}

// CredentialsSecret names the Secret with a binding's credentials in Kf's form.
func CredentialsSecret(binding string) string { return kmeta.ChildName("credentials-"+binding, "") }

// BindingFilesSecret names the Secret whose keys are a binding's files.
func BindingFilesSecret(binding string) string { return kmeta.ChildName("files-"+binding, "") }
