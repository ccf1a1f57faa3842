package import Federation

/// Takes what clients found when they scored published adapters, and says which round is the best.
package struct EvaluationService: Sendable {
    let runtime: FederationRuntime
    let metadata: any MetadataStore

    /// That an answer is held.
    package struct Receipt: Sendable {
        /// Whether this call brought it.
        package let isNew: Bool
        /// How many clients have answered with metrics.
        package let received: Int
    }

    package func take(
        _ answer: EvaluationAnswer, by client: ClientName, round: Int, in federation: FederationID
    ) async throws(ServiceError) -> Receipt {
        let session = try runtime.activeSession(of: federation, for: client)
        session.touch(client)
        if let objection = answer.objection(most: session.snapshot.machine.settings.limits.samples) {
            _ = try await session.result(of: .evaluationRefused(client, round: round, reason: objection.detail))
            throw .evaluationRefused(objection)
        }
        let isNew = try await session.reply(to: .evaluate(answer, by: client, round: round))
        return Receipt(
            isNew: isNew, received: session.snapshot.machine.evaluation?.places.tally.answered ?? 0)
    }

    /// The evaluation of a round, with its clients.
    package func evaluation(
        ofRound round: Int, of federation: FederationID
    ) async throws(ServiceError) -> EvaluationRound {
        if let current = try runtime.session(federation).snapshot.machine.evaluation, current.round == round {
            return current
        }
        do throws(StoreError) {
            if let past = try await metadata.evaluation(ofRound: round, of: federation) { return past }
        } catch {
            throw .store(error)
        }
        throw .evaluation(.none(round: round))
    }

    /// The best evaluated round.
    package func bestRound(of federation: FederationID) throws(ServiceError) -> Int {
        let machine = try runtime.session(federation).snapshot.machine
        guard machine.settings.evaluation?.best != nil else { throw .noBest(isNamed: false) }
        guard let best = machine.standing.best else { throw .noBest(isNamed: true) }
        return best.round
    }
}

extension EvaluationError: MachineError {
    var serviceError: ServiceError { .evaluation(self) }
}
