package v1alpha1

// Annotations by which retention is set for all Apps of a Space (on the namespace) or for one App (on the App, which
// wins). They are ours: Kf has one number for the whole cluster. docs/retention.md explains each.
const (
	// RetainAnnotation is how many Tasks an App keeps: a number from 1, or Unlimited.
	RetainAnnotation = "tasks.kf.dev/retain"
	// RetainForAnnotation is how long a Task is kept after it ended, e.g. "36h" or "30d", or Unlimited.
	RetainForAnnotation = "tasks.kf.dev/retain-for"
	// RetainSucceededPerJobAnnotation is how many Tasks that succeeded each Job keeps: a number from 0, or Unlimited.
	RetainSucceededPerJobAnnotation = "tasks.kf.dev/retain-succeeded-per-job"
	// RetainFailedPerJobAnnotation is the same for Tasks that failed or were terminated.
	RetainFailedPerJobAnnotation = "tasks.kf.dev/retain-failed-per-job"
	// RetainPodsForAnnotation is how long the Pod of a Task, and with it `kf logs`, is kept after the Task ended, or
	// Unlimited: as long as the Task.
	RetainPodsForAnnotation = "tasks.kf.dev/retain-pods-for"

	// Unlimited must be said in words: 0 could be read as "none" just as well.
	Unlimited = "unlimited"
)

// PinAnnotation on a Task keeps it, whatever the limits say, until it is removed or set to "false".
const PinAnnotation = "tasks.kf.dev/pin"
