package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Space is a namespace with what holds for all Apps in it. A namespace is a Space without such an object, too: the object is for who
// wants to set something, and for Kf's own CLI, which asks for it. It has the namespace's name.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories={kf}
// +kubebuilder:printcolumn:name="Registry",type=string,JSONPath=`.status.buildConfig.containerRegistry`
// +kubebuilder:printcolumn:name="Namespace",type=string,JSONPath=`.status.namespace`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].reason`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a Space's name is its namespace's: at most 63 lower case letters, digits and '-'"
// +kubebuilder:validation:XValidation:rule="!self.metadata.name.matches('^(kube|knative|tekton|openshift)-|^(default|kf-tasks)$')",message="this namespace is the cluster's own (kube-*, knative-*, tekton-*, openshift-*, default, kf-tasks) and can't be a Space: choose another name"
type Space struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec SpaceSpec `json:"spec,omitempty"`
	// +optional
	Status SpaceStatus `json:"status,omitempty"`

	// Unreadable says what of the stored spec could not be decoded, and why; "" if all could.
	Unreadable string `json:"-"`
}

// SpaceList is a list of Spaces.
//
// +kubebuilder:object:root=true
type SpaceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []Space `json:"items"`
}

// SpaceSpec is the Space as its administrator wants it. What of Kf's is not named here (networkConfig) is kept, and does nothing.
//
// +kubebuilder:pruning:PreserveUnknownFields
type SpaceSpec struct {
	// BuildConfig is Kf's: where images go, and what builds are given.
	// +optional
	BuildConfig SpaceBuildConfig `json:"buildConfig,omitempty"`

	// RuntimeConfig is Kf's: what Apps, and so Tasks, are given.
	// +optional
	RuntimeConfig SpaceRuntimeConfig `json:"runtimeConfig,omitempty"`

	// Defaults are what a Task gets of what neither it nor its App says. Not in Kf.
	// +optional
	Defaults SpaceDefaults `json:"defaults,omitempty"`

	// Retention is what an App keeps of its Tasks that says nothing of it itself. Not in Kf.
	// +optional
	Retention SpaceRetention `json:"retention,omitempty"`

	// Build says more of where images come from. Not in Kf.
	// +optional
	Build SpaceBuild `json:"build,omitempty"`

	// Services says what the bindings of services may use. Not in Kf.
	// +optional
	Services SpaceServices `json:"services,omitempty"`

	// Logs says what becomes of the logs of Tasks. Not in Kf.
	// +optional
	Logs SpaceLogs `json:"logs,omitempty"`

	// Commanders are those who may command this Space by events: run Tasks and Jobs, and terminate Tasks. Not in Kf.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Commanders []SpaceSubject `json:"commanders,omitempty"`

	// Pause stops the schedules of all Jobs of the Space, says why, and ends by itself at its until. Not in Kf.
	// +optional
	Pause *Pause `json:"pause,omitempty"`

	// Blackouts are when no Job of the Space starts by its schedule. Not in Kf.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Blackouts []Blackout `json:"blackouts,omitempty"`

	// Limits hold for all of the Space together. Not in Kf.
	// +optional
	Limits SpaceLimits `json:"limits,omitempty"`
}

// SpaceLimits hold for all Apps of a Space together.
type SpaceLimits struct {
	// MaxRunningTasks is how many Tasks of the Space may run at a time, e.g. 20; the others wait in its queue: next is the App of which
	// the fewest run, and of its Tasks the oldest. No limit when left out.
	// +optional
	// +kubebuilder:validation:Maximum=10000
	// +kubebuilder:validation:XValidation:rule="self >= 1",message="maxRunningTasks must be at least 1: to let none run, use pause instead"
	MaxRunningTasks *int32 `json:"maxRunningTasks,omitempty"`
}

// SpaceBuildConfig says where images go, and what builds are given.
//
// +kubebuilder:pruning:PreserveUnknownFields
type SpaceBuildConfig struct {
	// ContainerRegistry is where source and images are pushed to: a host, and may be a path, such as registry.example/kf. The cluster's
	// when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$')",message="containerRegistry must be a registry's host, and may have a path, such as registry.example/kf: no scheme, tag or '/' at the end"
	ContainerRegistry string `json:"containerRegistry,omitempty"`

	// Env is the environment of builds.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Env []SpaceEnvVar `json:"env,omitempty"`

	// DefaultToV3Stack is for Kf's CLI: it makes buildpacks' third version its choice. It is so when left out.
	// +optional
	// +nullable
	DefaultToV3Stack *bool `json:"defaultToV3Stack,omitempty"`

	// ServiceAccount is that of builds, such as builder; the namespace's default when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServiceAccount string `json:"serviceAccount,omitempty"`
}

// SpaceRuntimeConfig is what Apps are given.
//
// +kubebuilder:pruning:PreserveUnknownFields
type SpaceRuntimeConfig struct {
	// Env is the environment of all Apps. An App's own variables win.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Env []SpaceEnvVar `json:"env,omitempty"`

	// NodeSelector selects the nodes of all Apps, such as {"pool": "batch"}; any when left out. What an App selects by the same label wins.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
}

// SpaceEnvVar is a variable of all Apps or builds of a Space. Whoever may read the Space sees its value: what is secret belongs
// into a Secret of the namespace, and valueFrom names it.
type SpaceEnvVar struct {
	EnvVar `json:",inline"`
	// ValueFrom names the Secret or ConfigMap that has the value; value counts when left out.
	// +optional
	ValueFrom *corev1.EnvVarSource `json:"valueFrom,omitempty"`
}

// SpaceDefaults are what a Task gets of what neither it nor its App says.
type SpaceDefaults struct {
	// CPU is what a Task requests that names none, nor its App, in cores, such as 500m; none when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || isQuantity(self) && quantity(self).compareTo(quantity('1m')) >= 0 && quantity(self).compareTo(quantity('1M')) <= 0",message="cpu must be a quantity of cores from 1m to 1M, such as 1, 500m or 0.5"
	CPU string `json:"cpu,omitempty"`

	// Memory is what a Task requests, and is limited to, that names none, nor its App, in bytes with their unit, such as 512Mi; none when
	// left out.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || isQuantity(self) && quantity(self).compareTo(quantity('1Mi')) >= 0 && quantity(self).compareTo(quantity('1Pi')) <= 0",message="memory must be a quantity of bytes from 1Mi to 1Pi, with its unit, such as 1G or 512Mi"
	Memory string `json:"memory,omitempty"`

	// Disk is the ephemeral storage that a Task requests, and is limited to, that names none, nor its App, in bytes with their unit, such
	// as 1Gi; none when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || isQuantity(self) && quantity(self).compareTo(quantity('1Mi')) >= 0 && quantity(self).compareTo(quantity('1Pi')) <= 0",message="disk must be a quantity of bytes from 1Mi to 1Pi, with its unit, such as 1G or 512Mi"
	Disk string `json:"disk,omitempty"`

	// TaskTimeout stops a Task that names no timeout and runs longer, such as 2h30m. Zero is no limit; the cluster's default when left out.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '0' || size(self) > 0 && self.matches('^([0-9]{1,6}([.][0-9]{1,9})?h)?([0-9]{1,8}([.][0-9]{1,9})?m)?([0-9]{1,9}([.][0-9]{1,9})?s)?([0-9]{1,12}([.][0-9]{1,9})?ms)?$') && duration(self) <= duration('87600h')",message="taskTimeout must be a duration of at most 87600h, in hours, minutes and seconds, such as 90s or 2h30m; 0 is no limit"
	TaskTimeout *metav1.Duration `json:"taskTimeout,omitempty"`
}

// SpaceRetention says in the words of the annotations of retention.go what an App keeps of its Tasks.
type SpaceRetention struct {
	// Tasks is how many an App keeps: a number from 1, such as 500, or "unlimited". The cluster's when left out.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 : self == 'unlimited'",message="tasks must be a number from 1, or unlimited"
	Tasks *intstr.IntOrString `json:"tasks,omitempty"`

	// For is how long a Task is kept after it ended, such as 36h or 30d, or "unlimited". The cluster's when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^(unlimited|[0-9]{1,4}d|([0-9]{1,6}h)?([0-9]{1,8}m)?([0-9]{1,9}s)?)$')",message="for must be a duration such as 36h or 30d, or unlimited"
	For string `json:"for,omitempty"`

	// SucceededPerJob is how many Tasks that succeeded a Job keeps: a number from 0, such as 3, or "unlimited". The cluster's when left
	// out.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 : self == 'unlimited'",message="succeededPerJob must be a number from 0, or unlimited"
	SucceededPerJob *intstr.IntOrString `json:"succeededPerJob,omitempty"`
	// FailedPerJob is how many Tasks that failed a Job keeps: a number from 0, such as 1, or "unlimited". The cluster's when left out.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 : self == 'unlimited'",message="failedPerJob must be a number from 0, or unlimited"
	FailedPerJob *intstr.IntOrString `json:"failedPerJob,omitempty"`

	// PodsFor is how long the Pod of an ended Task is kept, such as 1h, or "unlimited". The cluster's when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^(unlimited|[0-9]{1,4}d|([0-9]{1,6}h)?([0-9]{1,8}m)?([0-9]{1,9}s)?)$')",message="podsFor must be a duration such as 36h or 30d, or unlimited"
	PodsFor string `json:"podsFor,omitempty"`
}

// SpaceBuild says where images come from.
type SpaceBuild struct {
	// BuilderImage is that of builds, such as registry.example/builder:base; the cluster's when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	BuilderImage string `json:"builderImage,omitempty"`
	// RunImage is what an App that was built is put on, such as registry.example/run:base; the cluster's when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	RunImage string `json:"runImage,omitempty"`

	// AllowedRegistries are those that Apps' images may come from, each a host that may have a path, such as registry.example/team. All may
	// when left out; the one that builds push to always may.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.all(r, r.matches('^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$'))",message="each of allowedRegistries must be a registry's host, and may have a path, such as registry.example/team: no scheme, tag or '*'"
	AllowedRegistries []string `json:"allowedRegistries,omitempty"`

	// ReadPullSecrets lets the function build read the Secrets and service accounts of the Space, to look into private images with the
	// credentials that Pods are pulled with. False when left out.
	// +optional
	ReadPullSecrets bool `json:"readPullSecrets,omitempty"`
}

// SpaceServices says what the bindings of services may use.
type SpaceServices struct {
	// UseSecrets lets the function bind read and write the Secrets of the Space, which it makes an App's VCAP_SERVICES and files of.
	// It may when left out; without it no service can be bound here.
	// +optional
	UseSecrets *bool `json:"useSecrets,omitempty"`
}

// SpaceLogs says what becomes of the logs of Tasks.
type SpaceLogs struct {
	// Archive keeps the log of each Task that is run from now on in a registry, beyond its Pod and the Task itself. There is none when
	// it is left out.
	// +optional
	// +nullable
	Archive *SpaceLogArchive `json:"archive,omitempty"`
}

// SpaceLogArchive is where logs are kept, and for how long.
type SpaceLogArchive struct {
	// Registry is where: a host, and may be a path, such as registry.example/logs. It is the one that builds push to when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$')",message="registry must be a registry's host, and may have a path, such as registry.example/logs: no scheme, tag or '/' at the end"
	Registry string `json:"registry,omitempty"`

	// KeepFor is how long a log is kept after its Task ended, such as 36h or 30d, or "unlimited"; 90d when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self == '' || self != '0' && self.matches('^(unlimited|[0-9]{1,4}d|([0-9]{1,6}h)?([0-9]{1,8}m)?([0-9]{1,9}s)?)$')",message="keepFor must be a duration such as 36h or 30d, or unlimited"
	KeepFor string `json:"keepFor,omitempty"`
}

// SpaceSubject is a user, a group or a service account.
//
// +kubebuilder:validation:XValidation:rule="(self.kind == 'ServiceAccount') == (has(self.__namespace__) && size(self.__namespace__) > 0)",message="namespace is where a ServiceAccount is: it has one, and User and Group have none"
type SpaceSubject struct {
	// Kind is User, Group or ServiceAccount.
	// +kubebuilder:validation:Enum=User;Group;ServiceAccount
	Kind string `json:"kind"`
	// Name is that of the user, the group or the service account, such as billing.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Name string `json:"name"`
	// Namespace is where a ServiceAccount is, such as shop; left out of User and Group.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// SpaceStatus is the Space as it stands.
type SpaceStatus struct {
	// ObservedGeneration is the generation of the Space that this status was made from.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions: Ready says whether namespace, rights and settings are as the Space asks; the reasons are in docs/spaces.md.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// Namespace says whose the namespace is: made for this Space, with which it goes, or adopted. Not in Kf.
	// +optional
	Namespace NamespaceOrigin `json:"namespace,omitempty"`

	// BuildConfig is what holds for builds: the Space's, or the cluster's where it says nothing. Kf's CLI reads it.
	// +optional
	BuildConfig SpaceStatusBuildConfig `json:"buildConfig,omitempty"`

	// RuntimeConfig is what holds for Apps.
	// +optional
	RuntimeConfig SpaceStatusRuntimeConfig `json:"runtimeConfig,omitempty"`

	// Admitted are the Tasks whose turn has come in the Space's queue, and that were to start last (shared/queue). Not in Kf.
	// +optional
	// +listType=atomic
	Admitted []Admission `json:"admitted,omitempty"`
}

// NamespaceOrigin says whose a Space's namespace is.
type NamespaceOrigin string

// Origins.
const (
	// NamespaceMade was made for the Space, and is deleted with it.
	NamespaceMade NamespaceOrigin = "Made"
	// NamespaceAdopted was there before, and stays.
	NamespaceAdopted NamespaceOrigin = "Adopted"
)

// SpaceStatusBuildConfig is what holds for builds, in Kf's words.
type SpaceStatusBuildConfig struct {
	// ContainerRegistry is where source and images are pushed to.
	// +optional
	ContainerRegistry string `json:"containerRegistry,omitempty"`
	// ServiceAccount is that of builds.
	// +optional
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// Env is the environment of builds.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Env []SpaceEnvVar `json:"env,omitempty"`
	// StacksV3 has one, of the builder and run image ("" is the builder's own) that hold; none where there is no builder.
	// +optional
	// +listType=atomic
	StacksV3 []StackV3 `json:"stacksV3,omitempty"`
	// DefaultToV3Stack tells Kf's CLI to build by buildpacks' third version.
	// +optional
	DefaultToV3Stack bool `json:"defaultToV3Stack"`
}

// StackV3 is a builder with its run image, in Kf's words.
type StackV3 struct {
	// Name is the stack's.
	Name string `json:"name"`
	// Description is for people.
	// +optional
	Description string `json:"description,omitempty"`
	// BuildImage is the builder.
	BuildImage string `json:"buildImage"`
	// RunImage is what an App that was built is put on; "" is the builder's own.
	RunImage string `json:"runImage"`
}

// SpaceStatusRuntimeConfig is what holds for Apps.
type SpaceStatusRuntimeConfig struct {
	// Env is the environment of all Apps.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Env []SpaceEnvVar `json:"env,omitempty"`
}
