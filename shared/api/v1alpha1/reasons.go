package v1alpha1

// Reasons of conditions: the words by which a user, an alert or a script tells what is the matter. docs/tasks.md and
// docs/jobs.md say of each what to do; test/drift holds them to it.

// Reasons of a Task's condition Succeeded. Where Tekton knows one that none of these says better, it is passed on.
const (
	ReasonPending            = "Pending"            // accepted, not running yet
	ReasonRunning            = "Running"            //
	ReasonSucceeded          = "Succeeded"          // exit code 0
	ReasonFailed             = "Failed"             // another exit code
	ReasonCancelled          = "TaskRunCancelled"   // terminated: Kf's word, which its clients and their tests look for
	ReasonTimedOut           = "TimedOut"           // ran longer than its timeout
	ReasonOutOfMemory        = "OutOfMemory"        // killed by the kernel at its memory limit
	ReasonImagePullFailed    = "ImagePullFailed"    // the image can't be had
	ReasonEvicted            = "Evicted"            // removed by its node
	ReasonPipelineRunDeleted = "PipelineRunDeleted" // somebody deleted the run
	ReasonUnschedulable      = "Unschedulable"      // no node has room
	ReasonPodRefused         = "PodRefused"         // by the rules of the Space, for good
	ReasonRestored           = "Restored"           // a copy of a Task that had run elsewhere or before: neither run nor failed
	ReasonExpired            = "Expired"            // its command had not begun by spec.expires, and will not
	ReasonNotItsTaskRun      = "NotItsTaskRun"      // Tekton took a TaskRun that an earlier Task of the name had left

	// Why a Pod went whose command had begun, and may not begin again.
	ReasonPodDeleted = "PodDeleted" // somebody deleted it
	ReasonDrained    = "Drained"    // its node was to be emptied
	ReasonNodeLost   = "NodeLost"   // its node is gone, or does not answer
	ReasonPreempted  = "Preempted"  // a Pod of a higher priority needed its room

	// These are runtask's: of a Task that waits ...
	ReasonNotDue                = "NotDue"                // its spec.notBefore is to come
	ReasonAppNotSettled         = "AppNotSettled"         // it was changed, and build has yet to see that
	ReasonAppNotFound           = "AppNotFound"           // also of a Job's Ready and a Task's AppReady
	ReasonAppHasNoImage         = "AppHasNoImage"         //
	ReasonInvalidApp            = "InvalidApp"            // also of an App's Ready: its spec can't be read
	ReasonPipelineRunNotCreated = "PipelineRunNotCreated" // a quota, a right that is missing, or a policy that says no
	ReasonImageNotAllowed       = "ImageNotAllowed"       // by the Space; also of an App's Ready
	ReasonQueued                = "Queued"                // as many run as may (maxRunningTasks), or Kueue holds it
	ReasonServiceAccountMissing = "ServiceAccountMissing" // Tekton would end the run for it
	// ... and of one that can never run.
	ReasonInvalidTask        = "InvalidTask"        // App and Task make no run
	ReasonPipelineRunRefused = "PipelineRunRefused" // by the API server or Tekton's admission
	ReasonNameTaken          = "NameTaken"          // by a PipelineRun that is not the Task's
	ReasonSpaceTerminating   = "SpaceTerminating"   // its namespace is being deleted

	// ReasonFound is that of a Task's AppReady that is True.
	ReasonFound = "Found"
)

// Reasons of a Task's condition LogDelivered.
const (
	ReasonDelivering      = "Delivering"
	ReasonDelivered       = "Delivered"
	ReasonIncomplete      = "Incomplete"
	ReasonNothingToHandOn = "NothingToHandOn" // of a Task that had not started, or had ended by itself
)

// Reasons of a Task's condition LogArchived.
const (
	ReasonArchived          = "Archived"          // True
	ReasonArchiveIncomplete = "ArchiveIncomplete" // False: the message says what is missing
	ReasonArchiveWaits      = "ArchiveWaits"      // Unknown: the registry or the node did not answer; it is tried again
	ReasonNotArchived       = "NotArchived"       // False: the archive has nothing of it, and the message says why
)

// Reasons of a Job's condition Ready.
const (
	ReasonScheduled = "Scheduled"
	// These are True as well: such a Job runs when it is told to.
	ReasonSuspended  = "Suspended"
	ReasonNoSchedule = "NoSchedule"
	ReasonPaused     = "Paused" // of Overdue too: nothing is expected of it, as of one that is Suspended
	ReasonOver       = "Over"   // its schedule names no instant any more

	ReasonInvalidJob      = "InvalidJob" // its spec can't be read
	ReasonInvalidTimeZone = "InvalidTimeZone"
	ReasonInvalidSchedule = "InvalidSchedule"
	ReasonTaskRefused     = "TaskRefused"

	ReasonBlackoutUnreadable = "BlackoutUnreadable" // nobody knows when it is
	ReasonTaskNotCreated     = "TaskNotCreated"
	// ReasonWatermarkInFuture: a clock was ahead, or the Job comes from elsewhere.
	ReasonWatermarkInFuture = "WatermarkInFuture"
)

// Reasons of a Job's condition Overdue.
const (
	ReasonNotSucceeded    = "NotSucceeded"    // True
	ReasonSucceededInTime = "SucceededInTime" // False
	ReasonAwaited         = "Awaited"         // False: it has yet to succeed since the watch began, and has time to
)

// Reasons of a Space's condition Ready.
const (
	// These two are True.
	ReasonNamespaceMade    = "NamespaceMade"
	ReasonNamespaceAdopted = "NamespaceAdopted"

	ReasonInvalidSpace         = "InvalidSpace" // its spec can't be read
	ReasonNameRefused          = "NameRefused"  // its namespace is the cluster's own
	ReasonNamespaceTerminating = "NamespaceTerminating"
	ReasonRoleBindingTaken     = "RoleBindingTaken" // somebody else's has the name
	ReasonStepRefused          = "StepRefused"      // by the API server: a policy, a quota, a right that is missing
	ReasonDeleting             = "Deleting"
)

// Reasons of the condition Ready of a service and of a binding.
const (
	ReasonServiceReady     = "ServiceReady"     // True: Apps can be bound to it, or the App has it
	ReasonSecretMissing    = "SecretMissing"    // that of spec.parametersFrom, or its key
	ReasonSecretInvalid    = "SecretInvalid"    // no JSON object
	ReasonSecretNotOwned   = "SecretNotOwned"   // by the service or binding that names it
	ReasonSecretsRefused   = "SecretsRefused"   // bind may not use them in this namespace
	ReasonSecretTaken      = "SecretTaken"      // somebody else's has the name that is needed
	ReasonCredentialsUnfit = "CredentialsUnfit" // no process can be given them
	ReasonServiceNotFound  = "ServiceNotFound"
	ReasonBoundAppNotFound = "BoundAppNotFound"
	ReasonDeletionBlocked  = "DeletionBlocked" // Apps are bound to it
	ReasonUnbinding        = "Unbinding"
)

// Reasons of an App's condition Ready.
const (
	ReasonImageReady = "ImageReady"
	ReasonNoImage    = "NoImage"
	// ReasonRegistryRefused is True as well: Tasks run, for the node pulls with credentials of its own. Whether the image
	// has a shell is not known.
	ReasonRegistryRefused = "RegistryRefused"
)

// Reasons of an App's condition DeploymentReady.
const (
	ReasonStopped   = "Stopped"   // True
	ReasonNotServed = "NotServed" // False: Apps are not served here, only their Tasks run
)

// Reasons of an App's condition BuildReady, and of its Ready while there is no image of it yet.
const (
	ReasonBuilding        = "Building"        // Unknown: a build is under way
	ReasonRebasing        = "Rebasing"        // Unknown: a rebase is
	ReasonBuildNotStarted = "BuildNotStarted" // Unknown: for a registry that nobody has named, a quota, a right that is missing
	ReasonBuilt           = "Built"           // True
	ReasonRebased         = "Rebased"         // True
	ReasonBuildFailed     = "BuildFailed"     // False: the message says the phase, its exit code and its last lines
	ReasonRebaseFailed    = "RebaseFailed"    // False
	ReasonInvalidBuild    = "InvalidBuild"    // False: spec.build.spec can't be built as it stands
)
