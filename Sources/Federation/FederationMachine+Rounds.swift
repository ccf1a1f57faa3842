/// How rounds follow each other: opening, closing, publishing, failing, pausing.
extension FederationMachine {
    /// Does what has become due: closes the current round, opens the next.
    mutating func advance(in step: inout Step) {
        closeRoundIfDue(in: &step)
        openRoundIfPossible(in: &step)
    }

    private mutating func closeRoundIfDue(in step: inout Step) {
        guard var current = round, current.phase == .collecting else { return }
        let closing = current.closeIfDue(at: step.now, policy: settings.policy)
        guard closing != .notYet else { return }
        round = current
        step.concernsEveryPlan = true
        step.changes.append(.round(current))
        switch closing {
        case .notYet: break
        case .aggregate:
            let missed = current.places.values.count { $0.state == .awaited }
            step.record(
                "round.closed", round: current.number,
                "\(current.updates.count) updates, \(missed) clients did not answer")
        case .extended:
            step.record(
                "round.extended", round: current.number,
                "\(current.updates.count) of at least \(current.minimumUpdates) updates at the deadline")
        case .abandoned(let reason):
            step.changes.append(.releaseUpdates(round: current.number, leftOutFor: reason))
            step.record("round.failed", round: current.number, reason)
        }
    }

    private mutating func openRoundIfPossible(in step: inout Step) {
        guard state == .waiting || state == .running else { return }
        switch round?.phase {
        case .collecting, .aggregating: return
        case .published, .failed, nil: break
        }
        let number = (round?.number ?? 0) + 1
        guard number <= settings.policy.total else {
            finish(in: &step)
            return
        }
        let policy = settings.policy
        let oldest = step.now.adding(seconds: -policy.seenSeconds)
        let active = clients.values.filter { $0.revokedAt == nil }
        if round == nil, active.count < policy.minimumClients { return }
        let eligible = active.filter { (step.surroundings.lastSeen[$0.name] ?? oldest) >= oldest }.map(\.name)
            .sorted()
        guard eligible.count >= policy.minimumUpdates else { return }
        open(number, from: eligible, in: &step)
    }

    private mutating func open(_ number: Int, from eligible: [ClientName], in step: inout Step) {
        let policy = settings.policy
        let cohort = policy.cohort(of: eligible.count)
        let wanted = policy.invited(of: eligible.count)
        let selected =
            wanted == eligible.count
            ? eligible : step.surroundings.sampler.sample(wanted, of: eligible, seed: settings.seed, round: number)
        let opened = RoundMachine(
            number: number, openedAt: step.now, policy: policy, selected: selected, cohort: cohort,
            revision: step.revision)
        round = opened
        state = .running
        step.concernsEveryPlan = true
        step.changes.append(.round(opened))
        step.changes.append(.places(opened.places, round: number))
        step.record("round.opened", round: number, "\(selected.count) of \(eligible.count) clients selected")
    }

    private mutating func finish(in step: inout Step) {
        state = .finished
        step.concernsEveryPlan = true
        step.record("federation.finished", round: round?.number)
    }

    mutating func publish(_ adapter: PublishedAdapter, round number: Int, in step: inout Step) -> Reply {
        guard var current = round, current.number == number, current.phase == .aggregating else { return .done }
        current.publish(adapter)
        round = current
        publishedRound = number
        step.concernsEveryPlan = true
        step.changes.append(.round(current))
        step.changes.append(.releaseUpdates(round: number, leftOutFor: nil))
        step.record("round.published", round: number, "\(adapter.digest)")
        return .done
    }

    mutating func fail(round number: Int, reason: String, in step: inout Step) -> Reply {
        guard var current = round, current.number == number else { return .done }
        switch current.phase {
        case .published, .failed: return .done
        case .collecting, .aggregating: break
        }
        current.fail(reason: reason, at: step.now)
        round = current
        step.concernsEveryPlan = true
        step.changes.append(.round(current))
        step.changes.append(.releaseUpdates(round: number, leftOutFor: reason))
        step.record("round.failed", round: number, reason)
        return .done
    }

    mutating func change(to wanted: FederationState, in step: inout Step) -> Reply {
        guard wanted != state else { return .done }
        switch (state, wanted) {
        case (.waiting, .paused), (.running, .paused): state = .paused
        case (.paused, .running): state = round == nil ? .waiting : .running
        case (.waiting, .finished), (.running, .finished), (.paused, .finished):
            state = .finished
            if let current = round, current.phase == .collecting {
                _ = fail(round: current.number, reason: "the federation was finished", in: &step)
            }
        default: return .lifecycle(.cannotChange(from: state, to: wanted))
        }
        step.concernsEveryPlan = true
        step.record("federation.\(wanted.rawValue)", round: round?.number)
        return .done
    }

    mutating func change(to policy: RoundPolicy, in step: inout Step) -> Reply {
        var changed = settings
        changed.policy = policy
        do throws(SettingsError) {
            try changed.validate()
        } catch {
            return .lifecycle(.settings(error))
        }
        settings = changed
        step.concernsEveryPlan = true
        step.changes.append(.settings(changed))
        step.record("federation.changed", round: round?.number, "round policy")
        return .done
    }
}
