import Glibc
import LinearAlgebra

/// How the next token is chosen from the logits.
package struct Sampling: Sendable, Hashable {
    /// The logits are divided by it; 0 takes the most likely token.
    package var temperature: Double
    /// The number of the most likely tokens that are left; nil for all.
    package var topK: Int?
    /// The most likely tokens are left whose probabilities first sum up to this, 0 to 1.
    package var topP: Double

    package init(temperature: Double = 0, topK: Int? = nil, topP: Double = 1) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
    }

    /// A token, drawn where the temperature is above 0. Of equal logits the first one comes first.
    ///
    /// - Precondition: there is at least one logit.
    func choose(_ logits: [Float], using generator: inout SeededGenerator) -> Int32 {
        guard temperature > 0 else { return Int32(logits.indices.max { logits[$0] < logits[$1] } ?? 0) }
        var order = logits.indices.sorted { logits[$0] > logits[$1] }[...]
        if let topK { order = order.prefix(topK) }
        let highest = Double(logits[order[0]])
        var powers = order.map { exp((Double(logits[$0]) - highest) / temperature) }
        let total = powers.reduce(0, +)
        var (sum, kept) = (0.0, 0)
        while kept < powers.count, kept == 0 || sum < topP * total {
            sum += powers[kept]
            kept += 1
        }
        powers.removeLast(powers.count - kept)
        var place = Double(generator.next() >> 11) * 0x1p-53 * sum
        for (index, power) in powers.enumerated() {
            place -= power
            if place < 0 { return Int32(order[index]) }
        }
        return Int32(order[kept - 1])
    }
}
