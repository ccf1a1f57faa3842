import Glibc

/// The rotary position embedding (RoPE) of a model: how each pair of a head's numbers turns with the position.
///
/// Number i of the first half of a head turns together with number i of the second half, by `position × frequencies[i]`
/// radians. Cosine and sine are multiplied by `magnitude`. (Su et al., 2021, "RoFormer")
package struct RotaryEmbedding: Sendable, Hashable {
    package let base: Double
    package let scaling: Scaling
    /// Radians per position: half as many as the head is wide.
    package let frequencies: [Float]
    /// What YaRN multiplies cosine and sine by; 1 elsewhere.
    package let magnitude: Float

    /// How a model reaches beyond the context that it was first trained with.
    package enum Scaling: Sendable, Hashable {
        case none
        /// All frequencies divided by a factor.
        case linear(factor: Double)
        /// Llama 3.1: low frequencies divided by a factor, high ones kept, with a ramp between them.
        case llama3(factor: Double, low: Double, high: Double, context: Double)
        /// YaRN (Peng et al., 2023).
        case yarn(factor: Double, fast: Double, slow: Double, context: Double, truncates: Bool, magnitude: Double?)
        /// Each frequency divided by a factor of its own, as GGUF stores Llama 3.1's.
        case factors([Float])
    }

    /// - Precondition: `headWidth` is even, and `factors` are half as many.
    package init(base: Double, headWidth: Int, scaling: Scaling) {
        self.base = base
        self.scaling = scaling
        let count = headWidth / 2
        let plain = (0..<count).map { pow(base, -Double(2 * $0) / Double(headWidth)) }
        var magnitude = 1.0
        let scaled: [Double]
        switch scaling {
        case .none: scaled = plain
        case .linear(let factor): scaled = plain.map { $0 / factor }
        case .factors(let factors): scaled = zip(plain, factors).map { $0 / Double($1) }
        case .llama3(let factor, let low, let high, let context):
            scaled = plain.map { frequency in
                let turns = context * frequency / (2 * .pi)
                if turns > high { return frequency }
                if turns < low { return frequency / factor }
                let kept = (turns - low) / (high - low)
                return (1 - kept) * frequency / factor + kept * frequency
            }
        case .yarn(let factor, let fast, let slow, let context, let truncates, let given):
            /// The index of the pair that turns as many times in the context.
            func index(ofTurns turns: Double) -> Double {
                Double(headWidth) * log(context / (turns * 2 * .pi)) / (2 * log(base))
            }
            var (first, last) = (index(ofTurns: fast), index(ofTurns: slow))
            if truncates { (first, last) = (first.rounded(.down), last.rounded(.up)) }
            first = max(first, 0)
            last = min(last, Double(headWidth - 1))
            if first == last { last += 0.001 }
            scaled = plain.enumerated().map { index, frequency in
                let divided = min(max((Double(index) - first) / (last - first), 0), 1)
                return divided * frequency / factor + (1 - divided) * frequency
            }
            magnitude = given ?? Self.yarnMagnitude(factor, scale: 1)
        }
        frequencies = scaled.map { Float($0) }
        self.magnitude = Float(magnitude)
    }

    /// YaRN's factor of the attention for a context that is `factor` times as long.
    static func yarnMagnitude(_ factor: Double, scale: Double) -> Double {
        factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1
    }
}
