import AdapterFormat
import AdapterOperations
import ClientAgent
import Coordinator
import CoordinatorAPI
import DurableFiles
import Federation
import Foundation
import RankwiseWire
import Training

/// One client of a federation in memory, with its trainer.
struct Participant: Sendable {
    let name: ClientName
    let rank: Int
    let exampleCount: Int
    let trainer: NativeTrainer

    /// An estimate of its training time, relative to others.
    var work: Int { exampleCount * (rank + 100) }
}

/// The common instructions for every client of a round in memory, and the training.
struct LocalRound: Sendable {
    /// A client's update.
    struct Update: Sendable {
        let client: ClientName
        let path: String
        /// The scales of its adapter, for every module.
        let scales: [String: Double]
        let outcome: TrainingOutcome
        let bytesDown: Int
        let bytesUp: Int
    }

    let number: Int
    let settings: FederationSettings
    let plan: AdapterPlan
    let downloads: Downloads
    let mergeSum: String?
    let ledger: MergeLedger
    /// The folder for updates.
    let folder: String

    func train(_ participant: Participant) async throws(SimulationError) -> Update {
        let client = participant.name
        do {
            let download = try downloads.file(forRank: participant.rank)
            let output = folder + "/\(client).safetensors"
            let outcome = try await participant.trainer.train(
                TrainingAssignment(
                    adapter: download.plain, configuration: "", plan: plan(for: participant),
                    merge: mergeSum, output: output)
            ) { _ in }
            if let bits = downloads.bits {
                try AdapterMessage.rewrite(output, to: output + ".message", bits: bits)
                try DurableFile.rename(output + ".message", to: output)
            }
            return Update(
                client: client, path: output, scales: settings.adapter.scales(atRanks: download.ranks),
                outcome: outcome,
                bytesDown: download.byteCount + ledger.bytes(for: client.rawValue, upTo: number - 1),
                bytesUp: try ScratchFolder.size(of: output))
        } catch {
            throw .training(client: client.rawValue, reason: "\(error)")
        }
    }

    /// The plan that the coordinator would send, as a client reads it.
    private func plan(for participant: Participant) throws(WireError) -> TrainingPlan {
        TrainingPlan(
            try PlanBody(
                ClientPlan(
                    for: participant.name, rank: participant.rank, round: number, after: number - 1, settings, plan)))
    }
}
