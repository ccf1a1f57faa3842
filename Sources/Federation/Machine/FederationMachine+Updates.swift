/// Takes, refuses and loses updates.
extension FederationMachine {
    mutating func accept(
        _ update: Update, round number: Int, adopting keys: [String: String], in step: inout Step
    ) throws(UpdateObjection) -> Int {
        if let objection = objection(to: update.client, round: number) { throw .round(objection) }
        guard let current = round else { throw .round(.unknown(round: number, current: 0)) }
        guard current.phase == .collecting else { throw .round(.busy(round: current.number)) }
        if let key = adopt(keys, of: update.client, in: &step) { throw .configuration(key: key) }
        var taken = update
        if current.number > number { taken.began = number }
        round?.takeUnchecked(taken, revision: step.revision)
        clients[update.client]?.history = Client.History(
            lastSelected: current.number, samples: update.samples, lastUpdated: number)
        step.changes.append(.update(taken, round: current.number))
        step.changes.append(
            .place(update.client, round: current.number, .init(state: .answered, revision: step.revision)))
        let age = taken.began.map { ", \((current.number - $0).counted("round")) old" } ?? ""
        step.record(
            "update.accepted", round: current.number, client: update.client,
            "\(update.digest), \(update.samples.counted("sample"))\(age)")
        return round?.acceptedCount ?? 0
    }

    /// Adopts keys of a client's configuration that no client has given yet; they travel with the adapter.
    ///
    /// - Returns: a key to which another client gave a different value. Then nothing is adopted.
    private mutating func adopt(_ keys: [String: String], of client: ClientName, in step: inout Step) -> String? {
        let known = settings.adapter.config
        if let key = keys.keys.sorted().first(where: { known[$0] != nil && known[$0] != keys[$0] }) { return key }
        let new = keys.filter { known[$0.key] == nil }
        guard !new.isEmpty else { return nil }
        settings.adapter.config.merge(new) { first, _ in first }
        step.changes.append(.settings(settings))
        step.record("federation.configured", round: round?.number, client: client, Self.list(new.keys.sorted()))
        return nil
    }

    /// A client must not fill the audit log with refusals. The first of each code is an event, and the round counts the
    /// others.
    mutating func refuse(_ refusal: Refusal, round number: Int, in step: inout Step) {
        guard let current = round, current.phase == .collecting else { return }
        guard number == current.number || settings.policy.buffer != nil else { return }
        guard let shown = round?.refuse(refusal) else { return }
        if shown.count == 1 {
            step.record(
                "update.refused", round: current.number, client: refusal.client,
                "\(refusal.code): \(refusal.detail)")
        }
        step.changes.append(.refusal(shown, round: current.number))
    }

    /// Why `client` may not send an update for round `number` now; nil when it may.
    package func objection(to client: ClientName, round number: Int) -> RoundError? {
        guard let round else { return .unknown(round: number, current: 0) }
        if number > round.number { return .unknown(round: number, current: round.number) }
        guard let buffer = settings.policy.buffer else {
            if number < round.number { return .closed(round: number, current: round.number) }
            return round.objection(to: client)
        }
        switch round.phase {
        case .published, .failed: return .closed(round: number, current: round.number)
        case .collecting, .aggregating: break
        }
        guard number >= 1, round.number - number <= buffer.maximumStaleness else {
            return .closed(round: number, current: round.number)
        }
        if round.isLost(client, began: number) { return nil }
        let known = clients[client]?.history.lastUpdated ?? 0
        if known >= number || (round.phase == .collecting && round.participations[client]?.state == .answered) {
            return .updateExists(round: number)
        }
        return nil
    }

    /// Takes an update out of the collecting round, at the admin's request.
    mutating func takeBack(_ name: ClientName, round number: Int, in step: inout Step) throws(RoundError) {
        let latest = round?.number ?? 0
        guard let current = round, number <= latest else { throw .unknown(round: number, current: latest) }
        guard number == latest, current.phase == .collecting else {
            throw .closed(round: number, current: latest)
        }
        guard let held = current.held(of: name) else { throw .noUpdate(round: number) }
        let reason = "the admin took \(held.digest) back"
        round?.takeBack(
            name, reason: reason, isRevoked: clients[name]?.revokedAt != nil, revision: step.revision)
        if let update = round?.updates[name] { step.changes.append(.status(update, round: number)) }
        if let place = round?.participations[name] { step.changes.append(.place(name, round: number, place)) }
        decide("update.taken_back", client: name, reason, in: &step)
    }

    /// Gives up updates whose bytes are lost, and asks their clients again.
    mutating func lose(_ reasons: [ClientName: String], round number: Int, in step: inout Step) {
        guard var current = round, current.number == number, current.phase == .aggregating else { return }
        let lost = reasons.filter { current.updates[$0.key]?.status == .accepted }
        guard !lost.isEmpty else { return }
        let before = current
        current.lose(
            lost, absent: Set(lost.keys.filter { clients[$0]?.revokedAt != nil }), at: step.now,
            extendingBy: settings.policy.deadlineSeconds, revision: step.revision)
        round = current
        step.concernsEveryPlan = true
        step.changes.append(.round(current))
        step.changes.append(
            .participations(.init(current.participations.changes(since: before.participations)), round: number))
        for (_, update) in current.updates.changes(since: before.updates)
        where update.status != before.updates[update.client]?.status {
            step.changes.append(.status(update, round: number))
        }
        for (client, reason) in lost.sorted(by: { $0.key < $1.key }) {
            decide("update.lost", client: client, reason, in: &step)
        }
        decide("round.reopened", "\(lost.count.counted("lost update")), asked for again", in: &step)
    }
}
