import ClientAgent
import Coordinator
import CoordinatorAPI
import Dispatch
import Federation
import Foundation
import RankwiseWire
import Training

/// Federated averaging of whole models in this process, as the comparison for adapters. No server supports it.
///
/// Everything except the strategy comes from the document: the split, the selection, the training settings. Clients
/// start at the base model, train every weight and bias, and send all of them. Their mean is weighted by samples.
package final class FullFederation: SimulatedFederation {
    /// The strategy's name in a document.
    static let strategy = "full"

    private struct Client: Sendable {
        let name: ClientName
        let task: NativeTask
    }

    private struct Update: Sendable {
        let client: ClientName
        let weights: FullWeights
        let outcome: TrainingOutcome
    }

    private let settings: FederationSettings
    private let training: TrainingSettings
    private let clients: [ClientName: Client]
    private let heldOut: NativeTask
    private let threads: Int
    private let scratch: ScratchFolder
    private let queue = DispatchQueue(label: "rankwise.full-models", attributes: .concurrent)
    private var weights: FullWeights

    /// The federation's state after the last round.
    package private(set) var state: FederationState

    /// - Parameters:
    ///   - folder: the state after an earlier run; nil for the base model.
    package init(
        _ document: SimulationDocument, cohort: SimulatedCohort, resuming folder: String? = nil
    ) throws(SimulationError) {
        let federation = document.federation
        do throws(SettingsError) {
            settings = try FederationSettings(federation)
            try settings.validate()
        } catch {
            throw .settings(path: error.path, reason: error.reason)
        }
        try settings.refuseEvaluation()
        guard document.federation.strategy.parameters.isEmpty, settings.policy.buffer == nil,
            [nil, "samples"].contains(document.federation.strategy.weighting), settings.strategy.sum == .float
        else {
            throw .settings(path: "strategy", reason: "is full, which weighs by samples and takes nothing else")
        }
        training = TrainingSettings(federation.training.mapValues(TrainingSettings.Value.init))
        threads = document.simulation.threads
        heldOut = cohort.heldOut
        scratch = try ScratchFolder()
        state = FederationState(folder: scratch.path + "/state-0")
        do {
            var clients: [ClientName: Client] = [:]
            for client in cohort.clients {
                let name = try ClientName(client.name)
                clients[name] = Client(name: name, task: threads > 1 ? client.task.onOneThread : client.task)
            }
            self.clients = clients
            if let folder {
                try FileManager.default.copyItem(atPath: folder, toPath: state.folder)
                weights = try FullWeights(path: state.weights)
            } else {
                weights = try heldOut.baseWeights()
                try FileManager.default.createDirectory(atPath: state.folder, withIntermediateDirectories: true)
                try weights.write(to: state.weights)
            }
        } catch {
            throw .file(state.folder, reason: "\(error)")
        }
    }

    package func play(
        round: Int, progress: @escaping @Sendable (_ trained: Int, _ selected: Int) -> Void
    ) async throws(SimulationError) -> RoundRecord {
        let start = ContinuousClock.now
        let selected = settings.selection(of: clients.keys.sorted(), round: round).compactMap { clients[$0] }
        let (seed, weights, training, queue) = (settings.seed, weights, training, queue)
        let updates = try await BoundedClientGroup.run(
            selected.sorted { ($1.task.count, $0.name) < ($0.task.count, $1.name) }, threads: threads,
            progress: progress
        ) { client in
            try await Self.train(client, from: weights, by: training, seed: seed, round: round, on: queue)
        }.sorted { $0.client < $1.client }
        self.weights = FullWeights(meanOf: updates.map { ($0.weights, Double($0.outcome.samples)) })
        let bytes = try size(of: state.weights)
        try keep(FederationState(folder: scratch.path + "/state-\(round)"))
        let result = try await evaluate(round)
        let samples = updates.reduce(0) { $0 + $1.outcome.samples }
        let loss = updates.reduce(0.0) { $0 + $1.outcome.loss * Double($1.outcome.samples) }
        return RoundRecord(
            round: round, clients: updates.count, testAccuracy: result.accuracy, testLoss: result.loss,
            trainLoss: loss / Double(max(1, samples)), bytesDown: bytes * updates.count,
            bytesUp: bytes * updates.count, seconds: start.duration(to: .now) / .seconds(1))
    }

    private static func train(
        _ client: Client, from weights: FullWeights, by training: TrainingSettings, seed: UInt64, round: Int,
        on queue: DispatchQueue
    ) async throws(SimulationError) -> Update {
        let own = HashedSampler.clientSeed(seed: seed, round: round, client: client.name)
        let result = await queue.result { () throws(SimulationError) in
            do throws(TrainingError) {
                let trained = try client.task.trainFully(from: weights, settings: training, seed: own)
                return Update(client: client.name, weights: trained.weights, outcome: trained.outcome)
            } catch {
                throw .training(client: client.name.rawValue, reason: "\(error)")
            }
        }
        return try result.get()
    }

    /// Stores the weights as the state from which a later run continues.
    private func keep(_ next: FederationState) throws(SimulationError) {
        do {
            try FileManager.default.createDirectory(atPath: next.folder, withIntermediateDirectories: true)
            try weights.write(to: next.weights)
        } catch {
            throw .file(next.folder, reason: "\(error)")
        }
        scratch.remove(state.folder)
        state = next
    }

    private func size(of path: String) throws(SimulationError) -> Int {
        do { return try ScratchFolder.size(of: path) } catch { throw .file(path, reason: "\(error)") }
    }

    private func evaluate(_ round: Int) async throws(SimulationError) -> Evaluation {
        let (weights, training, heldOut) = (weights, training, heldOut)
        let result = await queue.result { () throws(SimulationError) in
            do throws(TrainingError) {
                return try heldOut.evaluate(weights, settings: training)
            } catch {
                throw .evaluation(round: round, reason: "\(error)")
            }
        }
        return try result.get()
    }
}
