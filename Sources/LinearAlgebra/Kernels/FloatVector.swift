/// Eight floats at a time, as the kernels of this folder take them: the same sums on every processor.
@usableFromInline
package typealias FloatVector = SIMD8<Float>

extension FloatVector {
    /// eˣ with a relative error below 2e-7; x beyond ±87 counts as ±87, where a float comes to its end.
    @inline(__always)
    static func exp(_ x: FloatVector) -> FloatVector {
        // Cephes: eˣ = 2ⁿ·eʳ with |r| ≤ ln 2 / 2; adding 1.5·2²³ leaves n in the low bits.
        let magic: Float = 12_582_912
        let limit = FloatVector(repeating: 87)
        let clamped = higher(x.replacing(with: limit, where: x .> limit), -limit)
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
        return sum * unsafeBitCast((exponent &+ 127) &<< 23, to: FloatVector.self)
    }

    /// The higher number of each pair. Unlike `pointwiseMax` it is always inlined.
    @inline(__always)
    static func higher(_ one: FloatVector, _ other: FloatVector) -> FloatVector {
        one.replacing(with: other, where: other .> one)
    }

    @inlinable @inline(__always)
    package static func load(_ pointer: UnsafePointer<Float>) -> FloatVector {
        UnsafeRawPointer(pointer).loadUnaligned(as: FloatVector.self)
    }

    @inlinable @inline(__always)
    package static func load(_ pointer: UnsafeMutablePointer<Float>) -> FloatVector { load(UnsafePointer(pointer)) }

    @inlinable @inline(__always)
    package static func store(_ vector: FloatVector, to pointer: UnsafeMutablePointer<Float>) {
        UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: FloatVector.self)
    }

    /// The first `count` floats, and `filler` in the rest.
    @inlinable @inline(__always)
    package static func load(_ pointer: UnsafePointer<Float>, count: Int, filler: Float) -> FloatVector {
        var vector = FloatVector(repeating: filler)
        for index in 0..<count { vector[index] = pointer[index] }
        return vector
    }

    @inlinable @inline(__always)
    package static func store(_ vector: FloatVector, to pointer: UnsafeMutablePointer<Float>, count: Int) {
        for index in 0..<count { pointer[index] = vector[index] }
    }
}
