/// How the numbers of a source are stored, little-endian and at any alignment.
package enum StoredReal: Sendable, Hashable {
    case float64
    case float32
    case float16
    case bfloat16

    package var byteCount: Int {
        switch self {
        case .float64: 8
        case .float32: 4
        case .float16, .bfloat16: 2
        }
    }
}

/// Loads numbers of one storage; the kernels are specialised over it.
protocol StoredRealLoad {
    static var byteCount: Int { get }
    static func load(_ source: UnsafeRawPointer) -> Float
    static func load8(_ source: UnsafeRawPointer) -> SIMD8<Float>
}

enum Float64Load: StoredRealLoad {
    static var byteCount: Int { 8 }

    @inline(__always)
    static func load(_ source: UnsafeRawPointer) -> Float { Float(source.loadUnaligned(as: Double.self)) }

    @inline(__always)
    static func load8(_ source: UnsafeRawPointer) -> SIMD8<Float> {
        SIMD8<Float>(source.loadUnaligned(as: SIMD8<Double>.self))
    }
}

enum Float32Load: StoredRealLoad {
    static var byteCount: Int { 4 }

    @inline(__always)
    static func load(_ source: UnsafeRawPointer) -> Float { source.loadUnaligned(as: Float.self) }

    @inline(__always)
    static func load8(_ source: UnsafeRawPointer) -> SIMD8<Float> { source.loadUnaligned(as: SIMD8<Float>.self) }
}

/// Half precision by integer steps and one multiplication, exact for subnormal numbers too: x86-64 without F16C, which
/// the compiler has to assume, would call into the runtime for every number.
enum Float16Load: StoredRealLoad {
    static var byteCount: Int { 2 }

    @inline(__always)
    static func load(_ source: UnsafeRawPointer) -> Float {
        let half = source.loadUnaligned(as: UInt16.self)
        let magnitude = UInt32(half & 0x7FFF) << 13
        let infinite: UInt32 = magnitude >= 0x0F80_0000 ? 0x7F80_0000 : 0
        let scaled = Float(bitPattern: magnitude) * 0x1p112
        return Float(bitPattern: scaled.bitPattern | infinite | UInt32(half & 0x8000) << 16)
    }

    @inline(__always)
    static func load8(_ source: UnsafeRawPointer) -> SIMD8<Float> {
        let half = SIMD8<UInt32>(truncatingIfNeeded: source.loadUnaligned(as: SIMD8<UInt16>.self))
        let magnitude = (half & 0x7FFF) &<< 13
        // All ones where the exponent is at its end: by integers, since a comparison of vectors does not stay one.
        let isInfinite = 0 &- (magnitude &+ 0x7080_0000) &>> 31
        let scaled = unsafeBitCast(magnitude, to: SIMD8<Float>.self) * 0x1p112
        let bits = unsafeBitCast(scaled, to: SIMD8<UInt32>.self) | (isInfinite & 0x7F80_0000) | (half & 0x8000) &<< 16
        return unsafeBitCast(bits, to: SIMD8<Float>.self)
    }
}

enum BFloat16Load: StoredRealLoad {
    static var byteCount: Int { 2 }

    @inline(__always)
    static func load(_ source: UnsafeRawPointer) -> Float {
        Float(bitPattern: UInt32(source.loadUnaligned(as: UInt16.self)) << 16)
    }

    @inline(__always)
    static func load8(_ source: UnsafeRawPointer) -> SIMD8<Float> {
        let bits = SIMD8<UInt32>(truncatingIfNeeded: source.loadUnaligned(as: SIMD8<UInt16>.self)) &<< 16
        return unsafeBitCast(bits, to: SIMD8<Float>.self)
    }
}
