import AdapterFormat

/// From the clients' factors of one module to what a strategy publishes of it.
protocol Projection: Sendable {
    /// Whether `publish` needs what the module was before this round.
    func needsEarlier(_ module: ModuleRound) -> Bool

    /// Forms the module's global factors, at its maximum rank and its scale; runs on any thread.
    ///
    /// - Parameter earlier: what the module was before; nil stands for zeros.
    func publish(_ module: ModuleRound, earlier: ModuleFactors?) -> ModuleFactors
}

/// What a round holds of one module.
struct ModuleRound: Sendable {
    /// One client's factors.
    struct Member: Sendable {
        let module: AdapterFile.Module
        let weight: Double
        /// s_k / s_R.
        let ratio: Double
    }

    let shape: ModuleShape
    /// The clients that hold the module, in the order of every sum.
    let members: [Member]
}
