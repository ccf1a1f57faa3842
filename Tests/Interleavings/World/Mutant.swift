/// A deliberate fault, by which the checks are checked.
package enum Mutant: String, CaseIterable, Sendable {
    /// The store accepts a step that spends an old or spent lease.
    case removedFence = "removed-fence"
    /// A lease has the same fence as the one before it.
    case sharedFence = "shared-fence"
    /// A lease whose holder is gone never expires.
    case endlessLease = "endless-lease"
    /// A job whose lease was spent is never given again, though its round may have reopened and closed again.
    case doneForGood = "done-for-good"
    /// A step is decided on the caller's copy, also where somebody else has stored a step since.
    case removedReload = "removed-reload"
    /// A step that closes a round is decided on what was stored before the row's lock was taken.
    case closingOutsideLock = "closing-outside-lock"
    /// Where COMMIT's answer is lost, the store writes the step's rows again.
    case repeatedCommit = "repeated-commit"
    /// A step is answered before it is committed.
    case earlyAnswer = "early-answer"
    /// Nobody asks the store for its revision, so a dropped notification is lost.
    case removedPolling = "removed-polling"
    /// A server loads the federation before it listens for steps, and does not look again.
    case lateListening = "late-listening"
    /// An aggregator reads the round before it has the round's lease.
    case earlyCohort = "early-cohort"
    /// An update that the store has is refused where its round has closed since.
    case forgottenUpdate = "forgotten-update"
    /// A server refuses an update because of its own copy, which may be old.
    case staleRefusal = "stale-refusal"
}
