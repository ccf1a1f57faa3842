import AdapterFormat

/// How the server moves from the last adapter towards a round's mean, with Δ = mean − last as the gradient.
///
/// FedAvgM is Hsu, Qi and Brown, arXiv 1909.06335; FedAdam, FedYogi and FedAdagrad are Reddi et al., arXiv 2003.00295, without bias
/// correction, as published.
package enum ServerOptimizer: Sendable, Hashable {
    /// Publishes the mean.
    case none
    /// v ← 0.9·v + Δ; adapter ← last + rate·v.
    case momentum(rate: Double)
    /// m ← 0.9·m + 0.1·Δ; v ← 0.99·v + 0.01·Δ²; adapter ← last + rate·m / (√v + 0.001).
    case adam(rate: Double)
    /// m ← 0.9·m + 0.1·Δ; v ← v − 0.01·Δ²·sign(v − Δ²); adapter ← last + rate·m / (√v + 0.001).
    case yogi(rate: Double)
    /// v ← v + Δ²; adapter ← last + rate·Δ / (√v + 0.001).
    case adagrad(rate: Double)

    package static let names = ["none", "momentum", "adam", "yogi", "adagrad"]

    /// - Parameter learningRate: finite and above 0; `none` ignores it.
    /// - Throws: `parameter` for another rate, `unknownOptimizer` for another name.
    package init(named name: String, learningRate: Double = 1) throws(StrategyError) {
        guard learningRate.isFinite, learningRate > 0 else {
            throw .parameter(
                strategy: name, name: "learning_rate", expected: "a number above 0", found: "\(learningRate)")
        }
        switch name {
        case "none": self = .none
        case "momentum": self = .momentum(rate: learningRate)
        case "adam": self = .adam(rate: learningRate)
        case "yogi": self = .yogi(rate: learningRate)
        case "adagrad": self = .adagrad(rate: learningRate)
        default: throw .unknownOptimizer(name)
        }
    }

    package var name: String {
        switch self {
        case .none: "none"
        case .momentum: "momentum"
        case .adam: "adam"
        case .yogi: "yogi"
        case .adagrad: "adagrad"
        }
    }

    /// The number of state adapters that it keeps between rounds.
    package var momentCount: Int {
        switch self {
        case .none: 0
        case .momentum, .adagrad: 1
        case .adam, .yogi: 2
        }
    }

    /// Updates the trained factors; the other factors, and a bias, are published as their mean.
    ///
    /// - Parameters:
    ///   - mean: the round's mean, (rank × …).
    ///   - last: the published factors before, of at least the mean's rank; nil stands for zeros.
    ///   - moments: the state after the round before; empty stands for zeros.
    func step(
        to mean: ModuleFactors, from last: ModuleFactors?, moments: [ModuleFactors?], factors: FactorSet
    ) -> (factors: ModuleFactors, moments: [ModuleFactors]) {
        guard momentCount > 0 else { return (mean, []) }
        var result = mean
        var states = (0..<momentCount).map { index -> ModuleFactors in
            moments.indices.contains(index) ? mean.aligned(moments[index]) : mean.aligned(nil)
        }
        let last = mean.aligned(last)
        for (factor, path) in [(FactorSet.a, \ModuleFactors.a), (.b, \ModuleFactors.b)] where factors.contains(factor) {
            move(&result[keyPath: path], from: last[keyPath: path], &states, path)
        }
        return (result, states)
    }

    private func move(
        _ values: inout [Float], from last: [Float], _ states: inout [ModuleFactors],
        _ path: WritableKeyPath<ModuleFactors, [Float]>
    ) {
        switch self {
        case .none: break
        case .momentum(let rate):
            var velocity = states[0][keyPath: path]
            for index in values.indices {
                velocity[index] = 0.9 * velocity[index] + (values[index] - last[index])
                values[index] = last[index] + Float(rate) * velocity[index]
            }
            states[0][keyPath: path] = velocity
        case .adagrad(let rate):
            var squares = states[0][keyPath: path]
            for index in values.indices {
                let change = values[index] - last[index]
                squares[index] += change * change
                values[index] = last[index] + Float(rate) * change / (squares[index].squareRoot() + 0.001)
            }
            states[0][keyPath: path] = squares
        case .adam(let rate), .yogi(let rate):
            var first = states[0][keyPath: path]
            var second = states[1][keyPath: path]
            let isYogi = if case .yogi = self { true } else { false }
            for index in values.indices {
                let change = values[index] - last[index]
                let square = change * change
                first[index] = 0.9 * first[index] + 0.1 * change
                if isYogi {
                    let difference = second[index] - square
                    second[index] -= 0.01 * square * (difference > 0 ? 1 : difference < 0 ? -1 : 0)
                } else {
                    second[index] = 0.99 * second[index] + 0.01 * square
                }
                values[index] = last[index] + Float(rate) * first[index] / (second[index].squareRoot() + 0.001)
            }
            states[0][keyPath: path] = first
            states[1][keyPath: path] = second
        }
    }
}

extension ModuleFactors {
    /// Another adapter's factors at this one's rank, without a bias. Missing rows, or a missing adapter, are zeros.
    fileprivate func aligned(_ other: ModuleFactors?) -> ModuleFactors {
        let known = other?.prefix(rank: min(rank, other?.rank ?? 0))
        func padded(_ values: [Float]?, _ count: Int) -> [Float] {
            let values = values ?? []
            return values + [Float](repeating: 0, count: count - values.count)
        }
        return ModuleFactors(
            rank: rank, inputs: inputs, outputs: outputs, a: padded(known?.a, rank * inputs),
            b: padded(known?.b, rank * outputs))
    }
}
