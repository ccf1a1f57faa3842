import Glibc

/// A reproducible stream of random numbers, identified by a seed and a purpose.
///
/// The generator is xoshiro256** (Blackman and Vigna, 2018). SplitMix64 fills its state from the seed and the words of
/// the stream's name. Two streams of one seed are independent for every use here, so each can be drawn alone: a
/// module's factor needs no draw of the modules before it. The same seed and name give the same integers and uniform
/// numbers on every machine. `normal()` also depends on the C library's logarithm.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var s0: UInt64
    private var s1: UInt64
    private var s2: UInt64
    private var s3: UInt64
    /// The second of the two numbers from one step of the polar method.
    private var spareNormal: Double?

    /// - Parameters:
    ///   - seed: fixed by a federation, a base model or an experiment.
    ///   - stream: the purpose, from the general to the particular: `"initial adapter", "fc1"`. The words count, not
    ///     their concatenation: `("ab", "c")` and `("a", "bc")` are two streams.
    package init(seed: UInt64, stream: String...) {
        self.init(seed: seed, words: stream)
    }

    private init(seed: UInt64, words: [String]) {
        var state = seed
        for word in words {
            state = SplitMix64.scramble(state ^ Self.fingerprint(of: word))
        }
        var mix = SplitMix64(state: state)
        // SplitMix64 is a bijection of a counter, so at most one of the four words is zero, never all of them.
        (s0, s1, s2, s3) = (mix.next(), mix.next(), mix.next(), mix.next())
    }

    /// The next 64 random bits of xoshiro256**.
    package mutating func next() -> UInt64 {
        let result = Self.rotate(s1 &* 5, by: 7) &* 9
        let shifted = s1 << 17
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= shifted
        s3 = Self.rotate(s3, by: 45)
        return result
    }

    /// A number in [0, 1); all multiples of 2⁻²⁴ are equally likely.
    package mutating func uniform() -> Float {
        Float(next() >> 40) * 0x1p-24
    }

    /// A number in [0, 1); all multiples of 2⁻⁵³ are equally likely.
    package mutating func uniform() -> Double {
        Double(next() >> 11) * 0x1p-53
    }

    /// A number in [-bound, bound).
    package mutating func uniform(within bound: Float) -> Float {
        let unit: Float = uniform()
        return (2 * unit - 1) * bound
    }

    /// A number of the standard normal distribution, by Marsaglia's polar method.
    package mutating func normal() -> Double {
        if let spare = spareNormal {
            spareNormal = nil
            return spare
        }
        while true {
            let unitX: Double = uniform()
            let unitY: Double = uniform()
            let x = 2 * unitX - 1
            let y = 2 * unitY - 1
            let square = x * x + y * y
            guard square > 0, square < 1 else { continue }
            let factor = (-2 * log(square) / square).squareRoot()
            spareNormal = y * factor
            return x * factor
        }
    }

    /// FNV-1a over the UTF-8 bytes, followed by the length.
    private static func fingerprint(of word: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        var length: UInt64 = 0
        for byte in word.utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
            length &+= 1
        }
        return SplitMix64.scramble(hash &+ length)
    }

    private static func rotate(_ value: UInt64, by count: UInt64) -> UInt64 {
        (value << count) | (value >> (64 - count))
    }
}

/// The generator that fills another generator's state (Steele, Lea and Flood, 2014).
private struct SplitMix64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mix(state)
    }

    /// One step of the generator that starts at `value`.
    static func scramble(_ value: UInt64) -> UInt64 {
        mix(value &+ 0x9E37_79B9_7F4A_7C15)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
