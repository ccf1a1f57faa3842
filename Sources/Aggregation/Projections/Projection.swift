import AdapterFormat

/// Computes what a strategy publishes of one module from the clients' factors.
protocol Projection: Sendable {
    /// Whether `publish` needs the module's value before this round.
    func needsEarlier(_ module: ModuleRound) -> Bool

    /// The rank of the module's merge; nil where the strategy has no merge, or nothing to add here.
    func mergeRank(_ module: ModuleRound) -> Int?

    /// Itself, where it is a mean of rows, which exact sums are of; nil for any other.
    var rowMean: FactorMean? { get }

    /// Computes the module's global factors, at the rank of its shape and the scale of its maximum rank. Runs on any
    /// thread.
    ///
    /// - Parameter earlier: the module before the round; nil stands for zeros.
    func publish(_ module: ModuleRound, earlier: ModuleFactors?) throws -> ModuleResult
}

extension Projection {
    var rowMean: FactorMean? { nil }
    func mergeRank(_ module: ModuleRound) -> Int? { nil }
}
