import AdapterFormat
import AdapterOperations
import Aggregation
import ClientAgent
import Coordinator
import CoordinatorAPI
import Dispatch
import Federation
import Foundation
import RankwiseWire
import Training

/// A federation in this process without a network: the coordinator's own selection, plans and aggregation on files in
/// memory, and real training.
///
/// From the same document and data it makes the same adapters, byte for byte, as a server.
package final class MemoryFederation: SimulatedFederation {
    private let document: FederationDocument
    private let settings: FederationSettings
    private let plan: AdapterPlan
    private let participants: [ClientName: Participant]
    private let heldOut: NativeTask
    private let validation: NativeTask?
    private let attackers: Attackers
    private let threads: Int
    private let scratch: ScratchFolder
    private let queue = DispatchQueue(label: "rankwise.simulation")
    private var ledger = MergeLedger()

    /// The federation's state after the last round.
    package private(set) var state: FederationState

    /// - Parameters:
    ///   - folder: the state after an earlier run; nil for version 0.
    package init(
        _ document: SimulationDocument, cohort: SimulatedCohort, resuming folder: String? = nil
    ) throws(SimulationError) {
        self.document = document.federation
        threads = document.simulation.threads
        heldOut = cohort.heldOut
        validation = cohort.validation
        do throws(SettingsError) {
            settings = try FederationSettings(document.federation)
            try settings.validate()
            plan = try AdapterPlan(settings)
        } catch {
            throw .settings(path: error.path, reason: error.reason)
        }
        try settings.refuseEvaluation()
        // Clients in memory keep nothing between rounds, and train nothing but an adapter.
        let strategy = plan.strategy
        guard !strategy.keepsClientState, !strategy.hasSparseStage, settings.policy.buffer == nil else {
            throw .settings(
                path: "strategy.name", reason: "is \(settings.strategy.name), which is simulated over HTTP only")
        }
        if validation != nil, let reason = Self.reasonAgainstScoring(under: plan.strategy) {
            throw .settings(path: "simulation.data.validation", reason: reason)
        }
        let isShared = threads > 1
        let attacks = document.simulation.attacks
        guard attacks.isEmpty || settings.adapter.messageBits == nil else {
            throw .settings(path: "simulation.attacks", reason: "goes not with adapter.message_bits")
        }
        attackers = try Attackers(attacks, of: cohort, seed: settings.seed)
        var participants: [ClientName: Participant] = [:]
        for client in cohort.clients {
            let task = try attackers.task(of: client, seed: settings.seed)
            do {
                let name = try ClientName(client.name)
                participants[name] = Participant(
                    name: name, rank: client.rank, exampleCount: task.count,
                    trainer: NativeTrainer(isShared ? task.onOneThread : task))
            } catch {
                throw .training(client: client.name, reason: "\(error)")
            }
        }
        self.participants = participants
        scratch = try ScratchFolder()
        state = FederationState(folder: scratch.path + "/state-0")
        do {
            if let folder {
                try FileManager.default.copyItem(atPath: folder, toPath: state.folder)
                ledger = try MergeLedger(path: state.ledger)
            } else {
                try FileManager.default.createDirectory(atPath: state.folder, withIntermediateDirectories: true)
                try publishInitialAdapter()
            }
        } catch {
            throw .file(state.folder, reason: "\(error)")
        }
    }

    private func publishInitialAdapter() throws {
        var folder = RoundFolder(URL(filePath: state.folder), type: .f32)
        let source = InitialAdapter(seed: settings.seed)
        let shape = plan.strategy.publishedShape(of: plan.shape, round: 0)
            .withDense { source.values(of: $0) != nil }
        try folder.begin(RoundOutline(shape: shape, mergeRanks: [:]))
        for module in shape.modules {
            guard let factors = source.factors(of: module, rank: module.maximumRank) else { continue }
            try folder.take(ModuleResult(factors: factors), of: module)
        }
        for tensor in shape.dense { try folder.take(source.values(of: tensor) ?? [], of: tensor) }
        try folder.finish()
        try ledger.write(to: state.ledger)
    }

    package func play(
        round: Int, progress: @escaping @Sendable (_ trained: Int, _ selected: Int) -> Void
    ) async throws(SimulationError) -> RoundRecord {
        let start = ContinuousClock.now
        let selected = select(round)
        let downloads = try Downloads(
            of: state, for: selected.map(\.rank), round: round, plan: plan, settings: settings, folder: scratch.path)
        let local = LocalRound(
            number: round, settings: settings, plan: plan, downloads: downloads, mergeSum: state.presentMergeSum,
            ledger: ledger, folder: scratch.path)
        let updates = try await train(selected, in: local, progress: progress)
        try await attack(updates, round: round, downloads: downloads)
        let next = FederationState(folder: scratch.path + "/state-\(round)")
        try await aggregate(updates, round: round, into: next)
        let bytesDown = updates.reduce(0) { $0 + $1.bytesDown }
        for update in updates { unlink(update.path) }
        downloads.remove()
        scratch.remove(state.folder)
        state = next
        let result = try await evaluate(heldOut, round)
        let success =
            if let triggered = attackers.triggered { try await evaluate(triggered, round).accuracy } else {
                Double?.none
            }
        let samples = updates.reduce(0) { $0 + $1.outcome.samples }
        let loss = updates.reduce(0.0) { $0 + $1.outcome.loss * Double($1.outcome.samples) }
        return RoundRecord(
            round: round, clients: updates.count, testAccuracy: result.accuracy, testLoss: result.loss,
            trainLoss: loss / Double(max(1, samples)), bytesDown: bytesDown,
            bytesUp: updates.reduce(0) { $0 + $1.bytesUp }, seconds: start.duration(to: .now) / .seconds(1),
            attackSuccess: success)
    }
}

extension MemoryFederation {
    /// The clients that the coordinator would select, ascending.
    private func select(_ round: Int) -> [Participant] {
        settings.selection(of: participants.keys.sorted(), round: round).compactMap { name in
            attackers.attacks[name.rawValue]?.kind == .absent ? nil : participants[name]
        }
    }

    /// Trains `threads` clients at a time.
    private func train(
        _ selected: [Participant], in round: LocalRound, progress: @escaping @Sendable (Int, Int) -> Void
    ) async throws(SimulationError) -> [LocalRound.Update] {
        let updates = try await BoundedClientGroup.run(
            selected.sorted { ($1.work, $0.name) < ($0.work, $1.name) }, threads: threads, progress: progress
        ) { try await round.train($0) }
        return updates.sorted { $0.client < $1.client }
    }

    /// Has attackers rewrite their updates.
    private func attack(
        _ updates: [LocalRound.Update], round: Int, downloads: Downloads
    ) async throws(SimulationError) {
        let attack = UpdateAttack(attackers.attacks, seed: settings.seed, round: round)
        let ranks = participants.mapValues(\.rank)
        let result = await queue.result { () throws(SimulationError) in
            do {
                try attack.rewrite(updates) { try downloads.file(forRank: ranks[$0.client] ?? 0).plain }
            } catch {
                throw .aggregation(round: round, reason: "an attack failed: \(error)")
            }
        }
        try result.get()
    }

    private func aggregate(
        _ updates: [LocalRound.Update], round: Int, into next: FederationState
    ) async throws(SimulationError) {
        let (state, plan, settings, threads) = (state, plan, settings, threads)
        let accuracies = try await accuracies(of: updates, in: round)
        let result = await queue.result { () throws(SimulationError) in
            do {
                try FileManager.default.createDirectory(atPath: next.folder, withIntermediateDirectories: true)
                let momentCount = plan.strategy.optimizer.momentCount
                var folder = RoundFolder(URL(filePath: next.folder), type: .f32, momentCount: momentCount)
                let contributions = zip(updates, accuracies).map { update, accuracy in
                    Contribution(
                        client: update.client.rawValue, samples: update.outcome.samples, accuracy: accuracy,
                        loss: update.outcome.loss
                    ) { try AdapterFile(SafetensorsFile(path: update.path)) }
                }
                try Aggregator(strategy: plan.strategy, shape: plan.shape, scaling: plan.scaling, seed: settings.seed)
                    .aggregate(
                        contributions, round: round,
                        after: EarlierRound(
                            previous: try state.openAdapter(), initial: InitialAdapter(seed: settings.seed),
                            moments: try state.openMoments(momentCount)),
                        threads: threads, into: &folder)
                try folder.finish()
                let merges = [state.mergeSum, next.merge].filter(FileManager.default.fileExists(atPath:))
                if !merges.isEmpty { _ = try MergeSum(of: merges, round: round, to: next.mergeSum) }
            } catch {
                throw .aggregation(round: round, reason: "\(error)")
            }
        }
        try result.get()
        do {
            try ledger.note(round: round, clients: updates.map(\.client.rawValue), state: next)
            try ledger.write(to: next.ledger)
        } catch {
            throw .file(next.ledger, reason: "\(error)")
        }
    }

    private static func reasonAgainstScoring(under strategy: Strategy) -> String? {
        guard strategy.needsAccuracy else { return "is for the weighting ranking, which this federation has not" }
        // The sent factors repeat after at most two rounds.
        return (1...2).allSatisfy { strategy.demand(in: $0).factors.isSuperset(of: [.a, .b]) }
            ? nil : "needs updates with both factors; under \(strategy.name) one of them is not sent"
    }

    /// The accuracies for `ranking` weights: those of the whole models on the validation examples, with all updates in
    /// one pass. Without validation examples, those that the clients report.
    private func accuracies(
        of updates: [LocalRound.Update], in round: Int
    ) async throws(SimulationError) -> [Double?] {
        guard let validation else { return updates.map(\.outcome.accuracy) }
        let (state, document) = (state, document)
        let result = await queue.result { () throws(SimulationError) in
            do throws(TrainingError) {
                return try validation.score(
                    updates.map { ScoredAdapter(path: $0.path, scales: $0.scales) }, merge: state.presentMergeSum,
                    settings: TrainingSettings(document.training.mapValues(TrainingSettings.Value.init)))
            } catch {
                throw .evaluation(round: round, reason: "\(error)")
            }
        }
        return try result.get().map(\.accuracy)
    }

    /// Scores the whole model on examples that no client has.
    private func evaluate(_ examples: NativeTask, _ round: Int) async throws(SimulationError) -> Evaluation {
        let (state, document) = (state, document)
        let scales = settings.adapter.scales(atRanks: plan.shape.maximumRanks)
        let result = await queue.result { () throws(SimulationError) in
            do throws(TrainingError) {
                return try Evaluation(
                    of: examples, adapter: state.adapter, merge: state.presentMergeSum, scales: scales,
                    settings: TrainingSettings(document.training.mapValues(TrainingSettings.Value.init)))
            } catch {
                throw .evaluation(round: round, reason: "\(error)")
            }
        }
        return try result.get()
    }
}
