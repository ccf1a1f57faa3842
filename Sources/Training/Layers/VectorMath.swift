import Glibc

/// Transcendental functions on eight floats at a time, for kernels that would spend their time in the C library.
enum VectorMath {
    typealias Vector = SIMD8<Float>
    static let width = 8

    /// eˣ with a relative error below 2e-7; x beyond ±87 counts as ±87, where a float comes to its end.
    @inline(__always)
    static func exp(_ x: Vector) -> Vector {
        // Cephes: eˣ = 2ⁿ·eʳ with |r| ≤ ln 2 / 2; adding 1.5·2²³ leaves n in the low bits.
        let magic: Float = 12_582_912
        let clamped = x.clamped(lowerBound: Vector(repeating: -87), upperBound: Vector(repeating: 87))
        let shifted = clamped * 1.442_695_04 + magic
        let n = shifted - magic
        let r = clamped - n * 0.693_359_375 + n * 2.121_944_4e-4
        var sum = r * 1.987_569_15e-4 + 1.398_199_95e-3
        sum = sum * r + 8.333_451_9e-3
        sum = sum * r + 4.166_579_6e-2
        sum = sum * r + 1.666_666_55e-1
        sum = sum * r + 5.000_000_1e-1
        sum = sum * (r * r) + r + 1
        let exponent = unsafeBitCast(shifted, to: SIMD8<Int32>.self) &- Int32(bitPattern: magic.bitPattern)
        return sum * unsafeBitCast((exponent &+ 127) &<< 23, to: Vector.self)
    }

    /// x·Φ(x) and its derivative Φ(x) + x·φ(x), where Φ is the normal distribution, both to 3e-7.
    ///
    /// Φ comes from erfc(z) = e^(−z²)·t·P(t) with t = 1/(1 + 0.4·z), the form of Abramowitz and Stegun 7.1.26 with a
    /// polynomial of degree 5 fitted to an error of 3e-8 for z ≥ 0; the same e^(−z²) is in φ.
    @inline(__always)
    static func gelu(_ x: Vector) -> (value: Vector, slope: Vector) {
        let z = x.replacing(with: -x, where: x .< 0) * 0.707_106_78
        let decay = exp(-(z * z))
        let t = 1 / (z * 0.4 + 1)
        var sum = t * -0.200_256_33 + 0.709_135_71
        sum = sum * t - 0.370_889_55
        sum = sum * t + 0.468_259_72
        sum = sum * t + 0.161_829_2
        sum = sum * t + 0.231_921_22
        let tail = sum * t * decay * 0.5
        let share = tail.replacing(with: 1 - tail, where: x .>= 0)
        return (x * share, share + x * decay * 0.398_942_28)
    }

    @inline(__always)
    static func load(_ pointer: UnsafePointer<Float>) -> Vector {
        UnsafeRawPointer(pointer).loadUnaligned(as: Vector.self)
    }

    @inline(__always)
    static func load(_ pointer: UnsafeMutablePointer<Float>) -> Vector { load(UnsafePointer(pointer)) }

    @inline(__always)
    static func store(_ vector: Vector, to pointer: UnsafeMutablePointer<Float>) {
        UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: Vector.self)
    }

    /// The first `count` floats, and `filler` in the rest.
    @inline(__always)
    static func load(_ pointer: UnsafePointer<Float>, count: Int, filler: Float) -> Vector {
        var vector = Vector(repeating: filler)
        for index in 0..<count { vector[index] = pointer[index] }
        return vector
    }

    @inline(__always)
    static func store(_ vector: Vector, to pointer: UnsafeMutablePointer<Float>, count: Int) {
        for index in 0..<count { pointer[index] = vector[index] }
    }
}
