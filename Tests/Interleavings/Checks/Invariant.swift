/// What must hold in every schedule.
package enum Invariant: String, CaseIterable, Sendable {
    // How servers use the store.
    case copyIsStored = "a copy is of what was stored"
    case revisionRises = "the revision rises by one with every step"
    case fenceRises = "a lease's fence rises"
    case newestLease = "only the newest lease is spent"

    // What is stored.
    case roundsFollow = "rounds follow one another"
    case closesBeforePublishing = "a round is published after it closed"
    case publishedOnce = "a round is published once"
    case endedRoundStays = "an ended round stays as it is"
    case closedTakesNone = "a closed round takes no update"
    case closedKeepsCohort = "a closed round keeps its updates"
    case publishesCohort = "a round publishes the updates that it closed with"
    case acceptedIsStored = "an update that the log accepts is stored"
    case acceptedOnce = "an update is accepted once, unless it was lost or taken back"
    case countsOnce = "an update counts in one round"
    case endedEvaluationStays = "an ended evaluation stays as it is"
    case oneLog = "all servers agree on one log"

    // What callers are told.
    case receivedIsStored = "an update that a client knows to be received is stored"
    case answerIsStored = "what a client knows to be taken of an evaluation is stored"
    case storedIsReceived = "an update that is stored is not refused"
    case openRoundIsKnown = "a round that a client was asked for is known to every server"
    case clientIsKnown = "a client that was registered is known to every server"
    case registersOnce = "a client can register under its name"

    // What happens at last.
    case ends = "every client that asks again comes to its end"
    case federationEnds = "a federation whose clients all answer comes to its end"
    case roundsEnd = "closed rounds are aggregated"
    case serversStart = "every server starts again"
    case upToDate = "a session is up to date once nobody stores anything"

    /// Whether it is about the servers' use of the store. A fault that breaks such an invariant may harm nobody at first.
    package var isOfMechanism: Bool {
        switch self {
        case .copyIsStored, .revisionRises, .fenceRises, .newestLease: true
        default: false
        }
    }
}
