package v1alpha1

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Task is one run of an App's image to completion.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={all,kf},shortName=kftask
// +kubebuilder:printcolumn:name="ID",type=integer,JSONPath=`.status.id`
// +kubebuilder:printcolumn:name="DisplayName",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Duration",type=string,JSONPath=`.status.duration`
// +kubebuilder:printcolumn:name="Succeeded",type=string,JSONPath=`.status.conditions[?(@.type=="Succeeded")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Succeeded")].reason`
// +kubebuilder:printcolumn:name="App",type=string,JSONPath=`.spec.appRef.name`,priority=1
// +kubebuilder:printcolumn:name="RequestedBy",type=string,JSONPath=`.spec.requestedBy`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.appRef.name`
// +kubebuilder:selectablefield:JSONPath=`.status.completionTime`
// +kubebuilder:selectablefield:JSONPath=`.spec.terminated`
// +kubebuilder:selectablefield:JSONPath=`.status.termination.log`
// +kubebuilder:selectablefield:JSONPath=`.status.deadline`
// +kubebuilder:selectablefield:JSONPath=`.status.log.state`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="a Task's name must be at most 63 characters: it becomes a label of its Pod"
type Task struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	// +kubebuilder:validation:XValidation:rule="!has(oldSelf.terminated) || !oldSelf.terminated || (has(self.terminated) && self.terminated)",message="a terminated Task can't be revived: run a new one"
	// +kubebuilder:validation:XValidation:rule="!has(oldSelf.appRef) || !has(oldSelf.appRef.name) || (has(self.appRef) && self.appRef == oldSelf.appRef)",message="appRef can't be changed: run a new Task"
	// +kubebuilder:validation:XValidation:rule="(has(self.requestedBy) ? self.requestedBy : '') == (has(oldSelf.requestedBy) ? oldSelf.requestedBy : '')",message="requestedBy can't be changed: it says who asked for this Task"
	// +kubebuilder:validation:XValidation:rule="(has(self.count) ? self.count : 0) == (has(oldSelf.count) ? oldSelf.count : 0)",message="count can't be changed: run a new Task"
	Spec TaskSpec `json:"spec"`
	// +optional
	Status TaskStatus `json:"status,omitempty"`

	// Unreadable says what of the stored spec could not be decoded, and why; "" if all could.
	Unreadable string `json:"-"`
}

// TaskList is a list of Tasks.
//
// +kubebuilder:object:root=true
type TaskList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []Task `json:"items"`
}

// TaskSpec says which App's image to run, and with what.
//
// +kubebuilder:validation:XValidation:rule="has(self.appRef) && has(self.appRef.name) && size(self.appRef.name) > 0",message="appRef.name is required: name the App whose image this Task runs"
// +kubebuilder:validation:XValidation:rule="!has(self.command) || size(self.command) == 0 || (!has(self.args) || size(self.args) == 0) && (!has(self.process) || size(self.process) == 0)",message="a command stands alone: give command, or args, or process"
// +kubebuilder:validation:XValidation:rule="!has(self.call) || (!has(self.command) || size(self.command) == 0) && (!has(self.args) || size(self.args) == 0) && (!has(self.process) || size(self.process) == 0)",message="a call stands alone: a Task sends a request, or runs a command, args or a process"
// +kubebuilder:validation:XValidation:rule="!has(self.notBefore) || !has(self.expires) || self.notBefore < self.expires",message="notBefore must be before expires: such a Task could never start"
// +kubebuilder:validation:XValidation:rule="!has(self.parallelism) || has(self.count) && self.parallelism <= self.count",message="parallelism is of how many Tasks of an array run at a time: from 1 to count"
// +kubebuilder:validation:XValidation:rule="!has(self.count) || !has(self.env) || size(self.env) <= 62",message="an array can have at most 62 variables of its own: KF_TASK_INDEX and KF_TASK_COUNT are added to them"
type TaskSpec struct {
	// DisplayName is shown in lists, such as migrate. It is the Task's name when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.contains('\\u0000')",message="displayName can't hold a NUL byte"
	DisplayName string `json:"displayName,omitempty"`

	// AppRef names the App, in the same namespace, that this Task runs on.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.name) || self.name == '' || size(self.name) <= 57 && self.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="appRef.name must be the name of an App: at most 57 lower case letters, digits, '-' and '.'"
	AppRef corev1.LocalObjectReference `json:"appRef,omitempty"`

	// CPU overrides the App's CPU request, in cores, e.g. "1", "500m" or "0.5". The App's when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || isQuantity(self) && quantity(self).compareTo(quantity('1m')) >= 0 && quantity(self).compareTo(quantity('1M')) <= 0",message="cpu must be a quantity of cores from 1m to 1M, such as 1, 500m or 0.5"
	CPU string `json:"cpu,omitempty"`

	// Memory overrides the App's memory request and limit, in bytes with their unit, e.g. "1G" or "512Mi". The App's when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || isQuantity(self) && quantity(self).compareTo(quantity('1Mi')) >= 0 && quantity(self).compareTo(quantity('1Pi')) <= 0",message="memory must be a quantity of bytes from 1Mi to 1Pi, with its unit, such as 1G or 512Mi"
	Memory string `json:"memory,omitempty"`

	// Disk overrides the App's ephemeral storage request and limit, in bytes with their unit, e.g. "1G" or "512Mi". The App's when left
	// out.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '' || isQuantity(self) && quantity(self).compareTo(quantity('1Mi')) >= 0 && quantity(self).compareTo(quantity('1Pi')) <= 0",message="disk must be a quantity of bytes from 1Mi to 1Pi, with its unit, such as 1G or 512Mi"
	Disk string `json:"disk,omitempty"`

	// Command replaces the App's start command. It is one string with shell semantics, as in Cloud Foundry, such as bin/migrate --all | tee
	// log. When it, args and process are left out, the App's start command runs.
	// +optional
	// +kubebuilder:validation:MaxLength=131071
	// +kubebuilder:validation:XValidation:rule="bytes(self).size() <= 131071",message="command must be at most 131071 bytes: the kernel takes no longer argument"
	// +kubebuilder:validation:XValidation:rule="!self.contains('\\u0000')",message="command can't hold a NUL byte: the kernel would end it there"
	Command string `json:"command,omitempty"`

	// Args are words that are run without a shell, such as ["bin/migrate", "--all"], as `docker run IMAGE ARGS` runs them: they are
	// arguments of the App's entrypoint, or else of the image's, and where there is none the first of them is the program. Nothing in them
	// is expanded. None when left out. Not in Kf.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=16384
	// +kubebuilder:validation:XValidation:rule="self.all(word, !word.contains('\\u0000'))",message="a word can't hold a NUL byte: the kernel would end it there"
	Args []string `json:"args,omitempty"`

	// Process is a process type of the App's image, such as "worker", that is run in place of a command: buildpacks have put it there, and
	// status.processes of the App lists them. None when left out. Not in Kf.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self == '' || self.matches('^[A-Za-z0-9._-]+$') && self != '.' && self != '..'",message="process must be the name of a process type: letters, digits, '.', '_' and '-'"
	Process string `json:"process,omitempty"`

	// Call is an HTTP request that the Task sends, in place of a command. Not in Kf.
	// +optional
	Call *Call `json:"call,omitempty"`

	// Env is added to the App's environment, and wins over it; Cloud Foundry's own variables stay. A value is taken as it
	// is: $(NAME) in it is expanded by nobody. Not in Kf.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Env []EnvVar `json:"env,omitempty"`

	// Terminated asks for the Task to be stopped. It can't be taken back. False when left out.
	// +optional
	Terminated bool `json:"terminated,omitempty"`

	// Timeout stops a Task that runs longer, e.g. "90s" or "2h". Zero means no limit. When left out, the cluster's
	// default holds. Not in Kf.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == '0' || size(self) > 0 && self.matches('^([0-9]{1,6}([.][0-9]{1,9})?h)?([0-9]{1,8}([.][0-9]{1,9})?m)?([0-9]{1,9}([.][0-9]{1,9})?s)?([0-9]{1,12}([.][0-9]{1,9})?ms)?$') && duration(self) <= duration('87600h')",message="timeout must be a duration of at most 87600h, in hours, minutes and seconds, such as 90s or 2h30m; 0 is no limit"
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// Retries is how often a failed Task is tried again before it counts as failed, such as 2. 0, never, when left out. Not in Kf.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Retries int32 `json:"retries,omitempty"`

	// NotBefore is when the Task may start, such as 2026-12-01T01:00:00Z; it waits until then. At once when left out. Not in Kf.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$`
	NotBefore *metav1.Time `json:"notBefore,omitempty"`

	// Expires is when the Task is of no use any more, such as 2026-12-01T06:00:00Z: if its command has not begun by then, it never does,
	// and the Task has failed. Never when left out. Not in Kf.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$`
	Expires *metav1.Time `json:"expires,omitempty"`

	// Count makes the Task an array, such as of 20: it runs nothing itself, and has so many Tasks made, NAME-0 to NAME-19, each of which
	// has its index in KF_TASK_INDEX and this number in KF_TASK_COUNT. It succeeds if all of them do. No array when left out. Not in Kf.
	// +optional
	// +kubebuilder:validation:Maximum=1000
	// +kubebuilder:validation:XValidation:rule="self >= 1",message="count must be at least 1: leave it out for a Task that is no array"
	Count int32 `json:"count,omitempty"`

	// Parallelism is how many Tasks of an array may be under way at a time, e.g. 5. All when left out. Not in Kf.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= 1",message="parallelism must be at least 1: leave it out to have all at a time"
	Parallelism int32 `json:"parallelism,omitempty"`

	// RequestedBy is who asked for this Task by a command event: a user name as the API server knows it, such as
	// system:serviceaccount:shop:billing. When left out, nobody had to say (a Job's schedule, kubectl, a Space that takes commands from
	// anyone). Nobody but the function command sets another's name than its own (config/crd/requested-by.yaml). Not in Kf.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	RequestedBy string `json:"requestedBy,omitempty"`
}

// EnvVar is a variable of a Task's own, with a plain value: what is secret belongs into a Secret that the App names.
type EnvVar struct {
	// Name is the variable's, such as GREETING.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	// +kubebuilder:validation:XValidation:rule="self != 'KF_DOLLAR'",message="KF_DOLLAR is how a dollar gets past Tekton, and no variable of yours"
	Name string `json:"name"`
	// Value is the variable's, such as hello; empty when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=32768
	// +kubebuilder:validation:XValidation:rule="!self.contains('\\u0000')",message="a value can't hold a NUL byte: the kernel would end it there"
	Value string `json:"value,omitempty"`
}

// TaskStatus is what became of a Task.
type TaskStatus struct {
	// ObservedGeneration is the generation of the Task that this status was made from.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions: Succeeded is the outcome; AppReady and PipelineRunReady say how far the Task came.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// ID increases with each Task of an App. IDs are unique within the App; there may be gaps.
	// +optional
	ID int `json:"id,omitempty"`

	// StartTime is when the run was accepted by Tekton.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// CompletionTime is when the Task ended, however it ended.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// Duration is the time from start to completion, such as 1m30s.
	// +optional
	Duration *metav1.Duration `json:"duration,omitempty"`

	// ExitCode is what the Task's process returned, where it came to that. Not in Kf.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty"`

	// Usage is what the Task's processes took, once it has ended, where its image has a shell to read it. With retries it is that of the
	// last try. Not in Kf.
	// +optional
	Usage *Usage `json:"usage,omitempty"`

	// Deadline is when the Task's time limit ends it. A Task without a limit has none, nor has one that ended before it. Not in Kf.
	// +optional
	Deadline *metav1.Time `json:"deadline,omitempty"`

	// Starts are the times that the command was let begin: one, and at most one more for each retry. Each is written here
	// before it happens. Not in Kf.
	// +optional
	// +listType=atomic
	Starts []TaskStart `json:"starts,omitempty"`

	// Termination says how a terminated Task ended. Not in Kf.
	// +optional
	Termination *Termination `json:"termination,omitempty"`

	// Queue says of a Task that waits for others to end, or has, since when and for what. Not in Kf.
	// +optional
	Queue *TaskQueue `json:"queue,omitempty"`

	// Array says how far the Tasks of an array are. Not in Kf.
	// +optional
	Array *TaskArray `json:"array,omitempty"`

	// Log says what the archive has of the Task's log, in a Space that archives logs. Not in Kf.
	// +optional
	Log *TaskLog `json:"log,omitempty"`
}

// Usage is what a Task's processes took of its node, as the kernel counted it for their container.
type Usage struct {
	// CPUTime is the processor time of all of them, such as "12.5s".
	// +optional
	CPUTime *metav1.Duration `json:"cpuTime,omitempty"`

	// PeakMemory is the most memory that they had at once, as it counts against the limit, cached files included, such as 48Mi. There
	// is none from kernels before 5.19.
	// +optional
	PeakMemory *resource.Quantity `json:"peakMemory,omitempty"`
}

// TaskArray is how far the Tasks of an array are.
type TaskArray struct {
	// Created is how many have been made: those of the indexes below it.
	// +optional
	Created int32 `json:"created,omitempty"`
	// Active is how many of them have not ended.
	// +optional
	Active int32 `json:"active,omitempty"`
	// Succeeded is how many of them have succeeded.
	// +optional
	Succeeded int32 `json:"succeeded,omitempty"`
	// Failed is how many of them have failed.
	// +optional
	Failed int32 `json:"failed,omitempty"`
	// CompletedIndexes says which have succeeded, e.g. "0-4,7". It stays when a Task itself is gone.
	// +optional
	CompletedIndexes string `json:"completedIndexes,omitempty"`
	// FailedIndexes says which have failed, e.g. "5-6". It stays when a Task itself is gone.
	// +optional
	FailedIndexes string `json:"failedIndexes,omitempty"`
}

// TaskQueue is how a Task has waited for its turn.
type TaskQueue struct {
	// Since is when it came to wait.
	Since metav1.Time `json:"since"`
	// Of is what it waits, or has waited, for a place of: App, Space or Kueue.
	// +kubebuilder:validation:Enum=App;Space;Kueue
	Of QueueOf `json:"of"`
	// Place is its place in the queue, 1 for the next, when that was written: it is written anew when it has halved. `kf queue` tells it
	// as it is now. Kueue does not say.
	// +optional
	Place int32 `json:"place,omitempty"`
}

// QueueOf is what has a queue.
type QueueOf string

// What has a queue.
const (
	QueueOfApp   QueueOf = "App"
	QueueOfSpace QueueOf = "Space"
	QueueOfKueue QueueOf = "Kueue" // kueue.sigs.k8s.io, by its label on the Task, the App or the Space
)

// TaskLog says what the archive has of a Task's log.
type TaskLog struct {
	// State is Waiting (the registry did not take it yet, and is tried again), Complete, Incomplete, or None.
	// +kubebuilder:validation:Enum=Waiting;Complete;Incomplete;None
	State ArchiveState `json:"state"`

	// Archive is the OCI artifact, by digest, such as registry.example/kf/log-my-space@sha256:4f0c...; empty where there is none.
	// +optional
	Archive string `json:"archive,omitempty"`

	// Lines is how many lines of what the Task wrote are in it.
	// +optional
	Lines int64 `json:"lines,omitempty"`
	// Bytes is how many bytes of what the Task wrote are in it, line ends included, before they are compressed.
	// +optional
	Bytes int64 `json:"bytes,omitempty"`

	// Message says what is missing when State is Incomplete, why there is nothing when it is None, and what is waited for.
	// +optional
	Message string `json:"message,omitempty"`
}

// ArchiveState is how far a Task's log is on its way to the archive.
type ArchiveState string

// States of ArchiveState. All but ArchiveWaiting are for ever.
const (
	ArchiveWaiting    ArchiveState = "Waiting"
	ArchiveComplete   ArchiveState = "Complete"
	ArchiveIncomplete ArchiveState = "Incomplete"
	ArchiveNone       ArchiveState = "None"
)

// TaskStart is one time that a Task's command was let begin.
type TaskStart struct {
	// Pod is the name of the Pod that it began in.
	Pod string `json:"pod"`
	// PodUID is the UID of that Pod.
	PodUID types.UID `json:"podUID"`
	// Node is where that Pod ran.
	// +optional
	Node string `json:"node,omitempty"`
	// At is when the command was let begin.
	At metav1.Time `json:"at"`

	// Lost is the reason why the Pod went before the command had ended, if it did.
	// +optional
	Lost string `json:"lost,omitempty"`
}

// Termination records what became of a Task that was asked to stop, and of the lines that it had written.
type Termination struct {
	// RequestedAt is when the function terminate first saw the request.
	RequestedAt metav1.Time `json:"requestedAt"`

	// RequestedBy is who set spec.terminated, where the API server recorded it (a field manager, not a proof).
	// +optional
	RequestedBy string `json:"requestedBy,omitempty"`

	// CancelledAt is when the PipelineRun was cancelled.
	// +optional
	CancelledAt *metav1.Time `json:"cancelledAt,omitempty"`

	// Log says whether the Task's log was handed to the logging stream: None (there was nothing to hand on: the Task had
	// not started, or had ended by itself and its Pod keeps its log), Delivering, Complete, or Incomplete.
	// +optional
	// +kubebuilder:validation:Enum=None;Delivering;Complete;Incomplete
	Log LogDelivery `json:"log,omitempty"`

	// DeliveredTo is the time of the last line that was handed on.
	// +optional
	DeliveredTo *metav1.MicroTime `json:"deliveredTo,omitempty"`

	// Lines is how many lines were handed on.
	// +optional
	Lines int64 `json:"lines,omitempty"`

	// Deliverer is the instance of the function terminate that hands the log on.
	// +optional
	Deliverer string `json:"deliverer,omitempty"`
	// RenewedAt is when the deliverer last said that it is there. Another instance takes over when that is long ago.
	// +optional
	RenewedAt *metav1.MicroTime `json:"renewedAt,omitempty"`

	// Message says what may be missing when Log is Incomplete (so far, while it is Delivering), and why there was nothing to
	// hand on when it is None.
	// +optional
	Message string `json:"message,omitempty"`
}

// LogDelivery is the state of a terminated Task's log on its way to the logging stream.
type LogDelivery string

// States of LogDelivery.
const (
	LogNone       LogDelivery = "None"
	LogDelivering LogDelivery = "Delivering"
	LogComplete   LogDelivery = "Complete"
	LogIncomplete LogDelivery = "Incomplete"
)

// NotYet says that the Task is not to start before a time that is to come.
func (t *Task) NotYet(now time.Time) bool {
	return t.Spec.NotBefore != nil && now.Before(t.Spec.NotBefore.Time)
}

// Expired says that the Task's command must not begin any more.
func (t *Task) Expired(now time.Time) bool {
	return t.Spec.Expires != nil && !now.Before(t.Spec.Expires.Time)
}

// Instant is the one that a Task of a Job was made for by its schedule, zero for other Tasks.
func (t *Task) Instant() time.Time {
	digits, ofJob := strings.CutPrefix(t.Name, t.Labels[TaskScheduleLabel]+"-")
	seconds, err := strconv.ParseInt(digits, 10, 64)
	if !ofJob || err != nil || t.Labels[TaskScheduleLabel] == "" || t.Annotations[EventAnnotation] != "" {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// ID returns the App-wide number of the Task, from its status or, before that is written, from its label; 0 if it has
// none yet. The label of a Task that was not handled is the user's, and whatever they mean by it.
func (t *Task) ID() int {
	if t.Status.ID != 0 || t.Labels[HandledLabel] == "" {
		return t.Status.ID
	}
	id, err := strconv.Atoi(t.Labels[VersionLabel])
	if err != nil || id < 0 {
		return 0
	}
	return id
}

// TaskLabels are the labels that Kf's webhook gives a Task of an App, and that its CLI selects by.
//
// A Task that is older than its schema may name an App as no App can be named. It must get its other labels all the same:
// the API server would refuse them together.
func TaskLabels(app string) map[string]string {
	l := map[string]string{ManagedByLabel: ManagedByKf, ComponentLabel: TaskComponent}
	if validation.IsValidLabelValue(app) == nil {
		l[NameLabel] = app
	}
	return l
}

// OverrideEnv is env with others put in the place of those of their names.
func OverrideEnv(env, by []EnvVar) []EnvVar {
	var all []EnvVar
	for _, v := range env {
		if !slices.ContainsFunc(by, func(o EnvVar) bool { return o.Name == v.Name }) {
			all = append(all, v)
		}
	}
	return append(all, by...)
}

// ByID is the Task that has an ID among those of its App, nil if none has. IDs begin again where an App was restored or made
// anew, so several may have one: then it is the one that has not ended, else the newest. That two of them have not is an error.
func ByID(tasks []*Task, id int) (*Task, error) {
	var found *Task
	for _, t := range tasks {
		switch {
		case t.ID() != id:
		case found == nil, found.Final() && !t.Final():
			found = t
		case found.Final() != t.Final():
		case !t.Final():
			return nil, fmt.Errorf("two Tasks with the ID %d have not ended, %s and %s: give the name of the one that you mean",
				id, found.Name, t.Name)
		case found.CreationTimestamp.Before(&t.CreationTimestamp):
			found = t
		}
	}
	return found, nil
}
