import Federation
import Synchronization

/// Sees everything that is stored and everything that is answered, and checks that both agree.
final class StepLedger: Sendable {
    private struct State {
        var violation: Violation?
        /// The updates of which a client knows that they were received, by client and round.
        var received: [Sending: ContentDigest] = [:]
        /// The answers of which a client knows that an evaluation has them.
        var answers: [Sending: EvaluationAnswer] = [:]
        /// The events that each server says it has stored, in order.
        var events: [String: [AuditEvent]] = [:]
        /// The newest fence of each job.
        var fences: [Job: Int64] = [:]
        /// The accepted updates of each round when it closed.
        var cohorts: [Int: [ContentDigest]] = [:]
        var steps = 0
        var incidents: [Incident: Int] = [:]
    }

    /// What a client sends at most one update for.
    struct Sending: Sendable, Hashable {
        let client: ClientName
        let round: Int
    }

    private let watched: Set<Invariant>
    private let state = Mutex(State())

    init(watching watched: Set<Invariant>) { self.watched = watched }

    var violation: Violation? { state.withLock { $0.violation } }
    var steps: Int { state.withLock { $0.steps } }
    var incidents: [Incident: Int] { state.withLock { $0.incidents } }

    func count(_ incident: Incident) { state.withLock { $0.incidents[incident, default: 0] += 1 } }

    /// Only the first violation counts: others may follow from it.
    func report(_ invariant: Invariant, _ detail: @autoclosure () -> String) {
        guard watched.contains(invariant) else { return }
        let detail = detail()
        state.withLock { $0.violation = $0.violation ?? Violation(invariant: invariant, detail: detail) }
    }

    /// A client has the answer that its update was received.
    func received(_ digest: ContentDigest, from client: ClientName, round: Int) {
        state.withLock { $0.received[Sending(client: client, round: round)] = digest }
    }

    /// A client has been told that its answer is taken.
    func took(_ answer: EvaluationAnswer, from client: ClientName, round: Int) {
        state.withLock { $0.answers[Sending(client: client, round: round)] = answer }
    }

    /// A server has been told that its step is stored.
    func announced(_ event: AuditEvent, by server: String) {
        state.withLock { $0.events[server, default: []].append(event) }
    }

    /// Somebody has taken a job's lease.
    func leased(_ lease: Lease) {
        let last = state.withLock { state in
            defer { state.fences[lease.job] = lease.fence }
            return state.fences[lease.job] ?? 0
        }
        if lease.fence <= last { report(.fenceRises, "\(lease.fence) after \(last)") }
    }

    /// A server gives the store its copy of the federation.
    func check(_ copy: FederationMachine, of server: String, against stored: FederationMachine) {
        if copy.revision > stored.revision {
            report(.copyIsStored, "\(server) has revision \(copy.revision) of \(stored.revision)")
        } else if copy.revision == stored.revision, let difference = copy.difference(from: stored) {
            report(.copyIsStored, "\(server) has another \(difference) at \(copy.revision)")
        }
    }

    /// A step has been stored.
    func stored(
        _ step: FederationStep, of server: String, from before: FakeStore.Rows, to after: FakeStore.Rows
    ) {
        state.withLock { $0.steps += 1 }
        count(step.changes)
        if after.machine.revision != before.machine.revision + 1 {
            report(
                .revisionRises, "\(after.machine.revision) of \(server) after \(before.machine.revision)")
        }
        if let lease = step.spending, state.withLock({ $0.fences[lease.job] }) != lease.fence {
            report(.newestLease, "\(server) spent fence \(lease.fence) of \(lease.job.kind)")
        }
        checkArrivals(step.changes, since: before.machine.round)
        checkRound(from: before.machine, to: after, step.changes)
        checkReceived(in: after)
        checkEvaluations(from: before, to: after)
    }

    private func count(_ changes: [Change]) {
        for case .event(let event) in changes {
            switch event.kind {
            case "round.published": count(.published)
            case "round.failed": count(.failed)
            case "update.lost": count(.lostUpdate)
            case "evaluation.closed" where event.detail?.hasPrefix("0 of") == false: count(.evaluated)
            default: break
            }
        }
    }

    /// Every update comes while its round collects. A step may hold several events, which close and open rounds.
    private func checkArrivals(_ changes: [Change], since before: RoundMachine?) {
        var round = before
        for change in changes {
            switch change {
            case .round(let changed): round = changed
            case .update(let update, let number):
                guard round?.number != number || round?.phase != .collecting else { continue }
                report(.closedTakesNone, "\(update.client) in round \(number)")
            default: break
            }
        }
    }

    /// Rounds follow one another, a closed round keeps its cohort, and it publishes that cohort once.
    private func checkRound(from before: FederationMachine, to rows: FakeStore.Rows, _ changes: [Change]) {
        let after = rows.machine
        if after.publishedRound < before.publishedRound {
            report(.publishedOnce, "\(after.publishedRound) after \(before.publishedRound)")
        }
        // A step of many events may open a round and close it.
        if let new = after.round, new.number > before.round?.number ?? 0, new.phase == .aggregating {
            state.withLock { $0.cohorts[new.number] = new.accepted.map(\.digest) }
        }
        guard let old = before.round else { return }
        guard let new = after.round, new.number >= old.number else {
            return report(.roundsFollow, "after \(old.number) came \(after.round?.number ?? 0)")
        }
        // The step that ends a round opens the next one. A step that reopens a round may close it again.
        var last = old
        for case .round(let round) in changes where round.number == old.number {
            checkPhase(from: last, to: round)
            last = round
        }
        checkPhase(from: last, to: new.number == old.number ? new : rows.rounds[old.number] ?? last)
    }

    private func checkPhase(from old: RoundMachine, to new: RoundMachine) {
        let cohort = new.accepted.map(\.digest)
        switch (old.phase, new.phase) {
        case (.collecting, .aggregating): state.withLock { $0.cohorts[new.number] = cohort }
        case (.aggregating, .aggregating):
            if cohort != state.withLock({ $0.cohorts[new.number] }) {
                report(.closedKeepsCohort, "round \(new.number) has \(cohort.count) updates")
            }
        case (.aggregating, .published(let adapter)): check(adapter, ofRound: new.number)
        case (.collecting, .published):
            report(.closesBeforePublishing, "round \(new.number)")
        case (.published, _), (.failed, _):
            if old.phase != new.phase { report(.endedRoundStays, "round \(new.number)") }
        default: break
        }
    }

    private func check(_ adapter: PublishedAdapter, ofRound round: Int) {
        let cohort = state.withLock { $0.cohorts[round] } ?? []
        if adapter.digest != Sum.digest(of: cohort, round: round) {
            report(.publishesCohort, "round \(round), of \(cohort.count) updates")
        }
    }

    /// What a client knows to be received is there, in any status.
    private func checkReceived(in rows: FakeStore.Rows) {
        guard let current = rows.machine.round else { return }
        for (sending, digest) in state.withLock({ $0.received }) where sending.round == current.number {
            guard current.updates[sending.client]?.digest != digest else { continue }
            if current.updates[sending.client] == nil {
                report(
                    .receivedIsStored,
                    "the one of \(sending.client) for round \(sending.round) is not in it")
            }
        }
    }
}

extension StepLedger {
    /// Checks everything once more, when nobody does anything any more.
    func checkEnd(of rows: FakeStore.Rows) {
        checkReceivedUpdates(in: rows)
        checkAnswers(state.withLock { $0.answers }, in: rows)
        checkEvents(in: rows)
        for round in rows.rounds.values.sorted(by: { $0.number < $1.number }) { checkPublished(round) }
    }

    /// Every update that a client knows to be received counts in one round, or is out of it on record.
    private func checkReceivedUpdates(in rows: FakeStore.Rows) {
        let updates = rows.rounds.values.flatMap { round in round.updates.values.map { (round.number, $0) } }
        for (sending, digest) in state.withLock({ $0.received }) {
            let found = updates.filter { $0.1.client == sending.client && $0.1.digest == digest }
            // A later update of the client in the round has taken the place of one that was lost or taken back.
            let isReplaced = rows.events.contains {
                ["update.lost", "update.taken_back"].contains($0.kind) && $0.client == sending.client
            }
            if found.isEmpty, !isReplaced {
                report(.receivedIsStored, "\(sending.client) for round \(sending.round)")
            }
            if found.count > 1 {
                report(.countsOnce, "\(sending.client) in rounds \(found.map(\.0).sorted())")
            }
        }
    }

    /// The log is one sequence: what a server says it has stored is in it, in the same order, and updates are accepted
    /// in it as often as they are stored.
    private func checkEvents(in rows: FakeStore.Rows) {
        for (server, told) in state.withLock({ $0.events }) {
            var rest = rows.events[...]
            for event in told {
                guard let index = rest.firstIndex(of: event) else {
                    report(.oneLog, "\(server) has \(event.kind) that is not there in its order")
                    break
                }
                rest = rest[(index + 1)...]
            }
        }
        for kind in ["round.opened", "round.published"] {
            let rounds = rows.events.filter { $0.kind == kind }.compactMap(\.round)
            if Set(rounds).count != rounds.count { report(.publishedOnce, "\(kind) \(rounds)") }
        }
        for event in rows.events where event.kind == "update.accepted" {
            guard let round = event.round.flatMap({ rows.rounds[$0] }), let client = event.client else { continue }
            if round.updates[client] == nil {
                report(.acceptedIsStored, "\(client) in round \(round.number)")
            }
        }
        checkRepetitions(in: rows.events)
    }

    /// An update is accepted again only after it was lost or taken back.
    private func checkRepetitions(in events: [AuditEvent]) {
        var held: [ClientName: Set<String>] = [:]
        for event in events {
            guard let client = event.client else { continue }
            switch event.kind {
            case "update.accepted":
                if !held[client, default: []].insert(event.detail ?? "").inserted {
                    report(.acceptedOnce, "\(client) in round \(event.round ?? 0)")
                }
            case "update.lost", "update.taken_back": held[client] = nil
            default: break
            }
        }
    }

    private func checkPublished(_ round: RoundMachine) {
        guard case .published(let adapter) = round.phase else { return }
        if adapter.digest != Sum.digest(of: round.accepted.map(\.digest), round: round.number) {
            report(.publishesCohort, "round \(round.number)")
        }
    }
}
