/// What a client holds a round's training to, whatever the federation asks.
package struct TrainingLimits: Sendable {
    /// Only so many of the model's blocks are trained, the ones nearest its output; nil for all. What the adapter holds for
    /// the others is computed, but not trained and not sent.
    package var topBlocks: Int?
    /// The most bytes of the whole process; nil for no limit.
    package var memory: Int?
    /// What a language model's products are computed in.
    package var precision: ProductPrecision
    /// Where the outputs of blocks that are not trained are kept; nil for nowhere.
    package var trunk: TrunkFile?
    /// Gets what was chosen to keep the memory.
    package var report: @Sendable (String) -> Void

    package init(
        topBlocks: Int? = nil, memory: Int? = nil, precision: ProductPrecision = .float32,
        trunk: TrunkFile? = nil,
        report: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.topBlocks = topBlocks
        self.memory = memory
        self.precision = precision
        self.trunk = trunk
        self.report = report
    }
}
