// Package job is the state of a Job and its decision: which instants it owes, what becomes of each, and what the Job
// says of itself afterwards. It is pure: the Job, what was read of its surroundings and a now come in, a Plan comes out.
// The function tick carries plans out; the CLI shows the next instants of the same timetable (Preview).
//
// # Facts and needs
//
// Most Jobs, most of the time, are decided by what they say themselves. Where more must be known, Decide says what
// (a Need), the caller reads it into Facts, and Decide begins anew:
//
//	facts := Facts{}
//	for {
//		plan, need := Decide(job, facts, now)
//		if need == NeedNothing {
//			break // the plan is whole
//		}
//		... read what is needed into facts
//	}
//
// So no plan is ever half a decision, and nothing is read that no decision needs. What the API server says to the
// creation of the Task is a fact like the others: the plan was wrong about it, and Decide is asked again.
//
// # The watermark
//
// Each instant is to run exactly once, by processes that may die between any two of their writes, that may run at the
// same time, and that hear of time only by pings which come late, twice, or not at all. Two writes do it, in this order:
//
//	status.decidedUntil = w                                   now
//	      │                                                    │
//	──────┼────────────●─────────────●─────────────●───────────┼──▶ time
//	      │            a             b             c           │
//	 decided: not      └── missed ───┘             │
//	 looked at again                              due
//
//	(1) create the Task JOB-<unix seconds of c>    its name is the lock
//	(2) write decidedUntil = c and the history     in one update that holds only for the version of the Job that was decided
//
// The instants after the watermark and up to now are undecided. The latest is due; those before it are missed, for a run
// for each of them after an outage is what nobody wants, unless the Job's catchUp says so.
//
// At most once. While w < c, whoever decides the Job decides to create the same name, and the API server takes a name once. Once w
// = c, nobody looks at c again, so that a Task that was pruned does not come back. The watermark does not go back within an epoch:
// it is written only by the update (2), which fails if anybody has written the Job since it was read, and then all of it is
// decided again from the Job as it is.
//
// At least once, or on record as missed. The watermark moves past c only in (2), after (1) has succeeded or could not. A process that
// dies before (1) leaves everything as it was. One that dies between (1) and (2) leaves w < c and the Task; the next one decides the
// same, finds the name taken by a Task that this very Job (by UID) owns, and goes on with (2). If it comes so late that
// c is no longer the latest, it looks which Tasks there are before it writes anything else than Ran (NeedMade), so c is
// on record as what it was.
//
// On schedule. An instant is a minute that the timetable names, never the time of a ping: when a ping was sent is of no account.
//
// # Epochs
//
// An epoch is a time in which a Job's schedules, zone and suspension stayed as they were (status.scheduleHash). A new
// one begins when the API server says that the spec was last changed, not when anybody saw it: the watermark moves
// there, so that a new, resumed or rescheduled Job owes nothing for the time before, and what the epoch before still
// owed is closed into the history. A status of another Job (status.jobUID: it was restored), or Kf's, begins one as well.
//
// # Pauses
//
// A pause has no beginning, only an end: it holds for the instants that are decided while it is there, and are before its end. So
// it is no epoch of its own. What a tick sees while the pause is there is recorded as Paused, and the watermark moves past it, so
// that nothing is owed for it when the pause is lifted. One of an App or a Space that was set and lifted while no tick came was
// seen by nobody, and holds nothing back; of a Job, two such edits begin an epoch, as below. What is decided after the end of one
// that nobody took away is as exact as the end: instants before it are Paused, those from it on are not.
//
// # What is owed
//
// An instant may be one that is to run later: it is in a blackout whose policy says so, or it was missed and the Job catches up.
// It can't stay after the watermark, for then all later ones would wait for it. The watermark moves past it, and it is noted in
// status.owed, as the range of the timetable that it is in. So what is undecided is
//
//	the instants after decidedUntil and up to now, and the instants of status.owed
//
// and what was argued of the first holds for the second, with its own two writes in the same order: (1) create the Task of the
// oldest that is owed, under its name; (2) take it out of status.owed and write the history, in one update that holds only for the
// version of the Job that was decided. At most once: while it is in owed whoever decides creates the same name; when it is not,
// nobody looks at it again, for the watermark is past it. Nothing puts an instant in that was in before: only the step of the
// watermark past it does, which is made once. It looks first which Tasks there are (NeedMade): a predecessor, who knew nothing of
// the blackout, may have run it. At least once, or on record: it leaves owed only with a record. The ranges are of the timetable,
// which is the same for as long as the epoch lasts: a new one closes them, as it does what was due.
//
// The latest instant is never late for what is owed: it is decided first, and what is owed after it, a few each minute (PerTick),
// by the same Decide, again and again (Plan.More). It stays bounded: of each outage and each blackout the latest 1000, in at most
// 16 ranges, and what is older is recorded as Missed. Of a Job that wants one Task at a time (Forbid, Replace) it waits for the
// one that runs, and stops none; what runs itself is put on record. Nothing that is owed starts while a pause or a blackout is on: so
// a blackout ends when the last of those that overlap does, and one that was changed or removed meanwhile ends as it says now.
//
// # A watermark in the future
//
// A clock that was ahead has decided instants that are yet to come. Put right, it must not run them again, so the Job waits, and
// says so (WatermarkInFuture). A tick whose own clock is behind says it too, and the next one takes it back; neither moves the
// watermark. A new epoch does: it is how a user says to begin anew. What such a clock has left to be run later (status.owed) waits for
// its time as well.
//
// # Two clocks
//
// A tick that comes up to ten seconds before a minute, because the clock of who sends it is ahead, is that minute's: it waits for
// what is due then, as it waits for what jitter makes due before the next tick (Plan.Start). One that is late finds what was
// due. A change of a Job is where the API server's clock puts it, also if that is in the future of tick's: else a tick
// whose clock is behind would owe a new Job what was before it, and catchUp would run that.
//
// # Limits
//
// Between (1) and (2) the Task's name is all that keeps a second run away. The function prune therefore keeps a Task until its Job has
// put it on record, and for a minute after it was made (NameIsLock). If the process dies there and somebody else deletes that Task
// before the next one comes (0.2 s later, as a rule), the instant runs again. The same holds for a request to create a
// Task that is stuck in the network until after its Task was created by another, recorded, and deleted.
//
// Forbid and Replace go by what runs when a tick looks. Of two ticks at once whose clocks show different minutes, each may look before the
// other acts, and then two Tasks of the Job run.
//
// The API server's record of changes (metadata.managedFields) is to the second, keeps the latest change of each writer,
// and is not touched by an edit that only removes fields: status.specChangedAt is the record as it was seen, and one that is no
// later says nothing of the edit. Then, and where the record was removed, an epoch begins when it is seen. One edit is taken for recorded
// and is not: one that only removes schedules or the zone, of a Job that the same writer has relabelled since it was seen. Of two
// edits that nobody saw one by one it can't be known that they were not a suspension and its end: they count as one.
package job
