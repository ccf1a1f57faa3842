/// Why a federation cannot have the strategy in its settings.
package enum StrategyError: Error, Equatable, Sendable {
    case unknownStrategy(String)
    case unknownWeighting(String)
    case unknownOptimizer(String)
    case unknownRule(String)
    case unknownParameter(strategy: String, name: String, known: [String])
    case parameter(strategy: String, name: String, expected: String, found: String)
    /// The strategy allows only one weighting.
    case weighting(strategy: String, needed: String, found: String)
    /// The strategy's published factors do not continue those of the round before, so no optimizer can work on them.
    case optimizer(strategy: String)
    /// The strategy adds to the base. A magnitude that was trained with the old base then has no meaning.
    case magnitude(strategy: String, tensor: String)
    /// The strategy publishes something that packed factors of experts cannot hold.
    case experts(strategy: String, module: String)
    /// The sparse stage would need a mask for a matrix that is too large.
    case sparseMatrix(strategy: String, module: String)
    /// The strategy, or its weighting, is no sum of rows that partial sums could make up.
    case exactSum(strategy: String, reason: String)
    /// The strategy does not publish what the robust rule works on.
    case robust(strategy: String, rule: String)
    /// The rule, or the server optimizer, needs an earlier value, which the first round lacks.
    case noInitialValue(by: String, tensor: String)
}

extension StrategyError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unknownStrategy(let name):
            "there is no strategy \(name); there are \(Strategy.names.joined(separator: ", "))"
        case .unknownWeighting(let name):
            "there is no weighting \(name); there are \(Weighting.names.joined(separator: ", "))"
        case .unknownOptimizer(let name):
            "there is no server optimizer \(name); there are \(ServerOptimizer.names.joined(separator: ", "))"
        case .unknownRule(let name):
            "there is no robust rule \(name); there are \(RobustRule.names.joined(separator: ", "))"
        case .robust(let strategy, let rule):
            "\(rule) does not go with \(strategy); robust rules go with \(Strategy.namesWithRules.joined(separator: ", "))"
        case .unknownParameter(let strategy, let name, let known):
            "\(strategy) has no parameter \(name); "
                + (known.isEmpty ? "it has none" : "it has \(known.joined(separator: ", "))")
        case .parameter(let strategy, let name, let expected, let found):
            "\(name) of \(strategy) is \(found); expected \(expected)"
        case .weighting(let strategy, let needed, let found):
            "\(strategy) always weighs by \(needed), not by \(found)"
        case .optimizer(let strategy):
            "\(strategy) takes no server optimizer: its factors are not those of the round before, moved on"
        case .magnitude(let strategy, let tensor):
            "\(strategy) publishes a merge, so it cannot take DoRA's \(tensor)"
        case .experts(let strategy, let module):
            "\(strategy) publishes merges or sparse weights, which PEFT's packed factors of experts (\(module)) cannot hold"
        case .sparseMatrix(let strategy, let module):
            "\(strategy) trains full weights first, and \(module) has more than \(SparseStart.largestMatrix) of them"
        case .exactSum(let strategy, let reason):
            "\(strategy) cannot be summed exactly: it \(reason); leave sum out, or set it to float"
        case .noInitialValue(let optimizer, let tensor):
            "\(optimizer) moves on from earlier values, but \(tensor) begins as each client's base has it: give it an init "
                + "of zeros, ones or normal, or a template"
        }
    }
}
