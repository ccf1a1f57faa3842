extension TrainingPlan {
    /// One of the two matrices of a LoRA module.
    package enum Factor: String, Sendable, Hashable, CaseIterable {
        case a = "A"
        case b = "B"
    }

    /// A stage of a federation in which something other than an adapter is trained.
    package struct Stage: Sendable, Hashable {
        package var name: String
        /// The share of a module's weights that a sparse stage trains.
        package var density: Double?
        /// The seed that selects these weights.
        package var seed: UInt64?

        package init(name: String, density: Double? = nil, seed: UInt64? = nil) {
            self.name = name
            self.density = density
            self.seed = seed
        }
    }
}
