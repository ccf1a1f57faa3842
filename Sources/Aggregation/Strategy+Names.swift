/// Why a federation cannot have the strategy that it names.
package enum StrategyError: Error, Equatable, Sendable {
    case unknownStrategy(String)
    case unknownWeighting(String)
    case unknownParameter(strategy: String, name: String)
}

extension StrategyError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unknownStrategy(let name):
            "there is no strategy \(name); there are \(Strategy.names.joined(separator: ", "))"
        case .unknownWeighting(let name):
            "there is no weighting \(name); there are "
                + Weighting.allCases.map(\.rawValue).joined(separator: ", ")
        case .unknownParameter(let strategy, let name): "\(strategy) has no parameter \(name)"
        }
    }
}

extension Strategy {
    /// What a strategy is made of, under its name.
    private struct Recipe {
        let name: String
        var admission = Admission.anyRank
        let projection: any Projection
    }

    /// arXiv 2408.08699 for `rbla`, and for the zero padding that it improves on.
    private static let recipes: [Recipe] = [
        Recipe(name: "fedavg", admission: .fullRank, projection: FactorMean(coverage: .padded)),
        Recipe(name: "rbla", projection: FactorMean(coverage: .reached)),
        Recipe(name: "zeropad", projection: FactorMean(coverage: .padded)),
    ]

    /// The strategies that there are, ascending.
    package static let names = recipes.map(\.name)

    /// Composes the strategy that a federation's settings name.
    ///
    /// - Parameter parameters: the settings' further keys; each must be one of the strategy's.
    package init(
        named name: String, weighting: String = "samples", parameters: [String: Double] = [:]
    ) throws(StrategyError) {
        guard let recipe = Self.recipes.first(where: { $0.name == name }) else { throw .unknownStrategy(name) }
        guard let weights = Weighting(rawValue: weighting) else { throw .unknownWeighting(weighting) }
        if let parameter = parameters.keys.min() { throw .unknownParameter(strategy: name, name: parameter) }
        self.init(name: name, weighting: weights, admission: recipe.admission, projection: recipe.projection)
    }
}
