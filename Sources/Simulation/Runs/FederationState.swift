import AdapterFormat
import Foundation

/// A folder with a federation's state: its adapter, the sum of its merges, its optimizer's moments.
///
/// A later round needs nothing else of the rounds before.
package struct FederationState: Sendable {
    package let folder: String

    var adapter: String { folder + "/adapter.safetensors" }
    /// Every weight of the model, for full training without an adapter.
    var weights: String { folder + "/weights.safetensors" }
    /// The merge of one round.
    var merge: String { folder + "/merge.safetensors" }
    /// The sum of all rounds' merges so far.
    var mergeSum: String { folder + "/merges.safetensors" }
    /// Which client has which merges.
    var ledger: String { folder + "/ledger.json" }

    func moment(_ index: Int) -> String { folder + "/moment-\(index).safetensors" }

    /// The sum of merges, if there is one.
    var presentMergeSum: String? { FileManager.default.fileExists(atPath: mergeSum) ? mergeSum : nil }

    func openAdapter() throws -> AdapterFile { try AdapterFile(SafetensorsFile(path: adapter)) }

    func openMoments(_ count: Int) throws -> [AdapterFile] {
        try (0..<count).compactMap { index in
            let path = moment(index)
            guard FileManager.default.fileExists(atPath: path) else { return nil }
            return try AdapterFile(SafetensorsFile(path: path))
        }
    }
}
