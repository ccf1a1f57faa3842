import AdapterFormat
import AdapterOperations
import Dispatch
import HTTPFetching
import RankwiseWire
import ServerCalls
import Training

/// One round: fetch, train, send.
extension Agent {
    /// Downloads what the plan names, trains on it and stores that the result must be sent.
    func work(on plan: PlanBody, json: [UInt8]) async throws(AgentError) -> Step {
        let round = plan.round
        try await pause(before: plan)
        // A rank schedule may have cut the adapter below the client's rank.
        observe(.started(round: round, rank: plan.ranks.values.max() ?? plan.rank))
        let files = try await state { state throws(StateError) in
            try state.removeRounds(but: round)
            return try state.files(of: round)
        }
        let isHere = downloaded == DownloadedStart(plan)
        downloaded = nil
        if !isHere, case .refused(let problem) = try await download(plan, to: files) {
            // The plan will change with the round; until then there is nothing to train on.
            observe(.missed(round: round, reason: problem.summary))
            hasMissedFiles = true
            return .poll(after: plan.revision)
        }
        hasMissedFiles = false
        let outcome: TrainingOutcome
        switch try await train(plan, json: json, files) {
        case .trained(let trained): outcome = trained
        case .failed(let error): return try await giveUp(plan, for: error)
        case .overtaken(let reason):
            observe(.missed(round: round, reason: reason))
            return next(after: plan.revision)
        }
        failedInARow = 0
        try await prune(plan, files)
        if let bits = plan.messageBits.flatMap(MessageBits.init) {
            try await onFiles { () throws(AdapterFileError) in
                try AdapterMessage.rewrite(files.trained, to: files.trained, bits: bits)
            }
        }
        try await state { state throws(StateError) in try state.sync(files.trained) }
        let update = AgentProgress.Unacknowledged(
            round: round, samples: outcome.samples, loss: outcome.loss.finite, accuracy: outcome.accuracy?.finite)
        progress.unacknowledged = update
        try await keepProgress()
        observe(.trained(round: round, outcome))
        return .send(update, after: plan.revision)
    }

    /// Waits if an earlier plan for this round failed, or if the files of the last round were missing. A server that
    /// asks for the same again could otherwise do so without end.
    private func pause(before plan: PlanBody) async throws(AgentError) {
        if hasMissedFiles || plan.round == lastBegun {
            try await sleep(for: nextDelay(of: &fruitless))
        } else {
            fruitless.reset()
        }
        lastBegun = plan.round
    }

    /// Stores a lower rank for later rounds, if training shrank the components that the plan's pruning would remove.
    private func prune(_ plan: PlanBody, _ files: RoundFiles) async throws(AgentError) {
        guard let pruning = plan.pruning.map(RankPruning.init) else { return }
        let reduced = pruning.reduced(plan.rank)
        guard reduced < plan.rank else { return }
        let hasShrunk = try await onFiles { () throws(AdapterFileError) in
            try PrunedComponentNorms(of: files.trained, pruning: pruning)
                .isBelow(PrunedComponentNorms(of: files.adapter, pruning: pruning))
        }
        guard hasShrunk else { return }
        progress.pruned = AgentProgress.PrunedRank(configured: configuration.rank, rank: reduced)
    }

    /// Sends a trained update until the server accepts or refuses it.
    func send(_ update: AgentProgress.Unacknowledged, after revision: Int64?) async throws(AgentError) -> Step {
        let files = try await state { state throws(StateError) in try state.files(of: update.round) }
        // An update from an earlier start comes without a plan's revision.
        let result = try await deliver(update, files, isNew: revision != nil)
        switch result {
        case .value(let receipt):
            observe(.accepted(round: update.round, received: receipt.received))
            refusedInARow = 0
            finishedRounds += 1
        case .refused(let problem) where problem.isOfTheClient:
            throw .refused(problem)
        // The round closed, already has an update of this client, or goes on without it. The status is 404 after a
        // server lost the round.
        case .refused(let problem) where problem.status == 409 || problem.status == 404:
            observe(.missed(round: update.round, reason: problem.summary))
            if problem.code == "update.exists" { finishedRounds += 1 }
        case .refused(let problem):
            observe(.refused(round: update.round, problem))
            refusedInARow += 1
            // The server would refuse the same update again, so nobody should wait for it.
            try await decline(update.round, reason: "its update was refused: \(problem.summary)")
        }
        progress.lastRound = max(progress.lastRound, update.round)
        if case .refused = result { progress.refusedRound = update.round }
        progress.unacknowledged = nil
        try await keepProgress()
        try await state { state throws(StateError) in try state.removeRounds(but: nil) }
        if case .refused(let problem) = result, refusedInARow >= configuration.refusalsInARow {
            throw .refused(problem)
        }
        if let rounds = configuration.rounds, finishedRounds >= rounds {
            return .stop(.trained(rounds: finishedRounds))
        }
        return next(after: revision)
    }
}

extension Problem {
    /// Whether the server refuses this client rather than this call.
    var isOfTheClient: Bool { status == 401 || status == 403 }
}

extension Double {
    /// Nil for numbers that JSON and queries cannot carry.
    var finite: Double? { isFinite ? self : nil }
}
