package v1alpha1

import (
	"regexp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Labels that Kf puts on its objects and that its CLI selects by (Kf v2.11, pkg/apis/kf/v1alpha1/app_types.go).
const (
	// NameLabel holds the App's name.
	NameLabel = "app.kubernetes.io/name"
	// ManagedByLabel is ManagedByKf on what this project creates. Tekton overwrites it on its Pods.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ComponentLabel tells Tasks, Jobs and App servers apart.
	ComponentLabel = "app.kubernetes.io/component"
	// VersionLabel holds the ID of a Task, where the user has not given the Task one of their own. One that waits for its run
	// has it as well.
	VersionLabel = "app.kubernetes.io/version"
	// NetworkPolicyLabel is what the NetworkPolicies of a Space ("security groups") select.
	NetworkPolicyLabel = "kf.dev/networkpolicy"
	// TaskScheduleLabel holds the Job's name on the Tasks of a Job; `kf job-history` selects by it.
	TaskScheduleLabel = "taskschedules.kf.dev/owner"
	// SuspendLabel follows a Job's spec.suspend; `kf job-schedules` selects by it.
	SuspendLabel = "taskschedules.kf.dev/suspend"
	// PipelineTaskLabel is Tekton's; Kf puts it on the run too, and `kf logs --task` selects Pods by it.
	PipelineTaskLabel = "tekton.dev/pipelineTask"

	// TaskLabel holds the Task's name on its PipelineRun. It is ours, not Kf's: the ApiServerSource and every resync
	// select by it, and nothing but this project writes it.
	TaskLabel = "tasks.kf.dev/task"

	// KueueLabel is Kueue's: the LocalQueue that a PipelineRun waits in (kubernetes-sigs/kueue; TEP-0164). On a Task, its App or its Space,
	// the run and its Pod have it too.
	KueueLabel = "kueue.x-k8s.io/queue-name"

	// HandledLabel is on a Task that runtask is done with. It holds the Task's own UID: on a copy of the Task, restored
	// from a backup or made anew from its YAML, it holds another's.
	HandledLabel = "tasks.kf.dev/handled"
	// AwaitedLabel is on a Task whose end others wait for: a place under maxRunningTasks comes free, or the next of an array is made. Its
	// facts say so by kfawaited.
	AwaitedLabel = "tasks.kf.dev/awaited"
	// ArrayLabel holds the name of its array on a Task of one, and IndexLabel its index; `kf tasks` and retention leave those that have it
	// out. On the array itself ArrayLabel holds its own UID: on a copy of it, another's.
	ArrayLabel = "tasks.kf.dev/array"
	IndexLabel = "tasks.kf.dev/index"
	// StartLabel is on a Pod whose command may begin. It holds the Pod's own UID. Only the function start can set it, and
	// without it no command of a Task begins (config/crd/one-start.yaml).
	StartLabel = "tasks.kf.dev/start"

	// ArchiveLabel is ArchiveWanted on a Task whose log belongs in the archive of its Space. runtask sets it.
	ArchiveLabel = "tasks.kf.dev/archive-log"

	// Values of the labels above.
	ArchiveWanted         = "true"
	ManagedByKf           = "kf"
	TaskComponent         = "task"
	TaskScheduleComponent = "task-schedule"
	BuildComponent        = "build"
	NetworkPolicyApp      = "app"
	NetworkPolicyBuild    = "build"
)

// CommandsFrom is the annotation of a Space's Namespace that says from whom it takes commands, besides those who may do
// the same by kubectl. There is one value: CommandsFromAnyone.
const (
	CommandsFrom       = "kf.dev/commands-from"
	CommandsFromAnyone = "anyone"
)

// Annotations of a Task that was made from an event.
const (
	// EventAnnotation holds that event's source and id, with a space between: a source has none in itself.
	EventAnnotation = "tasks.kf.dev/event"
	// These hold extension attributes of the event, which the Task's facts have as well.
	TraceParentAnnotation = "tasks.kf.dev/traceparent"
	TraceStateAnnotation  = "tasks.kf.dev/tracestate"
	CorrelationAnnotation = "tasks.kf.dev/correlationid"
	ChainAnnotation       = "tasks.kf.dev/chain"
	// StoppedFirstAnnotation is on a Task that its termination has made, which came before the command to run it. It holds the
	// source and id of that.
	StoppedFirstAnnotation = "tasks.kf.dev/stopped-first"
)

// SwitchedAnnotation holds, on a Job that was suspended or resumed by a command, which command that was: its time, and a hash of its
// source and id.
const SwitchedAnnotation = "taskschedules.kf.dev/switched"

// Annotations of the PipelineRun of a build: the name that its image is pushed under, and the source that it is made from.
const (
	ImageAnnotation  = "tasks.kf.dev/image"
	SourceAnnotation = "tasks.kf.dev/source"
)

// What marks as a Space's what the function space has made for it.
const (
	// SpaceLabel holds the Space's name, on its namespace and RoleBindings.
	SpaceLabel = "kf.dev/space"
	// SpaceUIDAnnotation holds, on a namespace, the UID of the Space that it was made for: that one, and no other of the name, takes
	// it with it.
	SpaceUIDAnnotation = "kf.dev/space-uid"
	// SpaceFinalizer keeps a Space until what was made for it is gone.
	SpaceFinalizer = "kf.dev/space"
)

// clustersOwn are the names of namespaces that belong to the cluster. The CRD refuses a Space of such a name.
var clustersOwn = regexp.MustCompile(`^(kube|knative|tekton|openshift)-|^(default|kf-tasks)$`)

// ClustersOwn says whether a namespace belongs to the cluster, so that it can be no Space.
func ClustersOwn(namespace string) bool { return clustersOwn.MatchString(namespace) }

// The variables of a Task of an array.
const (
	IndexEnv = "KF_TASK_INDEX" // from 0
	CountEnv = "KF_TASK_COUNT"
)

// UserContainer names the App's container, the pipeline task and the step that run a Task. The CLI finds logs by it.
const UserContainer = "user-container"

// AwaitedVolume is a volume of a Task's Pod that makes the kubelet wait for the Secrets and ConfigMaps of its environment.
const AwaitedVolume = "kf-awaited"

// InjectedEnvSecret names the Secret that an App's service bindings fill with VCAP_SERVICES and DATABASE_URL.
func InjectedEnvSecret(app string) string { return "kf-injected-envs-" + app }

// OwnedBy is the reference of what goes with an object that did not make it. It does not keep its owner from going first, which
// who adds it would need a right of its own for.
func OwnedBy(owner metav1.Object, kind string) metav1.OwnerReference {
	yes := true
	return metav1.OwnerReference{
		APIVersion: GroupVersion.String(), Kind: kind, Name: owner.GetName(), UID: owner.GetUID(), Controller: &yes,
	}
}
