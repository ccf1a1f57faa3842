/// The evaluation of published adapters by clients, beside the rounds.
extension FederationMachine {
    /// Asks clients to score the adapter that a round has just published, where it is due.
    mutating func openEvaluation(of number: Int, in step: inout Step) {
        guard let policy = settings.evaluation, state != .finished, policy.isDue(number, of: settings.policy.total)
        else { return }
        let able = eligible(in: step).filter { clients[$0]?.capabilities.evaluates == true }
        let count = policy.count(of: able.count)
        var asked = able
        if count < able.count {
            record(
                "evaluation.candidates", "\(count) of \(able.count.counted("candidate"))", able, round: number,
                in: &step)
            asked = step.context.sampler.sample(
                count, of: able.map { Candidate(client: $0, value: 0) }, by: .uniform,
                seed: settings.seed ^ Self.evaluationDraw, round: number)
        }
        let places = ClientTable(
            asked.map { ($0, EvaluationRound.Place(rank: clients[$0]?.rank ?? 1, revision: step.revision)) })
        let opened = EvaluationRound(
            round: number, openedAt: step.now, deadline: step.now.adding(seconds: policy.deadlineSeconds),
            places: places, standing: standing)
        evaluation = opened
        step.changes.append(.evaluation(opened))
        step.changes.append(.evaluationPlaces(places, round: number))
        if !asked.isEmpty {
            record("evaluation.opened", asked.count.counted("client"), asked, round: number, in: &step)
        }
    }

    /// Makes the draw another one than that of the round's clients.
    private static let evaluationDraw: UInt64 = 0x6576_616C_7561_7465

    /// Ends the open evaluation if nobody is awaited any more or its deadline has passed.
    mutating func closeEvaluationIfDue(in step: inout Step) {
        guard let current = evaluation, current.isOpen else { return }
        if current.places.tally.awaited == 0 {
            closeEvaluation(current.places.isEmpty ? "nobody could be asked" : "everybody answered", in: &step)
        } else if step.now >= current.deadline {
            closeEvaluation("its deadline has passed", in: &step)
        }
    }

    /// Ends the open evaluation, and does what its figures ask for.
    mutating func closeEvaluation(_ reason: String, in step: inout Step) {
        guard var current = evaluation, current.isOpen else { return }
        let missed = current.places.tally.awaited
        current.close(at: step.now, best: settings.evaluation?.best)
        let best = settings.evaluation?.best
        let figure = best.flatMap { current.figures?.metrics[$0.metric]?.mean }
        if let best { current.standing.take(figure, ofRound: current.round, best.mode) }
        evaluation = current
        // Plans of those who did not answer ask for nothing any more.
        if missed > 0 { step.concernsEveryPlan = true }
        let tally = current.places.tally
        var told = "\(tally.answered) of \(current.places.count) answered, \(tally.withoutData) without data; \(reason)"
        if let best, let figure { told += "; \(best.metric) \(figure)" }
        step.record("evaluation.closed", round: current.round, told)
        lowerRateIfDue(in: &step)
        stopIfDue(in: &step)
        if let evaluation { step.changes.append(.evaluation(evaluation)) }
    }

    /// Lowers the server's learning rate from the next sum on, where the figures have not improved for long enough. A
    /// round that is being added up keeps its rate.
    private mutating func lowerRateIfDue(in step: inout Step) {
        guard let plateau = settings.evaluation?.plateau, standing.sinceReduction >= plateau.patience else { return }
        let current = round?.number ?? 0
        let from = round?.phase == .collecting ? current : current + 1
        evaluation?.standing.reductions.append(from)
        evaluation?.standing.sinceReduction = 0
        step.record(
            "server.learning_rate", round: round?.number,
            "\(serverLearningRate(inRound: from)) from round \(from) on: no improvement in "
                + plateau.patience.counted("evaluated round"))
    }

    /// Finishes the federation where the figures have not improved for long enough.
    private mutating func stopIfDue(in step: inout Step) {
        guard let patience = settings.evaluation?.patience, standing.withoutImprovement >= patience,
            let best = standing.best, state == .running || state == .paused
        else { return }
        let reason =
            "no improvement in \(patience.counted("evaluated round")); the best round is \(best.round)"
        evaluation?.standing.stoppedFor = reason
        if let current = round, current.phase == .collecting {
            fail(round: current.number, reason: "the federation was finished: \(reason)", in: &step)
        }
        state = .finished
        step.concernsEveryPlan = true
        step.record("federation.finished", round: round?.number, reason)
    }

    /// Takes a client's answer; false where the same one is there already.
    mutating func evaluate(
        _ answer: EvaluationAnswer, by name: ClientName, round number: Int, in step: inout Step
    ) throws(EvaluationError) -> Bool {
        let place = try place(of: name, round: number)
        if let held = place.answer {
            guard held == answer else { throw .exists(round: number) }
            return false
        }
        if let evaluation, !evaluation.isOpen { throw .closed(round: number) }
        guard place.state == .awaited else { throw .notAsked(round: number) }
        var taken = place
        taken.state = answer.samples > 0 ? .answered : .withoutData
        taken.answer = answer
        taken.receivedAt = step.now
        keep(taken, of: name, in: &step)
        return true
    }

    /// Notes that an answer could not be taken. Only the first one of a client is on record.
    mutating func refuseEvaluation(of name: ClientName, round number: Int, for reason: String, in step: inout Step) {
        guard evaluation?.round == number, evaluation?.awaits(name) == true, var place = evaluation?.places[name],
            place.refusal == nil
        else { return }
        place.refusal = reason
        keep(place, of: name, in: &step)
        step.record("evaluation.refused", round: number, client: name, reason)
    }

    /// The evaluation does not wait for a client that was revoked or has ended.
    mutating func leaveEvaluation(_ name: ClientName, in step: inout Step) {
        guard evaluation?.awaits(name) == true, var place = evaluation?.places[name] else { return }
        place.state = .left
        keep(place, of: name, in: &step)
    }

    /// The newest evaluation, where it is that of this round.
    package func evaluation(ofRound number: Int) -> ListedEvaluation? {
        evaluation.flatMap { $0.round == number ? ListedEvaluation($0) : nil }
    }

    /// Why the client may not answer for a round's evaluation now; else its place.
    package func place(of name: ClientName, round number: Int) throws(EvaluationError) -> EvaluationRound.Place {
        guard let evaluation, number <= evaluation.round else { throw .none(round: number) }
        guard number == evaluation.round else { throw .closed(round: number) }
        guard let place = evaluation.places[name] else { throw .notAsked(round: number) }
        return place
    }

    private mutating func keep(_ place: EvaluationRound.Place, of name: ClientName, in step: inout Step) {
        guard let number = evaluation?.round else { return }
        var place = place
        place.revision = step.revision
        evaluation?.places[name] = place
        step.changes.append(.evaluationPlaces([name: place], round: number))
    }
}

/// Why an evaluation refuses a client's answer.
package enum EvaluationError: Error, Sendable, Hashable {
    /// The round is not evaluated, or not yet.
    case none(round: Int)
    /// It has ended.
    case closed(round: Int)
    /// The client was not asked, or was revoked.
    case notAsked(round: Int)
    /// It has another answer of this client.
    case exists(round: Int)
}

/// Events of evaluations.
extension FederationMachine.Event {
    /// Takes a checked answer; false where the same one is there already.
    package static func evaluate(_ answer: EvaluationAnswer, by name: ClientName, round: Int) -> Self
    where Success == Bool, Failure == EvaluationError {
        Self { machine, step throws(EvaluationError) in
            try machine.evaluate(answer, by: name, round: round, in: &step)
        }
    }

    /// Records that an answer could not be taken.
    package static func evaluationRefused(_ name: ClientName, round: Int, reason: String) -> Self
    where Success == Void, Failure == Never {
        Self { machine, step in machine.refuseEvaluation(of: name, round: round, for: reason, in: &step) }
    }
}
