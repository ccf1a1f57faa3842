/// The rounds of a region, which open and end as the root's.
extension FederationMachine {
    /// Opens a round for the region's clients, unless it or a later one has begun, or an earlier one has not ended.
    mutating func openUpstream(_ number: Int, until deadline: Timestamp, in step: inout Step) {
        guard settings.upstream != nil, state == .waiting || state == .running, canBegin(number) else { return }
        let eligible = eligible(in: step)
        open(
            number, for: eligible, cohort: settings.policy.cohort(of: eligible.count),
            "\(eligible.count.counted("client")) selected, as the root collects", in: &step)
        note(selected: eligible, in: number)
        record("round.selected", eligible.count.counted("client"), eligible, round: number, in: &step)
        round?.deadline = deadline
        if let round { step.changes.append(.round(round)) }
    }

    /// Closes a round that the root has ended, with the updates that it has.
    mutating func closeUpstream(_ number: Int, in step: inout Step) {
        guard settings.upstream != nil, var current = round, current.number == number, current.phase == .collecting
        else { return }
        current.phase = .aggregating
        current.closedAt = step.now
        round = current
        step.concernsEveryPlan = true
        step.changes.append(.round(current))
        decide(
            "round.closed", "\(current.acceptedCount.counted("update")); the root's round has ended", in: &step)
    }

    /// Takes the root's adapter of a round in which the region had no part.
    mutating func adoptUpstream(_ adapter: PublishedAdapter, round number: Int, in step: inout Step) {
        guard settings.upstream != nil, canBegin(number) else { return }
        var adopted = RoundMachine(
            number: number, openedAt: step.now, policy: settings.policy, selected: [], cohort: 0,
            revision: step.revision)
        adopted.closedAt = step.now
        adopted.publish(adapter)
        round = adopted
        if state == .waiting { state = .running }
        publishedRound = number
        step.concernsEveryPlan = true
        step.changes.append(.round(adopted))
        decide("round.published", "\(adapter.digest), of a round without this region", in: &step)
    }

    /// Whether no round of this number or a later one has begun, and the last one has ended.
    private func canBegin(_ number: Int) -> Bool {
        guard let round else { return true }
        return round.hasEnded && number > round.number
    }
}

extension RoundMachine {
    /// Whether no part of the round changes any more.
    package var hasEnded: Bool {
        switch phase {
        case .collecting, .aggregating: false
        case .published, .failed: true
        }
    }
}

/// What a region learns of the root.
extension FederationMachine.Event {
    /// The root collects a round; the region's clients have until the deadline.
    package static func openUpstream(_ number: Int, until deadline: Timestamp) -> Self
    where Success == Void, Failure == Never {
        Self { machine, step in machine.openUpstream(number, until: deadline, in: &step) }
    }

    /// The root's round has ended.
    package static func closeUpstream(_ number: Int) -> Self where Success == Void, Failure == Never {
        Self { machine, step in machine.closeUpstream(number, in: &step) }
    }

    /// The root has published a round in which the region had no part.
    package static func adoptUpstream(_ adapter: PublishedAdapter, round number: Int) -> Self
    where Success == Void, Failure == Never {
        Self { machine, step in machine.adoptUpstream(adapter, round: number, in: &step) }
    }
}
