// terminate stops Tasks that were asked to stop, and loses nothing that they wrote.
//
// The one hard idea is the order of four steps. Tekton's cancel deletes the Pod, and the node deletes a log together with its
// Pod, so whoever cancels first and reads then may find nothing. But a stream that was opened before is served until the
// container has ended, grace period and all, though the Pod is being deleted. So:
//
//	process   ------ lines -------------+--- lines of the grace period ---+ last words, exit
//	                                    | SIGTERM                         |
//	Pod       --------------------------+--- being deleted ---------------+---------------------+ gone
//	                                    |                                 |                     |
//	terminate acquire   open the log    cancel   read ................... end of stream  finish see it gone  answer 2xx
//	             |          |              |                                                |                    |
//	killed here: nothing    nothing        the log that is open dies with the reader:       the sender sends     -
//	             is lost    is lost        (1)                                              again; all is done
//
// A Task that runs into its time limit is stopped by Tekton, which deletes its Pod as for a cancel. So its log is opened thirty
// seconds before (AtItsLimit), and instead of the cancel comes a wait for the run's end, or for somebody who asks for it earlier.
//
// Nothing is cancelled before the log of every container that runs is being received; nothing is recorded as delivered before
// the sinks have taken it; the event is acknowledged after the Pod is gone. Until then the lease (shared/logs/delivery)
// keeps other instances away and each renewal records how far the delivery has come: the checkpoint where the next goes on.
//
// (1) Another instance takes over: at once if it is the same host started again, after 15 s otherwise. While the Pod is still
// there, and a Pod in its grace period is, it reads from the checkpoint on; lines after that may come twice and are marked so.
// If the Pod is gone, the lines after the checkpoint are too, and the Task says from which time on: that is the first limit.
//
// The others: a node that does not answer within 20 s has its Task stopped without its log, for a process that somebody wants
// stopped and runs on is worse than a log that is not whole. A sink that stays down longer than SINK_PATIENCE loses what it was
// to take. What the node rotated away is gone. In each of these cases the log is called Incomplete, but for one: that the
// beginning was rotated away before reading began can't be told from a quiet start, so it is Complete, with a note. A holder that
// is cut off from the API server for longer than its lease does not stop reading, for nobody may be reading but it: lines come
// twice, and it marks its own. It can't where its clock is wrong by as much.
package main
