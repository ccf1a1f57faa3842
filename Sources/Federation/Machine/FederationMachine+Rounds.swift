/// The sequence of rounds: opening, closing, publishing, failing, pausing.
extension FederationMachine {
    /// Does what is due: closes the current round, opens the next one.
    mutating func advance(in step: inout Step) {
        closeRoundIfDue(in: &step)
        closeEvaluationIfDue(in: &step)
        openRoundIfPossible(in: &step)
    }

    private mutating func closeRoundIfDue(in step: inout Step) {
        guard var current = round, current.phase == .collecting else { return }
        let closing = current.closeIfDue(at: step.now, settings: settings)
        guard closing != .notYet else { return }
        round = current
        step.concernsEveryPlan = true
        step.changes.append(.round(current))
        switch closing {
        case .notYet: break
        case .aggregate(let leftOut):
            recordLeftOut(leftOut, in: &step)
            let missed = current.clients(in: .awaited)
            let declined = current.clients(in: .declined)
            let without = declined.isEmpty ? "" : "; declined: \(Self.list(declined))"
            let cut =
                (missed.isEmpty ? "everybody answered" : "cut: \(Self.list(missed)), who did not answer") + without
            decide("round.closed", "\(current.acceptedCount.counted("update")); \(cut)", in: &step)
            countRefusals(of: current, in: &step)
            countChanges(in: current, in: &step)
        case .extended(let reason):
            decide("round.extended", reason, in: &step)
            askDeclined(in: &step)
            inviteReplacements(in: &step)
        case .abandoned(let reason):
            step.changes.append(.releaseUpdates(round: current.number, leftOutFor: reason))
            decide("round.failed", reason, in: &step)
            countRefusals(of: current, in: &step)
            countChanges(in: current, in: &step)
        }
    }

    /// Records that the round has left these updates out.
    private mutating func recordLeftOut(_ clients: [ClientName], in step: inout Step) {
        guard let current = round else { return }
        for client in clients {
            guard let update = current.updates[client], case .leftOut(let reason) = update.status else { continue }
            step.changes.append(.status(update, round: current.number))
            decide("update.left_out", client: client, reason, in: &step)
        }
    }

    /// Records the number of repeated refusals. The audit log has only the first refusal of each client and code.
    private func countRefusals(of round: RoundMachine, in step: inout Step) {
        let repeated = round.refusals.filter { $0.count > 1 }.map { "\($0.client) \($0.code) \($0.count) times" }
        record("round.refusals", "refused", sentences: repeated, round: round.number, in: &step)
    }

    private mutating func openRoundIfPossible(in step: inout Step) {
        guard settings.upstream == nil, state == .waiting || state == .running else { return }
        switch round?.phase {
        case .collecting, .aggregating: return
        case .published, .failed, nil: break
        }
        let number = (round?.number ?? 0) + 1
        guard number <= settings.policy.total else {
            // Clients leave a finished federation, so the last evaluation comes first.
            if evaluation?.isOpen != true { finish(in: &step) }
            return
        }
        let policy = settings.policy
        if round == nil, clients.tally.active < policy.minimumClients { return }
        if policy.buffer != nil {
            open(number, for: [], cohort: 0, "for updates of everybody", in: &step)
            return
        }
        let eligible = eligible(in: step)
        guard eligible.count >= policy.minimumUpdates else { return }
        let selected = select(policy.invited(of: eligible.count), of: eligible, round: number, in: &step)
        open(
            number, for: selected, cohort: policy.cohort(of: eligible.count),
            "\(selected.count) of \(eligible.count.counted("client")) selected", in: &step)
        note(selected: selected, in: number)
        record("round.selected", selected.count.counted("client"), selected, round: number, in: &step)
    }

    mutating func open(
        _ number: Int, for selected: [ClientName], cohort: Int, _ detail: String, in step: inout Step
    ) {
        let opened = RoundMachine(
            number: number, openedAt: step.now, policy: settings.policy, selected: selected, cohort: cohort,
            revision: step.revision)
        round = opened
        state = .running
        step.concernsEveryPlan = true
        step.changes.append(.round(opened))
        step.changes.append(.participations(opened.participations, round: number))
        decide("round.opened", detail, in: &step)
    }

    private mutating func finish(in step: inout Step) {
        state = .finished
        step.concernsEveryPlan = true
        step.record("federation.finished", round: round?.number)
    }

    mutating func publish(
        _ adapter: PublishedAdapter, _ robust: RobustOutcome = RobustOutcome(), round number: Int, in step: inout Step
    ) {
        guard var current = round, current.number == number, current.phase == .aggregating else { return }
        current.leaveOut(robust.leftOut)
        round = current
        recordLeftOut(robust.leftOut.keys.sorted(), in: &step)
        for note in robust.notes { decide("round.robust", note, in: &step) }
        current = round ?? current
        current.publish(adapter)
        round = current
        publishedRound = number
        step.concernsEveryPlan = true
        step.changes.append(.round(current))
        step.changes.append(.releaseUpdates(round: number, leftOutFor: nil))
        decide("round.published", "\(adapter.digest)", in: &step)
        closeEvaluation("round \(number) was published", in: &step)
        openEvaluation(of: number, in: &step)
    }

    mutating func fail(round number: Int, reason: String, in step: inout Step) {
        guard var current = round, current.number == number else { return }
        switch current.phase {
        case .published, .failed: return
        case .collecting, .aggregating: break
        }
        let hasClosed = current.phase == .aggregating
        current.fail(reason: reason, at: step.now)
        round = current
        step.concernsEveryPlan = true
        step.changes.append(.round(current))
        step.changes.append(.releaseUpdates(round: number, leftOutFor: reason))
        decide("round.failed", reason, in: &step)
        if !hasClosed {
            countRefusals(of: current, in: &step)
            countChanges(in: current, in: &step)
        }
    }

    mutating func change(to wanted: FederationState, in step: inout Step) throws(LifecycleError) {
        guard wanted != state else { return }
        switch (state, wanted) {
        case (.waiting, .paused), (.running, .paused): state = .paused
        case (.paused, .running): state = round == nil ? .waiting : .running
        case (.draft, .finished), (.waiting, .finished), (.running, .finished), (.paused, .finished):
            state = .finished
            if let current = round, current.phase == .collecting {
                fail(round: current.number, reason: "the federation was finished", in: &step)
            }
            closeEvaluation("the federation was finished", in: &step)
        default: throw .cannotChange(from: state, to: wanted)
        }
        step.concernsEveryPlan = true
        step.record("federation.\(wanted.rawValue)", round: round?.number)
    }

    /// Leaves the draft state; from now on clients may register.
    mutating func take(template settings: FederationSettings, in step: inout Step) throws(LifecycleError) {
        guard state == .draft else { throw .cannotChange(from: state, to: .waiting) }
        self.settings = settings
        state = .waiting
        step.concernsEveryPlan = true
        step.changes.append(.settings(settings))
        step.record("federation.templated", "\(settings.adapter.modules.count.counted("module"))")
    }

    mutating func change(to retention: Retention?, in step: inout Step) throws(LifecycleError) {
        var changed = settings
        changed.retention = retention
        do throws(SettingsError) { try changed.validate() } catch { throw .settings(error) }
        settings = changed
        step.changes.append(.settings(changed))
        step.record("federation.changed", round: round?.number, "retention")
    }

    mutating func change(to policy: RoundPolicy, in step: inout Step) throws(LifecycleError) {
        var changed = settings
        changed.policy = policy
        do throws(SettingsError) {
            guard (policy.buffer == nil) == (settings.policy.buffer == nil) else {
                throw SettingsError(
                    path: "round.buffer", reason: "can be set at the federation's creation only, and then resized")
            }
            try changed.validate()
        } catch {
            throw .settings(error)
        }
        settings = changed
        step.concernsEveryPlan = true
        step.changes.append(.settings(changed))
        step.record("federation.changed", round: round?.number, "round policy")
    }
}
