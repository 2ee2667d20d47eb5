// Package array makes many Tasks of one: the Task with a count, the array, runs nothing itself. It is pure; the function runtask makes the
// Tasks of an array and writes what became of them into it, and terminate stops them.
//
// # Each index once
//
// The Task of an index has a name that follows from the array's and the index, and creating it is the decision. Behind the name stands
// status.array.created, which only moves forward: an index below it is never made again, whoever has deleted its Task. What such a one
// had become is in completedIndexes and failedIndexes if it was seen; if not, it has failed.
//
//	(1) create the Tasks of the next indexes            their names are the locks
//	(2) write created, and what became of the others    in one update that holds only for the version of the array that was read
//
// One that dies between (1) and (2) leaves Tasks that the next finds under their names, as the array's own, and goes on with (2).
//
// The array has the label tasks.kf.dev/handled when it has ended, so until then each resync finds it. An end of one of its Tasks is told to
// runtask by the extension kfarray of the fact.
//
// # What it costs
//
// A look at an array lists those of its Tasks that have not ended, at most parallelism, and reads each that has ended since once. So all of
// an array's looks cost, in reads and writes, a few for each of its Tasks, however many there are.
//
// # The bound
//
// An array has at most 1000 Tasks. Each is a Task, a PipelineRun, a TaskRun and a Pod, about 45 kB in etcd, so that an array of that size
// is 45 MB of the 2 GB that etcd takes by default, and a third of the 3000 Pods that Kubernetes is tested with in one namespace. Retention
// counts an array as one Task: an App that runs large ones keeps fewer (docs/retention.md).
//
// # Limits
//
// If somebody deletes a Task between (1) and (2), and the process dies there, its index is made again, as with a Job's instant
// (shared/job). If an array is terminated after such a death, what became of the Tasks that were made last may not be counted.
package array
