/// The selection of clients for a round, and its record in the audit log.
extension FederationMachine {
    /// The clients that may be drawn now, in ascending order of name. They are not revoked, not in the current
    /// selection, and were seen recently.
    func eligible(in step: Step) -> [ClientName] {
        let oldest = step.now.adding(seconds: -settings.policy.seenSeconds)
        let selected = round?.phase == .collecting ? round?.participations : nil
        return clients.values.filter { client in
            guard client.revokedAt == nil, selected?[client.name] == nil else { return false }
            guard let seen = step.context.seen[client.name] else { return true }
            return !seen.isAbsent && seen.at >= oldest
        }.map(\.name)
    }

    /// Draws `count` of the eligible clients. Where not all are drawn, the candidates are recorded, so that the draw
    /// can be replayed.
    func select(_ count: Int, of eligible: [ClientName], round number: Int, in step: inout Step) -> [ClientName] {
        guard count < eligible.count else { return eligible }
        let preference = settings.policy.preference
        let candidates = candidates(eligible, by: preference)
        let names = candidates.map(\.client)
        let values = preference == .uniform ? nil : candidates.map(\.value)
        record(
            "round.candidates", "\(count) by \(preference.rawValue), of \(names.count.counted("candidate"))", names,
            values: values, round: number, in: &step)
        return step.context.sampler.sample(
            count, of: candidates, by: preference, seed: settings.seed, round: number)
    }

    /// Records clients: "`what`: a, b" where they are few, else "`what`: sha256:…" and the list itself.
    func record(
        _ kind: String, _ what: String, _ names: [ClientName], values: [Int]? = nil, round number: Int,
        in step: inout Step
    ) {
        if names.count <= ClientList.namesPerEvent {
            let texts = values.map { zip(names, $0).map { "\($0) \($1)" } } ?? names.map(\.rawValue)
            return step.record(kind, round: number, "\(what): \(texts.joined(separator: ", "))")
        }
        let digest = step.context.sampler.digest(of: ClientList.text(of: names, values: values))
        step.changes.append(.list(ClientList(clients: names, values: values, digest: digest)))
        step.record(kind, round: number, "\(what): \(digest)")
    }

    /// Records sentences in as many events as they need: "`what`, part 1 of 2: …, …".
    func record(_ kind: String, _ what: String, sentences: [String], round number: Int, in step: inout Step) {
        let parts = (sentences.count + Self.sentencesPerEvent - 1) / Self.sentencesPerEvent
        for part in 0..<parts {
            let some = sentences.dropFirst(part * Self.sentencesPerEvent).prefix(Self.sentencesPerEvent)
            step.record(
                kind, round: number, "\(what), part \(part + 1) of \(parts): \(some.joined(separator: ", "))")
        }
    }

    private static let sentencesPerEvent = 500

    /// Notes the round that selected these clients last.
    mutating func note(selected: [ClientName], in number: Int) {
        for name in selected { clients[name]?.history.lastSelected = number }
    }

    /// The candidates of a draw. A client that has never sent an update counts as the mean of those that have.
    private func candidates(_ names: [ClientName], by preference: RoundPolicy.Preference) -> [Candidate] {
        switch preference {
        case .uniform: return names.map { Candidate(client: $0, value: 0) }
        case .leastRecent:
            return names.map { Candidate(client: $0, value: clients[$0]?.history.lastSelected ?? 0) }
        case .samples:
            let known = names.compactMap { clients[$0]?.history.samples }
            let sum = known.reduce(0.0) { $0 + Double($1) }
            let mean = known.isEmpty ? 1 : max(1, Int(clamping: sum / Double(known.count)))
            return names.map { Candidate(client: $0, value: clients[$0]?.history.samples ?? mean) }
        }
    }
}

extension FederationMachine {
    /// Invites as many further clients as the round still needs, where its deadline has passed and only some were
    /// selected.
    mutating func inviteReplacements(in step: inout Step) {
        guard let current = round, current.phase == .collecting else { return }
        guard !settings.policy.selectsEverybody, settings.policy.buffer == nil else { return }
        let silent = current.clients(in: .awaited)
        let candidates = eligible(in: step)
        let wanted = min(current.missing(in: settings.adapter), candidates.count)
        guard wanted > 0 else { return }
        let invited = select(wanted, of: candidates, round: current.number, in: &step)
        round?.invite(invited, revision: step.revision)
        note(selected: invited, in: current.number)
        for name in invited {
            guard let place = round?.participations[name] else { continue }
            step.changes.append(.place(name, round: current.number, place))
        }
        record("round.selected", invited.count.counted("replacement"), invited, round: current.number, in: &step)
        let whom = silent.isEmpty ? "" : " for \(Self.list(silent)), who have not answered"
        decide("round.invited", "\(invited.count) more\(whom)", in: &step)
        if let round { step.changes.append(.round(round)) }
    }

    /// Records a decision about the current round, in the audit log and with the round.
    mutating func decide(_ kind: String, client: ClientName? = nil, _ detail: String, in step: inout Step) {
        let event = AuditEvent(at: step.now, kind: kind, round: round?.number, client: client, detail: detail)
        step.changes.append(.event(event))
        round?.note(event)
    }

    /// Names for a person to read: the first fifty, and the number of the others.
    static func list(_ names: [some CustomStringConvertible]) -> String {
        let shown = names.prefix(50).map(\.description).joined(separator: ", ")
        if names.isEmpty { return "nobody" }
        return names.count > 50 ? "\(shown) and \(names.count - 50) more" : shown
    }
}
