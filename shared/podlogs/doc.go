// Package podlogs reads what a Task writes: one container's log without a gap or a double across reconnects and log
// rotation, the logs of all Pods of a Task or of an App's Tasks as one stream, and text that is safe to show.
//
// What the kubelet gives is lines, each with the time at which the container runtime read it. Both streams of the
// container come in the order in which the runtime wrote them down, and unmarked: which of them is stdout the API tells
// only behind an alpha gate (PodLogsQuerySplitStreams). Times grow within a stream, but not always from line to line, so
// a position is a line, not a time.
package podlogs
