/// The files and the plan of one round for one trainer.
package struct TrainingAssignment: Sendable, Hashable {
    /// The `adapter_model.safetensors` to start from.
    package var adapter: String
    /// The `adapter_config.json` beside it.
    package var configuration: String
    package var plan: TrainingPlan
    /// An adapter of scale 1 whose product is added to the base first.
    package var merge: String?
    /// Where to write the trained `adapter_model.safetensors`; its folder is there, and a file there is replaced.
    package var output: String

    package init(adapter: String, configuration: String, plan: TrainingPlan, merge: String? = nil, output: String) {
        self.adapter = adapter
        self.configuration = configuration
        self.plan = plan
        self.merge = merge
        self.output = output
    }
}
