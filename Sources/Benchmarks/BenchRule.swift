import Aggregation
import ArgumentParser

/// A robust rule on the command line: `RULE` or `RULE:name=value,…`.
struct BenchRule: ExpressibleByArgument {
    let text: String
    let rule: RobustRule

    init?(argument: String) {
        let parts = argument.split(separator: ":", maxSplits: 1)
        var parameters: [String: ParameterValue] = [:]
        for pair in parts.dropFirst().first?.split(separator: ",", omittingEmptySubsequences: false) ?? [] {
            let sides = pair.split(separator: "=", maxSplits: 1)
            guard sides.count == 2, let value = Double(sides[1]) else { return nil }
            parameters[String(sides[0])] = .number(value)
        }
        guard let name = parts.first, let rule = try? RobustRule(named: String(name), parameters: parameters) else {
            return nil
        }
        text = argument
        self.rule = rule
    }
}

/// The inner products of components that a rule is computed from, and what the machine reaches at most.
struct BenchProducts: Encodable {
    /// 2·(inputs + outputs) for each pair of components that is compared, pairs of one update once.
    let leastOperations: Double
    /// Of OpenBLAS's products of doubles and of floats, in 10⁹ operations a second on two threads.
    let doublePeak: Double
    let floatPeak: Double
}

extension RobustRule {
    /// The inner products of a benchmark's round; nil where the rule needs none.
    func products(of cohort: BenchCohort, clients: Int) throws -> BenchProducts? {
        let ranks = (0..<clients).map { cohort.ranks[$0 % cohort.ranks.count] }
        guard let operations = try leastOperations(of: cohort.adapterShape(), ranks: ranks) else { return nil }
        return BenchProducts(
            leastOperations: operations, doublePeak: BenchPeak.gigaflopsPerSecond(of: .double),
            floatPeak: BenchPeak.gigaflopsPerSecond())
    }
}
