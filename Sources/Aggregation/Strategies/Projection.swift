import AdapterFormat

/// From the clients' factors of one module to what a strategy publishes of it.
protocol Projection: Sendable {
    /// Whether `publish` needs what the module was before this round.
    func needsEarlier(_ module: ModuleRound) -> Bool

    /// The rank of the module's merge; nil where the strategy has none, or nothing to add here.
    func mergeRank(_ module: ModuleRound) -> Int?

    /// Forms the module's global factors, at the rank of its shape and the scale of its maximum rank; runs on any thread.
    ///
    /// - Parameter earlier: what the module was before; nil stands for zeros.
    func publish(_ module: ModuleRound, earlier: ModuleFactors?) throws -> ModuleResult
}

extension Projection {
    func mergeRank(_ module: ModuleRound) -> Int? { nil }
}
