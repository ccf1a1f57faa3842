package import AdapterFormat
import AdapterOperations

extension Evaluation {
    /// Scores an adapter with the scales of its `adapter_config.json`; blocks.
    ///
    /// - Parameters:
    ///   - adapter: path of an `adapter_model.safetensors`.
    ///   - configuration: path of its configuration; nil for the one beside it.
    ///   - merge: path of an adapter whose product, at scale 1, is added to the base first.
    ///   - settings: the federation's `training`, from which the model's own keys are read, such as `feature_scale`.
    ///   - task: returns the model with its data for this adapter.
    package init(
        adapter: String, configuration: String? = nil, merge: String? = nil, settings: TrainingSettings,
        task: (AdapterFile) throws -> NativeTask
    ) throws {
        let (file, scored) = try TrainingError.converting { () throws(AdapterFileError) in
            let file = try AdapterFile(path: adapter)
            return (file, try ScoredAdapter(file, at: adapter, configuration: configuration))
        }
        try self.init(
            of: try task(file), adapter: adapter, merge: merge, scales: scored.scales, settings: settings)
    }
}
