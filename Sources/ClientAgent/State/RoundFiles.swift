import Foundation

/// Where the files of one round lie while an agent works on it.
struct RoundFiles: Sendable, Hashable {
    let folder: String

    var adapter: String { folder + "/adapter_model.safetensors" }
    var configuration: String { folder + "/adapter_config.json" }
    /// The adapter as it travels, before it is decoded.
    var message: String { folder + "/message.safetensors" }
    /// The merges that came after round `since`; the name tells them from those after another.
    func merges(since: Int) -> String { "\(folder)/merges-since-\(since).safetensors" }
    var outputFolder: String { folder + "/trained" }
    var trained: String { outputFolder + "/adapter_model.safetensors" }
    /// What an external trainer says of its adapter; may be missing.
    var trainedConfiguration: String { outputFolder + "/adapter_config.json" }
    var hasTrained: Bool { FileManager.default.fileExists(atPath: trained) }
}
