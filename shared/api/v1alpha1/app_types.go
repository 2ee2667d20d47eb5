package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// App is an image or source with its configuration: environment, bindings, resources, start command. Tasks inherit all
// of it. Fields of Kf's App that Tasks have no use for are kept as they are.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={all,kf}
// +kubebuilder:printcolumn:name="Instances",type=string,JSONPath=`.status.instances.representation`
// +kubebuilder:printcolumn:name="Memory",type=string,JSONPath=`.spec.template.spec.containers[0].resources.requests.memory`
// +kubebuilder:printcolumn:name="Disk",type=string,JSONPath=`.spec.template.spec.containers[0].resources.requests.ephemeral-storage`
// +kubebuilder:printcolumn:name="CPU",type=string,JSONPath=`.spec.template.spec.containers[0].resources.requests.cpu`
// +kubebuilder:printcolumn:name="Image",type=string,JSONPath=`.status.image`,priority=1
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=='Ready')].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 57",message="an App's name must be at most 57 characters: its Tasks add a suffix to it and must stay within 63"
type App struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	// +kubebuilder:default={}
	// +kubebuilder:pruning:PreserveUnknownFields
	Spec AppSpec `json:"spec,omitempty"`
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Status AppStatus `json:"status,omitempty"`

	// Unreadable says what of the stored spec could not be decoded, and why; "" if all could.
	Unreadable string `json:"-"`
}

// AppList is a list of Apps.
//
// +kubebuilder:object:root=true
type AppList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []App `json:"items"`
}

// AppSpec is the App as its user wants it.
type AppSpec struct {
	// Build says where the image comes from.
	// +optional
	// +kubebuilder:default={}
	Build AppSpecBuild `json:"build"`

	// Template is the Pod that the App runs in, and that its Tasks inherit.
	// +optional
	// +kubebuilder:default={}
	Template AppSpecTemplate `json:"template"`

	// Instances says how many servers run. An App that is there for its Tasks only is stopped.
	// +optional
	Instances AppSpecInstances `json:"instances,omitempty"`

	// Pause stops the schedules of all Jobs of the App, says why, and ends by itself at its until. Not in Kf.
	// +optional
	Pause *Pause `json:"pause,omitempty"`

	// Blackouts are when no Job of the App starts by its schedule. Not in Kf.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Blackouts []Blackout `json:"blackouts,omitempty"`

	// MaxRunningTasks is how many Tasks of the App may run at a time, e.g. 5; the others wait in its queue, oldest first. No limit when
	// left out. Not in Kf.
	// +optional
	// +kubebuilder:validation:Maximum=10000
	// +kubebuilder:validation:XValidation:rule="self >= 1",message="maxRunningTasks must be at least 1: to let none run, use pause instead"
	MaxRunningTasks *int32 `json:"maxRunningTasks,omitempty"`
}

// AppSpecBuild says where the image comes from.
//
// +kubebuilder:pruning:PreserveUnknownFields
type AppSpecBuild struct {
	// UpdateRequests changes whenever a new build is asked for: `kf push` adds 1, such as from 3 to 4. 0 when left out.
	// +optional
	// +kubebuilder:validation:Minimum=0
	UpdateRequests int `json:"updateRequests,omitempty"`

	// Image is a ready container image, such as registry.example/shop:7, used instead of a build. When left out, spec says how it is built.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Image *string `json:"image,omitempty"`

	// Spec says how the image is built from source. One of image and spec counts, image before spec.
	// +optional
	Spec *BuildSpec `json:"spec,omitempty"`

	// RebaseRequests changes whenever the image that was built is to get the newest run image under it, without a build: `kf rebase` adds
	// 1, such as from 0 to 1. 0 when left out. Not in Kf.
	// +optional
	// +kubebuilder:validation:Minimum=0
	RebaseRequests int `json:"rebaseRequests,omitempty"`
}

// AppSpecTemplate is the Pod that the App runs in.
type AppSpecTemplate struct {
	// UpdateRequests changes whenever a new deployment is asked for, such as from 0 to 1. 0 when left out; nothing is deployed for it here.
	// +optional
	// +kubebuilder:validation:Minimum=0
	UpdateRequests int `json:"updateRequests"`

	// Spec is the Pod: its first container is the App's. The image in it is ignored; see build.
	// +optional
	// +kubebuilder:default={containers:{{name:"user-container"}}}
	Spec corev1.PodSpec `json:"spec,omitempty"`

	// StartCommand is the start command as `kf push --command` was given it: one string, such as bin/serve --port 8080, which is read as a
	// Task's command is, by a shell. It says so of the container's args, and counts while they are this one string; args that somebody else
	// wrote are Kubernetes' own. The image's own start command when left out. Not in Kf.
	// +optional
	// +kubebuilder:validation:MaxLength=131071
	StartCommand string `json:"startCommand,omitempty"`
}

// AppSpecInstances says how many servers run.
//
// +kubebuilder:pruning:PreserveUnknownFields
type AppSpecInstances struct {
	// Stopped is true for an App that serves nothing, as `kf push --task` makes it. False when left out.
	// +optional
	Stopped bool `json:"stopped,omitempty"`

	// Replicas is a fixed number of servers, such as 2. Nothing serves an App here: it is kept for Kf's CLI, and none when left out.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Replicas *int32 `json:"replicas,omitempty"`
}

// AppStatus is the App as it stands.
type AppStatus struct {
	// ObservedGeneration is the generation of the App that this status was made from.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions: Ready says whether Tasks can run, BuildReady how the build from source went; each reason is in docs/tasks.md and
	// docs/build.md.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// Image is what Tasks run, such as registry.example/shop@sha256:....
	// +optional
	Image string `json:"image,omitempty"`

	// ServiceAccountName is the account that Tasks run as; the namespace's default when empty.
	// +optional
	ServiceAccountName string `json:"serviceAccountName,omitempty"`

	// Tasks counts them.
	// +optional
	Tasks AppTaskStatus `json:"tasks,omitempty"`

	// StartCommands is what is known of how the image starts a command.
	// +optional
	StartCommands StartCommandStatus `json:"startCommands,omitempty"`

	// BuildName is the PipelineRun that builds, or has built, what spec.build.spec asks for.
	// +optional
	BuildName string `json:"buildName,omitempty"`

	// RebaseName is the PipelineRun of the last rebase that was asked for, if one was. Not in Kf.
	// +optional
	RebaseName string `json:"rebaseName,omitempty"`

	// Processes are the process types that buildpacks have put into the image. A Task may name one. Not in Kf.
	// +optional
	// +listType=map
	// +listMapKey=type
	Processes []Process `json:"processes,omitempty"`

	// Instances is the number of servers, for people.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Instances InstanceStatus `json:"instances,omitempty"`

	// Bindings are the services whose credentials the App's next Task finds as files. No value is here. Not in Kf.
	// +optional
	// +listType=map
	// +listMapKey=binding
	Bindings []AppBinding `json:"bindings,omitempty"`

	// Admitted are the Tasks whose turn has come in the App's queue, and that were to start last (shared/queue). Not in Kf.
	// +optional
	// +listType=atomic
	Admitted []Admission `json:"admitted,omitempty"`
}

// AppBinding is a service whose credentials a Task finds as files (servicebinding.io, Workload Projection).
type AppBinding struct {
	// Binding is the ServiceInstanceBinding.
	Binding string `json:"binding"`
	// Name is the directory, in that of SERVICE_BINDING_ROOT.
	Name string `json:"name"`
	// Secret has the files.
	Secret string `json:"secret"`
	// Keys are the names of the files in it.
	// +listType=atomic
	Keys []string `json:"keys"`
}

// Admission is a Task whose turn has come in a queue.
type Admission struct {
	// Task is its name, for people.
	// +optional
	Task string `json:"task,omitempty"`
	// UID tells it from another of the name.
	UID types.UID `json:"uid"`
	// At is when its turn came. It must have started soon after that, or waits for another turn.
	At metav1.Time `json:"at"`
}

// Process is a process type of an image that buildpacks have built (buildpacks/spec, platform.md, io.buildpacks.build.metadata).
type Process struct {
	// Type names it, as "web" or "worker".
	Type string `json:"type"`
	// Command is what it starts: for people, for /cnb/process/TYPE in the image is what is run.
	// +optional
	// +listType=atomic
	Command []string `json:"command,omitempty"`
	// Args are the arguments with which it starts.
	// +optional
	// +listType=atomic
	Args []string `json:"args,omitempty"`
}

// InstanceStatus is the number of servers, for people.
type InstanceStatus struct {
	// Representation is "stopped" for an App that is there for its Tasks.
	// +optional
	Representation string `json:"representation,omitempty"`
}

// AppTaskStatus counts an App's Tasks.
type AppTaskStatus struct {
	// UpdateRequests is the highest Task ID given out so far.
	// +optional
	UpdateRequests int `json:"updateRequests"`
}

// StartCommandStatus is what the function build found in the image, once per image and push.
type StartCommandStatus struct {
	// Container is the image's entrypoint (ENTRYPOINT).
	// +optional
	// +listType=atomic
	Container []string `json:"container,omitempty"`
	// Args are what the entrypoint is given where nobody says anything (CMD). Not in Kf.
	// +optional
	// +listType=atomic
	Args []string `json:"args,omitempty"`

	// Buildpack is unused here; it is Kf's.
	// +optional
	// +listType=atomic
	Buildpack []string `json:"buildpack,omitempty"`

	// Image is the image that the rest was read from.
	// +optional
	Image string `json:"image,omitempty"`
	// UpdateRequests is that of spec.build when the image was read: whoever pushes again may mean another image by the same tag. Not in Kf.
	// +optional
	UpdateRequests int `json:"updateRequests,omitempty"`
	// Digest is what the image's tag meant. Not in Kf.
	// +optional
	Digest string `json:"digest,omitempty"`

	// Error says why the image could not be read. Tasks then assume a shell.
	// +optional
	Error string `json:"error,omitempty"`

	// Failures counts the looks into this image that failed, one after another. Each waits longer for the next than the one before. Not in
	// Kf.
	// +optional
	Failures int `json:"failures,omitempty"`
	// LookedAt is when the last of the looks that failed was. Not in Kf.
	// +optional
	LookedAt *metav1.Time `json:"lookedAt,omitempty"`

	// Shell says how the image runs a command string: Launcher (a buildpack's launcher takes the string), Shell (it has a
	// shell) or None (its entrypoint takes the words of the string as arguments). Not in Kf.
	// +optional
	// +kubebuilder:validation:Enum=Launcher;Shell;None;""
	Shell Shell `json:"shell,omitempty"`

	// ShellPath is the best shell of the image, bash where it has one; empty if it has none. Not in Kf.
	// +optional
	ShellPath string `json:"shellPath,omitempty"`

	// Hidden is the directory of the image that holds the App and that its Tasks find empty, for Tekton mounts one of its own there; ""
	// if there is none. Not in Kf.
	// +optional
	Hidden string `json:"hidden,omitempty"`
}

// Shell is how an image runs a command string.
type Shell string

// Ways to run a command string.
const (
	ShellLauncher Shell = "Launcher"
	ShellPOSIX    Shell = "Shell"
	ShellNone     Shell = "None"
)
