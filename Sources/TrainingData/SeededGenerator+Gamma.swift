import Glibc
import LinearAlgebra

extension SeededGenerator {
    /// A sample of the gamma distribution with this shape and scale 1 (Marsaglia and Tsang, 2000).
    /// - Precondition: `shape` is positive and finite.
    mutating func gamma(shape: Double) -> Double {
        guard shape >= 1 else {
            let unit: Double = uniform()
            return gamma(shape: shape + 1) * pow(1 - unit, 1 / shape)
        }
        let d = shape - 1.0 / 3
        let c = 1 / (9 * d).squareRoot()
        while true {
            let x = normal()
            let root = 1 + c * x
            guard root > 0 else { continue }
            let v = root * root * root
            let unit: Double = uniform()
            if log(1 - unit) < 0.5 * x * x + d - d * v + d * log(v) { return d * v }
        }
    }
}
