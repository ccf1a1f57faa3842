package import Federation

/// How the services stand at one moment.
package struct ServiceFigures: Sendable {
    /// Rounds that wait to be aggregated or are being aggregated.
    package let roundsToAggregate: Int
    /// Works that wait for a lane or run there: adapters, merges and models that are rendered for callers.
    package let renderings: [(lane: String, waiting: Int, running: Int)]
    package let unfinishedUploads: Int
    /// The bytes of unfinished uploads that are durable.
    package let unfinishedUploadBytes: Int
    /// Federations that this version cannot run.
    package let federationsSetAside: Int
    package let federations: [FederationFigures]
}

/// How one federation stands at one moment.
package struct FederationFigures: Sendable {
    package let id: FederationID
    package let createdAt: Timestamp
    package let state: FederationState
    /// 0 before round 1 opens.
    package let round: Int
    /// The name of the round's phase; `waiting` before round 1 opens.
    package let phase: String
    /// Since the round opened; nil unless it collects or is being aggregated.
    package let roundAge: Double?
    /// For how long the round has collected beyond its deadline; 0 before.
    package let overdue: Double
    package let publishedRound: Int
    package let selected: Int
    package let received: Int
    package let accepted: Int
    package let quorum: Int
    package let refused: Int
    /// Clients that the open evaluation waits for.
    package let evaluationsAwaited: Int
    /// The best evaluated round; 0 where there is none.
    package let bestRound: Int
    /// Registered and not revoked.
    package let clients: Int
    /// Clients that called within the policy's `seen_seconds`.
    package let clientsSeen: Int
    /// Long polls that wait for the federation to change.
    package let waits: Int

    package static let phases = ["waiting", "collecting", "aggregating", "published", "failed"]

    init(_ session: FederationSession, at now: Timestamp) {
        let snapshot = session.snapshot
        let machine = snapshot.machine
        let round = machine.round
        id = session.id
        createdAt = snapshot.createdAt
        state = machine.state
        self.round = round?.number ?? 0
        (phase, roundAge, overdue) =
            switch round?.phase {
            case nil: ("waiting", nil, 0)
            case .collecting?:
                (
                    "collecting", round.map { max(0, now.seconds(since: $0.openedAt)) },
                    round.map { max(0, now.seconds(since: $0.deadline)) } ?? 0
                )
            case .aggregating?: ("aggregating", round.map { max(0, now.seconds(since: $0.openedAt)) }, 0)
            case .published?: ("published", nil, 0)
            case .failed?: ("failed", nil, 0)
            }
        publishedRound = machine.publishedRound
        selected = round?.participations.tally.selected ?? 0
        received = round?.receivedCount ?? 0
        accepted = round?.acceptedCount ?? 0
        quorum = round?.minimumUpdates ?? machine.settings.policy.minimumUpdates
        refused = round?.refusals.reduce(0) { $0 + $1.count } ?? 0
        let evaluation = machine.evaluation
        evaluationsAwaited = evaluation?.isOpen == true ? evaluation?.places.tally.awaited ?? 0 : 0
        bestRound = machine.standing.best?.round ?? 0
        clients = machine.clients.tally.active
        clientsSeen = session.clientsSeen(since: now.adding(seconds: -machine.settings.policy.seenSeconds))
        waits = session.watchers.count
    }
}

extension Services {
    /// How the services stand now. It looks at every client of every federation, so it must not run on a shard.
    package var figures: ServiceFigures {
        let now = clock.now()
        let uploads = uploads.table.figures
        return ServiceFigures(
            roundsToAggregate: aggregation.due.count,
            renderings: [
                ("adapters", adapters.lanes), ("merges", models.lanes.merging), ("models", models.lanes.modelling),
            ].map { ($0, $1.waitingCount, $1.busyCount) },
            unfinishedUploads: uploads.count, unfinishedUploadBytes: uploads.bytes,
            federationsSetAside: runtime.setAsideCount,
            federations: runtime.all.map { FederationFigures($0, at: now) })
    }
}
