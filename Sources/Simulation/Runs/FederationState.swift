import AdapterFormat
import Foundation

/// A folder with what a federation has come to: its adapter, the sum of its merges, its optimizer's moments.
///
/// The folder is all that a later round needs of the rounds before.
package struct FederationState: Sendable {
    package let folder: String

    var adapter: String { folder + "/adapter.safetensors" }
    /// Every weight of the model, where it is trained in full and there is no adapter.
    var weights: String { folder + "/weights.safetensors" }
    /// What one round added to the base.
    var merge: String { folder + "/merge.safetensors" }
    /// What all rounds so far have added to the base.
    var mergeSum: String { folder + "/merges.safetensors" }
    /// Who has which merges.
    var ledger: String { folder + "/ledger.json" }

    func moment(_ index: Int) -> String { folder + "/moment-\(index).safetensors" }

    /// The sum of merges, where there is one.
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
