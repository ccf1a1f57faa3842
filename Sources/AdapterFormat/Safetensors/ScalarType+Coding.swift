extension ScalarType {
    /// Decodes `target.count` numbers; F64 is rounded to the nearest Float.
    ///
    /// - Precondition: `source` holds exactly `target.count` numbers of this type, at any alignment.
    package func decode(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<Float>) {
        precondition(source.count == target.count * byteCount, "a buffer of another length than its tensor")
        switch self {
        case .f64:
            for index in target.indices {
                target[index] = Float(source.loadUnaligned(fromByteOffset: index * 8, as: Double.self))
            }
        case .f32:
            UnsafeMutableRawBufferPointer(target).copyMemory(from: source)
        case .f16:
            for index in target.indices {
                target[index] = Self.float(half: source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
            }
        case .bf16:
            for index in target.indices {
                let bits = source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)
                target[index] = Float(bitPattern: UInt32(bits) << 16)
            }
        }
    }

    /// Encodes `source` with rounding to the nearest, ties to even.
    ///
    /// - Precondition: `target` holds exactly `source.count` numbers of this type, at any alignment.
    package func encode(_ source: UnsafeBufferPointer<Float>, into target: UnsafeMutableRawBufferPointer) {
        precondition(target.count == source.count * byteCount, "a buffer of another length than its tensor")
        switch self {
        case .f64:
            for index in source.indices {
                target.storeBytes(of: Double(source[index]), toByteOffset: index * 8, as: Double.self)
            }
        case .f32:
            target.copyMemory(from: UnsafeRawBufferPointer(source))
        case .f16:
            for index in source.indices {
                target.storeBytes(of: Float16(source[index]).bitPattern, toByteOffset: index * 2, as: UInt16.self)
            }
        case .bf16:
            for index in source.indices {
                target.storeBytes(of: Self.brainBits(source[index]), toByteOffset: index * 2, as: UInt16.self)
            }
        }
    }

    /// Counts the numbers whose absolute value exceeds `limit`, or that are not finite.
    ///
    /// - Precondition: `limit` is finite and at least 65504, the largest half.
    package func count(in source: UnsafeRawBufferPointer, beyond limit: Float = .greatestFiniteMagnitude) -> Int {
        let count = source.count / byteCount
        // The absolute values of floats have the order of their bits; infinities and NaN come last.
        let largest = limit.bitPattern
        var total = 0
        switch self {
        case .f64:
            for index in 0..<count {
                let value = Float(source.loadUnaligned(fromByteOffset: index * 8, as: Double.self))
                total &+= value.bitPattern & 0x7FFF_FFFF > largest ? 1 : 0
            }
        case .f32:
            for index in 0..<count {
                let bits = source.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
                total &+= bits & 0x7FFF_FFFF > largest ? 1 : 0
            }
        case .f16:
            for index in 0..<count {
                let bits = source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)
                total &+= bits & 0x7C00 == 0x7C00 ? 1 : 0
            }
        case .bf16:
            for index in 0..<count {
                let bits = UInt32(source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)) << 16
                total &+= bits & 0x7FFF_FFFF > largest ? 1 : 0
            }
        }
        return total
    }

    /// The sum of the squares of all numbers; sums of a few thousand in Float, the total in Double.
    package func squareSum(in source: UnsafeRawBufferPointer) -> Double {
        let (size, count) = (byteCount, source.count / byteCount)
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: 4096) { block in
            var total = 0.0
            for start in stride(from: 0, to: count, by: block.count) {
                let part = UnsafeMutableBufferPointer(rebasing: block[..<min(block.count, count - start)])
                decode(
                    UnsafeRawBufferPointer(rebasing: source[start * size..<(start + part.count) * size]), into: part)
                total += Self.squareSum(of: UnsafeRawBufferPointer(part))
            }
            return total
        }
    }

    private static func squareSum(of floats: UnsafeRawBufferPointer) -> Double {
        var lanes = SIMD8<Float>()
        let whole = floats.count / 32 * 32
        for offset in stride(from: 0, to: whole, by: 32) {
            let values = floats.loadUnaligned(fromByteOffset: offset, as: SIMD8<Float>.self)
            lanes += values * values
        }
        var total = Double(lanes.sum())
        for offset in stride(from: whole, to: floats.count, by: 4) {
            let value = Double(floats.loadUnaligned(fromByteOffset: offset, as: Float.self))
            total += value * value
        }
        return total
    }

    /// The exact value of a half-precision number. Without F16C, x86-64 would need a call into the runtime; this form
    /// vectorises. The multiplication moves the exponent and is exact for subnormal halves too.
    @inline(__always)
    private static func float(half: UInt16) -> Float {
        let magnitude = UInt32(half & 0x7FFF) << 13
        let infinite: UInt32 = magnitude >= 0x0F80_0000 ? 0x7F80_0000 : 0
        let scaled = Float(bitPattern: magnitude) * 0x1p112
        return Float(bitPattern: scaled.bitPattern | infinite | UInt32(half & 0x8000) << 16)
    }

    @inline(__always)
    private static func brainBits(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if value.isNaN {
            return UInt16(truncatingIfNeeded: bits >> 16) | 0x0040
        }
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
    }
}
