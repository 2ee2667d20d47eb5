// Package queue decides which Tasks start of those that must not all run at once: an App may say how many of its Tasks run at a time
// (spec.maxRunningTasks), and so may a Space (spec.limits.maxRunningTasks). It is pure; the function runtask carries its plans out, and
// `kf queue` shows them.
//
// # The order
//
// Next is the App of which the fewest Tasks run, and of its Tasks the oldest. An App that floods its Space so has the places that the
// others leave, and no more. An App at its own limit is passed over. There are no priorities.
//
// # Never more than may
//
// runtask runs in several processes, which hear of Tasks and of ends at the same time, doubled, late or not at all, and may die between
// any two writes. What they share is one object for each queue, the App's or the Space's, and its status.admitted: the Tasks whose turn
// has come and that may have no run yet.
//
//	(1) read the object, at version v
//	(2) list the Tasks that have not ended
//	(3) decide: those with a run, and those admitted, take a place; the others wait
//	                                                                an admission that is over counts if its Task has a run after all
//	(4) write status.admitted with those that start, if the object is still at v
//	(5) make their runs                                             at most 20 s after their admission
//	                                                                an admission holds its place for 50 s, or until its Task has its run
//
// A run is made of an admission only, and by (4) each admission is decided by somebody who has seen all those before: had another been
// written after (1), the object would not be at v. So when A is admitted, let B be any Task that has not ended, was admitted before, and
// has a run or may get one. B's admission was in the object when it was read, or had been taken out by somebody who saw B's run. If it is
// there, B is counted by it, as long as a run may be made of it, and longer. If it is not, B had its run and its label, or had ended,
// before (1), and (2) is after (1): B is listed and counted by its label, or has ended. So all that run are counted in (3).
//
// An admission that is over, of a Task without the label, is looked into before (3): who had made its run may have died before it could
// say so. A run that is made of it later is none: (5) gives up 30 s before.
//
// It is enough that a Task that has a run is seen to have one, for which status and label stand: HandledBefore. What has ended never runs
// again, so that an end which (2) sees too late only keeps a place a moment longer.
//
// # Nobody is forgotten
//
// Whoever makes the runs of (5) need not be who has admitted them: until 20 s after it every look at the queue does, and the name of the
// run is the lock. If all die, or the API server refuses the run, the admission is over after 50 s, and the Task has its turn anew; one
// that was refused is then tried ever more rarely, as without a queue, and holds a place only while it is.
//
// An end is told to runtask by a fact with the extension kfawaited, which the Tasks of a queue have, and no others; so what has no limit
// costs no event, no read and no write more. Without the fact the resync looks at each queue in which a Task waits.
//
// # What it costs
//
// A look costs two or three reads and one list of what has not ended, and one write if somebody starts. Looks at one queue by one process
// come one after another, five a second at most, for all who ask. A Task that waits is written when it comes to wait, and when its place
// has halved: at place 1000 ten times in all.
//
// # Limits
//
//   - A limit holds for those who have read it. One that is set or lowered while Tasks are just about to start may be exceeded by
//     these, and for up to five seconds by who remembers the Space as it was; what runs is never stopped for it.
//   - A Task that somebody deletes while it runs leaves its place at once; its Pod may take its grace period to go.
//   - The clocks of two processes must not differ by more than 30 s.
//   - A queue is listed as a whole. One of thousands makes each look dear: 1000 Tasks are 3 MB. Many runs of one command are better
//     an array (shared/array), of which only those under way are there.
package queue
