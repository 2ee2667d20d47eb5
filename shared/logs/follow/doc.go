// Package follow reads the log of one container as an exact sequence: each line once and in order, across reconnects
// and log rotation. Where lines may be missing, it reports a gap.
//
// # A position is a line, not a time
//
// What the kubelet gives is lines, each with the time at which the container runtime read it, and the only ways to ask
// for a part of them are "the last N" and "since this second". So whoever is cut off must ask for too much, and find the
// place in it up to which everything was delivered: the seam.
//
//	delivered before   ... 11:59:58.7 a | 12:00:00.2 b | 12:00:00.2 c | 12:00:00.1 d
//	                                                                               ^ Cursor: Time 12:00:00.1, Same 1
//	asked for          since 11:59:59
//	read again                            12:00:00.2 b | 12:00:00.2 c | 12:00:00.1 d | 12:00:00.1 e | 12:00:00.3 f
//	                                      '-------------- trimmed -----------------' '------- delivered ---------'
//
// The time of the last line is not enough to find it. Times are not unique: some runtimes stamp all lines of one read
// alike (b and c). Nor do they grow from line to line: stdout and stderr are two pipes, and the line that was read first
// may be written down last (d). "Everything after 12:00:00.1" would deliver b and c twice; "everything after 12:00:00.2"
// would lose e. What holds is that a file is only ever added to, and both streams are in it in one order for ever (the
// API tells which is which only behind an alpha gate, PodLogsQuerySplitStreams). So the Cursor is the last line itself,
// named by its time and by how many lines in a row had that very time, and all that stands after it is new, whatever its
// time. Asking for one second more than needed makes sure that the line is there although an older one precedes it.
//
// A line may be longer than what is held in memory (MaxPiece): then the Cursor also holds how many of its bytes were
// delivered.
//
// # Rotation
//
// The kubelet rotates a log by its size, and gives only the newest file to who asks. If the seam is not in it, the file
// that held the last line is gone:
//
//	         file 1 (gone)           file 2 (what the kubelet gives)
//	... a | b | c | d | e     f | g | h | i
//	        ^ Cursor          ^ everything here is new; d and e are a gap
//
// A stream that ends tells so by ending. One that is followed never does; it tells by a line that is younger than the
// Cursor by more than the streams' disorder (a second). Then the whole file is read from its beginning. Whether lines are
// missing in between can't be seen: times have no sequence number. It is certain that none are when the last stream had
// been read to where there was no more and the new file begins less than three seconds after the Cursor, as the kubelet
// looks no more often whether a log is to be rotated; else a gap is reported. That is one too many for a container that
// was silent around the rotation, and never one too few. If the container ended with nothing in the new file, a gap is
// reported too, unless the stream had been silent for five seconds after the last line.
//
// The kubelet may also lose track itself: a follower that has not caught up when the log is rotated waits on the old file
// for ever. So a stream that is silent for long is opened again, which finds the seam and costs one request (two seconds
// at first, a minute later).
//
// # Limits
//
// A follower of the kubelet's that has read up goes on to the new file as soon as the runtime has made it, but the runtime
// writes what it has in its buffers (36 KiB in containerd) to the old one. Of a container that writes at full speed, those
// lines can be missing in the middle of a stream, where nothing tells. A larger containerLogMaxSize makes that rarer.
//
// A line whose piece was delivered when its file was rotated away has no end. A container whose two streams are more than
// a second out of order is delivered twice in part. A log that is rotated faster than it is read has gaps: they are
// reported, and nothing brings the lines back. A stored Cursor has microseconds (metav1.MicroTime): lines of its
// microsecond may come twice.
package follow
