import AdapterFormat
package import ClientAgent
import Foundation
package import RankwiseWire
package import ServerCalls
package import Training

/// Downloads a round's whole model, merges included, and scores it on examples that no client has.
package struct RoundScorer: Sendable {
    private let settings: FederationDocument
    private let examples: NativeTask
    private let folder: String

    /// The longest adapter that a federation here publishes.
    private static let adapterLimit: Int64 = 1 << 32

    private var adapter: String { folder + "/adapter_model.safetensors" }
    private var configuration: String { folder + "/adapter_config.json" }

    /// - Parameter folder: the folder for downloads, which exists.
    package init(settings: FederationDocument, examples: NativeTask, folder: String) {
        self.settings = settings
        self.examples = examples
        self.folder = folder
    }

    /// Whether tokens are predicted, and not classes of examples.
    package var predictsTokens: Bool { examples.predictsTokens }

    package func download(_ round: Int, from endpoint: FederationEndpoint) async throws(CallError) {
        try await endpoint.downloadModel(
            round: round, to: adapter, configuration: configuration, limit: Self.adapterLimit)
    }

    /// Scores the adapter that was downloaded last; blocks.
    package func evaluation() throws -> Evaluation {
        let config = try AdapterConfig(json: Array(FileManager.default.contents(atPath: configuration) ?? Data()))
        let scales = settings.adapter.modules.keys.map { ($0, config.scale(of: $0)) }
        return try Evaluation(
            of: examples, adapter: adapter, scales: Dictionary(uniqueKeysWithValues: scales),
            settings: TrainingSettings(settings.training.mapValues(TrainingSettings.Value.init)))
    }
}
