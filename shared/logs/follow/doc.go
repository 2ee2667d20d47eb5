// Package follow reads the log of one container as an exact sequence: each line once and in order, across reconnects
// and log rotation, and a gap, where there must be one, is reported.
//
// What the kubelet gives is lines, each with the time at which the container runtime read it. Both streams of the
// container come in the order in which the runtime wrote them down, and unmarked: which of them is stdout the API tells
// only behind an alpha gate (PodLogsQuerySplitStreams). Times grow within a stream, but not always from line to line, so
// a position is a line, not a time.
package follow
