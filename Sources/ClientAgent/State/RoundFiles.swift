import FoundationEssentials

/// The paths of one round's files while an agent works on it.
struct RoundFiles: Sendable, Hashable {
    let folder: String

    var adapter: String { folder + "/adapter_model.safetensors" }
    var configuration: String { folder + "/adapter_config.json" }
    /// The adapter as it was downloaded, before it is decoded.
    var message: String { folder + "/message.safetensors" }
    /// The merges after round `since`; the name distinguishes them from those after another round.
    func merges(since: Int) -> String { "\(folder)/merges-since-\(since).safetensors" }
    var outputFolder: String { folder + "/trained" }
    var trained: String { outputFolder + "/adapter_model.safetensors" }
    /// The external trainer's configuration of its adapter; may be missing.
    var trainedConfiguration: String { outputFolder + "/adapter_config.json" }
    var hasTrained: Bool { FileManager.default.fileExists(atPath: trained) }
}
