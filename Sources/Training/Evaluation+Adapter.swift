package import AdapterFormat
import Foundation

extension Evaluation {
    /// Scores an adapter under the scales of its `adapter_config.json`; blocks.
    ///
    /// - Parameters:
    ///   - adapter: path of an `adapter_model.safetensors`.
    ///   - configuration: path of its configuration; nil for the one beside it.
    ///   - merge: path of an adapter whose product, at scale 1, is added to the base first.
    ///   - settings: the federation's `training`, of which the model's own keys are read, such as `feature_scale`.
    ///   - task: the model with its data, for what the adapter holds.
    package init(
        adapter: String, configuration: String? = nil, merge: String? = nil, settings: TrainingSettings,
        task: (AdapterFile) throws -> NativeTask
    ) throws {
        let file = try AdapterFile(trainingFile: adapter)
        let scales = try AdapterConfig(of: adapter, at: configuration).scales(of: file)
        try self.init(of: try task(file), adapter: adapter, merge: merge, scales: scales, settings: settings)
    }
}

extension AdapterConfig {
    /// Reads the configuration at `path`, or the one beside an adapter.
    package init(of adapter: String, at path: String? = nil) throws(TrainingError) {
        let path = path ?? URL(fileURLWithPath: adapter).deletingLastPathComponent().path + "/adapter_config.json"
        guard let text = FileManager.default.contents(atPath: path) else {
            throw .file(path, reason: "cannot be read; it gives the adapter's scales")
        }
        do throws(AdapterConfigError) {
            self = try AdapterConfig(json: Array(text))
        } catch {
            throw .file(path, reason: "\(error)")
        }
    }

    /// What the product of every module of a file is multiplied by.
    package func scales(of file: AdapterFile) -> [String: Double] {
        var scales: [String: Double] = [:]
        for module in file.modules { scales[module.name] = scale(of: module.name) }
        return scales
    }
}
