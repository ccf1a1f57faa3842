/// The files and the plan of one round for one trainer.
package struct TrainingAssignment: Sendable, Hashable {
    /// The path of the `adapter_model.safetensors` to start from.
    package var adapter: String
    /// The path of the `adapter_config.json` beside it.
    package var configuration: String
    package var plan: TrainingPlan
    /// The path of an adapter of scale 1 whose product is added to the base first.
    package var merge: String?
    /// The path for the trained `adapter_model.safetensors`. Its folder exists, and a file there is replaced.
    package var output: String

    package init(adapter: String, configuration: String, plan: TrainingPlan, merge: String? = nil, output: String) {
        self.adapter = adapter
        self.configuration = configuration
        self.plan = plan
        self.merge = merge
        self.output = output
    }
}
