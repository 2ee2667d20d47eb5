// Package retention decides which Tasks of an App are deleted, and why. The function prune acts on it, and
// `kf prune --dry-run` shows it: both see the same.
//
// # None too many
//
// Deleting is the one step that nothing can take back, and it is done without a lock, a transaction or a counter: a
// sweep lists an App's Tasks, decides, and deletes one Task after another, while others create Tasks, end them, pin them
// and delete them. It may be cut off anywhere, run twice, and run by two processes side by side. Why it leaves no App with
// fewer Tasks than it keeps:
//
//	oldest                           newest
//	  a    b~   c    d    e~   f    g        ~ has not ended; the App keeps 4
//	  -    1    -    -    2    3    4        - is deleted: there are 4 others that come first
//
// A Task is deleted only if it has ended and as many others as the App keeps come first: those that have not ended, and
// those that ended and are newer. Call these its witnesses; they are what is left.
//
// One sweep, whatever happens to it. The newest Task that it deletes, d, has all its witnesses among what is kept, as
// whatever is deleted is older than d and has ended. So deleting any part of the plan, in any order, keeps the
// witnesses. It is done oldest first, so that one cut off has deleted the right ones, and the next finds the rest of the
// same plan.
//
// Again. The next sweep begins after the one before has ended, and counts anew.
//
// Side by side. Two that have read the same decide the same, as Decide knows nothing but its arguments and Compare is a
// total order: they delete the same Tasks, and the second finds them gone. If they have read different things, look
// at the newest Task that either deletes: its witnesses are newer, so neither deletes them, or had not ended.
//
// What was listed need not be what is there. Each Task is read again just before it is deleted, Confirm decides again on
// what only itself can change (pinned, made anew, its log under way), and the deletion holds for that very version. The
// witnesses are not read again, and need not be: a pin takes a Task out of the count but leaves it there, and a Task
// that was missed by the lists is a witness too many. So lists may miss Tasks, but must not show one twice, or one as
// running that has ended and is gone: those that have ended are listed first (functions/prune/gather.go).
//
// Of the other rules, the one about Jobs has witnesses in the same way, the ended Tasks of its Job that are newer; age
// needs none.
//
// # The limits of the argument
//
// A witness that had not ended may end, and may then be deleted by a second process that read later and counts newer
// Tasks which the first is about to delete:
//
//	keeps 1     first reads     b ends     second reads     both delete
//	            b~ c            b  c       b  c             c (for b had not ended), b (for c is newer): none is left
//
// The App then has fewer Tasks than it keeps, by at most as many as ended between the two readings, and all of them were
// beyond the limit when somebody looked. One process runs its sweeps of an App one after another (shared/coalesce), so
// this takes two, as while a new revision replaces the old.
//
// That a Task has ended counts when it is read. One that is deleted because an older one still ran would have been kept
// if that one had ended a moment before. The same holds for what users delete: who deletes a Task while a sweep is
// under way may find one more gone.
//
// Newer is by the API server's clock in whole seconds; within one, by the IDs, which runtask gives out in the order in
// which it takes Tasks up.
package retention
