import RankwiseWire
import ServerCalls
import Training

/// Trains a round, for as long as the server wants its update.
extension Agent {
    /// How a round's training ended.
    enum Training: Sendable {
        case trained(TrainingOutcome)
        case failed(TrainingError)
        /// The server no longer wants this update.
        case overtaken(reason: String)
    }

    /// Trains until it succeeds, as often as another try may help.
    func train(_ plan: PlanBody, json: [UInt8], _ files: RoundFiles) async throws(AgentError) -> Training {
        var backoff = configuration.trainingBackoff
        var room = RoomWait(start: clock.now, backoff: configuration.backoff)
        var attempt = 1
        while true {
            let training = try await attemptTraining(plan, json: json, files)
            guard case .failed(let failure) = training else { return training }
            if case .noRoom(let path) = failure {
                try await rest(&room, until: path)
                continue
            }
            guard failure.isWorthRetrying, attempt < configuration.attempts else { return training }
            attempt += 1
            let delay = nextDelay(of: &backoff)
            observe(.retraining(round: plan.round, reason: "\(failure)", after: delay))
            try await sleep(for: delay)
        }
    }

    private func attemptTraining(
        _ plan: PlanBody, json: [UInt8], _ files: RoundFiles
    ) async throws(AgentError) -> Training {
        guard let trainer else { throw .trainingFailed("there is no trainer") }
        let observe = observe
        let assignment = TrainingAssignment(
            adapter: files.adapter, configuration: files.configuration, plan: TrainingPlan(plan, json: json),
            merge: plan.merge == nil ? nil : state.merge, output: files.trained)
        let end = await withTaskGroup(of: Training?.self) { group in
            group.addTask {
                do throws(TrainingError) {
                    return .trained(try await trainer.train(assignment) { observe(.training(round: plan.round, $0)) })
                } catch {
                    return .failed(error)
                }
            }
            group.addTask { await self.watch(plan.round) }
            var overtaken: Training?
            // Waits for the trainer to end, because nothing else may begin before.
            for await end in group {
                guard let end else { continue }
                group.cancelAll()
                if case .overtaken = end { overtaken = end } else { return overtaken ?? end }
            }
            return .failed(.cancelled)
        }
        if Task.isCancelled { throw .cancelled }
        return end
    }

    /// Asks the server at intervals whether it still wants the round; nil when the task is cancelled.
    private func watch(_ round: Int) async -> Training? {
        guard let interval = configuration.trainingCheck else { return nil }
        while true {
            do throws(CancellationError) {
                try await clock.sleep(for: interval)
            } catch {
                return nil
            }
            if let reason = await reasonToStop(round) { return .overtaken(reason: reason) }
        }
    }

    /// Why the server no longer accepts an update of `round`; nil if it does, or if there is no answer.
    func reasonToStop(_ round: Int) async -> String? {
        do throws(CallError) {
            guard let plan = try await endpoint.plan(after: nil, wait: .zero)?.plan else { return nil }
            if plan.state == "finished" { return "the federation is finished" }
            return plan.round - round > lateness ? "round \(plan.round) has begun" : nil
        } catch {
            return nil
        }
    }
}
