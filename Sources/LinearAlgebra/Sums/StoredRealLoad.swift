/// Loads stored numbers from a row; the kernels are specialised for each storage.
///
/// Each load returns four numbers, the width of the registers that every target processor has.
protocol StoredRealLoad {
    /// The length of a row.
    static func byteCount(columns: Int) -> Int
    static func load(_ row: UnsafeRawPointer, _ column: Int, _ channel: Channel) -> Float
    /// - Precondition: `column` is even.
    static func load4(_ row: UnsafeRawPointer, _ column: Int, _ channel: Channel) -> SIMD4<Float>
}

/// x = minimum + scale·q, for one row of a quantised matrix.
struct Channel {
    var scale: Float
    var minimum: Float

    /// For a row of real numbers, which does not use it.
    static let none = Channel(scale: 1, minimum: 0)
}

enum Float64Load: StoredRealLoad {
    static func byteCount(columns: Int) -> Int { columns &* 8 }

    @inline(__always)
    static func load(_ row: UnsafeRawPointer, _ column: Int, _: Channel) -> Float {
        Float(row.loadUnaligned(fromByteOffset: column &* 8, as: Double.self))
    }

    @inline(__always)
    static func load4(_ row: UnsafeRawPointer, _ column: Int, _: Channel) -> SIMD4<Float> {
        SIMD4<Float>(row.loadUnaligned(fromByteOffset: column &* 8, as: SIMD4<Double>.self))
    }
}

enum Float32Load: StoredRealLoad {
    static func byteCount(columns: Int) -> Int { columns &* 4 }

    @inline(__always)
    static func load(_ row: UnsafeRawPointer, _ column: Int, _: Channel) -> Float {
        row.loadUnaligned(fromByteOffset: column &* 4, as: Float.self)
    }

    @inline(__always)
    static func load4(_ row: UnsafeRawPointer, _ column: Int, _: Channel) -> SIMD4<Float> {
        row.loadUnaligned(fromByteOffset: column &* 4, as: SIMD4<Float>.self)
    }
}

/// Half precision by integer operations and one multiplication, exact for subnormal numbers too. The compiler cannot
/// assume F16C on x86-64, so a plain conversion would call the runtime.
enum Float16Load: StoredRealLoad {
    static func byteCount(columns: Int) -> Int { columns &* 2 }

    @inline(__always)
    static func load(_ row: UnsafeRawPointer, _ column: Int, _: Channel) -> Float {
        let half = row.loadUnaligned(fromByteOffset: column &* 2, as: UInt16.self)
        let magnitude = UInt32(half & 0x7FFF) << 13
        let infinite: UInt32 = magnitude >= 0x0F80_0000 ? 0x7F80_0000 : 0
        let scaled = Float(bitPattern: magnitude) * 0x1p112
        return Float(bitPattern: scaled.bitPattern | infinite | UInt32(half & 0x8000) << 16)
    }

    @inline(__always)
    static func load4(_ row: UnsafeRawPointer, _ column: Int, _: Channel) -> SIMD4<Float> {
        let stored = row.loadUnaligned(fromByteOffset: column &* 2, as: SIMD4<UInt16>.self)
        let half = SIMD4<UInt32>(truncatingIfNeeded: stored)
        let magnitude = (half & 0x7FFF) &<< 13
        // All ones where the exponent is at its maximum. It uses integers, because a vector comparison is not compiled
        // to vector code.
        let isInfinite = 0 &- (magnitude &+ 0x7080_0000) &>> 31
        let scaled = unsafeBitCast(magnitude, to: SIMD4<Float>.self) * 0x1p112
        let bits = unsafeBitCast(scaled, to: SIMD4<UInt32>.self) | (isInfinite & 0x7F80_0000) | (half & 0x8000) &<< 16
        return unsafeBitCast(bits, to: SIMD4<Float>.self)
    }
}

enum BFloat16Load: StoredRealLoad {
    static func byteCount(columns: Int) -> Int { columns &* 2 }

    @inline(__always)
    static func load(_ row: UnsafeRawPointer, _ column: Int, _: Channel) -> Float {
        Float(bitPattern: UInt32(row.loadUnaligned(fromByteOffset: column &* 2, as: UInt16.self)) << 16)
    }

    @inline(__always)
    static func load4(_ row: UnsafeRawPointer, _ column: Int, _: Channel) -> SIMD4<Float> {
        let stored = row.loadUnaligned(fromByteOffset: column &* 2, as: SIMD4<UInt16>.self)
        return unsafeBitCast(SIMD4<UInt32>(truncatingIfNeeded: stored) &<< 16, to: SIMD4<Float>.self)
    }
}

/// The bits of 2²³ with an integer below 2²³ in the lowest bits are the float 2²³ plus that integer. So integers become
/// floats without a conversion each.
private let twoTo23: Float = 0x1p23
private let bitsOfTwoTo23: UInt32 = 0x4B00_0000

enum Quantised8Load: StoredRealLoad {
    static func byteCount(columns: Int) -> Int { columns }

    @inline(__always)
    static func load(_ row: UnsafeRawPointer, _ column: Int, _ channel: Channel) -> Float {
        Float(row.load(fromByteOffset: column, as: UInt8.self)) * channel.scale + channel.minimum
    }

    @inline(__always)
    static func load4(_ row: UnsafeRawPointer, _ column: Int, _ channel: Channel) -> SIMD4<Float> {
        let stored = row.loadUnaligned(fromByteOffset: column, as: SIMD4<UInt8>.self)
        let bits = SIMD4<UInt32>(truncatingIfNeeded: stored) | bitsOfTwoTo23
        let steps = unsafeBitCast(bits, to: SIMD4<Float>.self) - twoTo23
        return steps * channel.scale + channel.minimum
    }
}

enum Quantised4Load: StoredRealLoad {
    static func byteCount(columns: Int) -> Int { (columns &+ 1) / 2 }

    @inline(__always)
    static func load(_ row: UnsafeRawPointer, _ column: Int, _ channel: Channel) -> Float {
        let pair = row.load(fromByteOffset: column / 2, as: UInt8.self)
        let steps = column.isMultiple(of: 2) ? pair & 0x0F : pair >> 4
        return Float(steps) * channel.scale + channel.minimum
    }

    @inline(__always)
    static func load4(_ row: UnsafeRawPointer, _ column: Int, _ channel: Channel) -> SIMD4<Float> {
        let stored = UInt16(littleEndian: row.loadUnaligned(fromByteOffset: column / 2, as: UInt16.self))
        // Keeps each number at its bit position, which multiplies it by a power of 16. A multiplication removes this
        // factor, so that no lane needs a shift.
        let places = SIMD4<UInt32>(repeating: UInt32(stored)) & SIMD4(0x000F, 0x00F0, 0x0F00, 0xF000)
        let shifted = unsafeBitCast(places | bitsOfTwoTo23, to: SIMD4<Float>.self) - twoTo23
        let steps = shifted * SIMD4<Float>(1, 0x1p-4, 0x1p-8, 0x1p-12)
        return steps * channel.scale + channel.minimum
    }
}
