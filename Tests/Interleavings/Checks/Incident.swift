/// What may happen in a schedule, counted to show that schedules reach it.
package enum Incident: String, CaseIterable, Sendable {
    case pause = "servers paused"
    case kill = "servers killed"
    case restart = "restarts of the store"
    case abortedTransaction = "transactions aborted because they were idle"
    case repeatedTransaction = "transactions repeated"
    case failedCommit = "commits that failed"
    case unansweredCommit = "commits that were not answered"
    case droppedNotification = "notifications dropped"
    case fencedStep = "steps refused because of their lease"
    case lostUpdate = "updates lost"
    case evaluated = "evaluations ended with answers"
    case published = "rounds published"
    case failed = "rounds failed"
}
