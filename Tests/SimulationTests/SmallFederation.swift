import Foundation
import RankwiseWire
import Simulation

/// A folder of its own with a small data set of two separable classes, and settings for it.
final class SmallFederation: Sendable {
    let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Self.lines(40, shift: 0).write(toFile: train, atomically: true, encoding: .utf8)
        try Self.lines(12, shift: 3).write(toFile: test, atomically: true, encoding: .utf8)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    var train: String { folder + "/train.csv" }
    var test: String { folder + "/test.csv" }

    func document(
        strategy: String = "rbla", clients: Int = 4, ranks: [Int] = [1, 2, 4], rounds: Int = 3,
        scheme: SimulationSettings.Deal.Scheme = .iid, examples: Int? = nil, messageBits: Int? = nil,
        server: FederationDocument.Server = .init(), fraction: Double = 1
    ) -> SimulationDocument {
        SimulationDocument(
            federation: FederationDocument(
                id: "small", baseModel: .init(name: "mlp-3-6-2", seed: 5),
                adapter: .init(
                    maxRank: 4, scaling: .init(mode: "lora", value: nil, alpha: 4),
                    modules: ["fc1": .init(inputs: 3, outputs: 6), "fc2": .init(inputs: 6, outputs: 2, maxRank: 2)],
                    messageBits: messageBits),
                strategy: .init(name: strategy), server: server,
                round: .init(
                    total: rounds, minClients: clients, minUpdates: 1, selection: .init(fraction: fraction)),
                training: [
                    "epochs": .integer(2), "batch_size": .integer(5), "learning_rate": .number(0.05),
                    "feature_scale": .integer(2),
                ], seed: 9),
            simulation: SimulationSettings(
                clients: clients, ranks: ranks, data: .init(train: train, test: test),
                partition: .init(scheme: scheme, examples: examples), threads: 2))
    }

    /// Plays a document and returns its table; `path` is below this folder.
    func play(
        _ document: SimulationDocument, at path: String, transport: SimulationRun.Transport = .memory
    ) async throws -> [RoundRecord] {
        try await SimulationRun(document, path: folder + "/" + path, transport: transport)
            .play(cohort: try SimulatedCohort(document)) { _ in }
    }

    /// Class 1 lies above, class 0 below.
    private static func lines(_ count: Int, shift: Int) -> String {
        (0..<count).map { index in
            let label = index % 2
            let (x, y) = ((index + shift) % 5, (index * 3 + shift) % 7)
            return "\(x),\(y),\(label == 1 ? 6 + x : -6 - y),\(label)\n"
        }.joined()
    }
}
