/// Divides sums in fixed point by one weight: the nearest Float of each quotient, ties to even.
///
/// Integers only. A reciprocal of 64 bits decides nearly all quotients; where its error could reach the middle between two
/// Floats, a division of 128 bits decides. No quotient is subnormal or too large: |sum| and weight are 2⁻⁶⁴ to 2³⁹.
package struct ExactDivisor: Sendable {
    /// In units of 2⁻⁶⁴; 1 ≤ weight < 2¹⁰³.
    private let weight: UInt128
    /// 2¹²⁷ divided by the weight's first 64 bits.
    private let reciprocal: UInt64
    private let weightBits: Int

    /// Nil for a weight that is not above zero.
    package init?(_ weight: FixedPoint) {
        guard weight.units > 0 else { return nil }
        let units = UInt128(weight.units)
        self.weight = units
        weightBits = 128 - units.leadingZeroBitCount
        let first = UInt64(truncatingIfNeeded: (units << units.leadingZeroBitCount) >> 64)
        // 2¹²⁷ − 1 is odd, so this differs from 2¹²⁷/first only where `first` is 2⁶³, whose quotient would need 65 bits.
        reciprocal = first.dividingFullWidth((UInt64.max >> 1, .max)).quotient
    }

    /// The nearest Float of sum / weight.
    ///
    /// Sums of one array have any sign and size, so nothing here branches on them but what is rare.
    @inline(__always)
    package func quotient(hi: Int64, lo: Int64) -> Float {
        // |hi·2⁴⁰ + lo|, in two words.
        let sign = UInt64(bitPattern: hi &>> 63)
        let low = (UInt64(bitPattern: hi &<< FixedPoint.lowBits | lo) ^ sign) &- sign
        let carry = low == 0 ? sign & 1 : 0
        let high = (UInt64(bitPattern: hi &>> (64 &- FixedPoint.lowBits)) ^ sign) &+ carry
        // The first 64 bits of the sum.
        let isShort = high == 0
        let top = isShort ? low : high
        guard top != 0 else { return 0 }
        let zeros = top.leadingZeroBitCount
        let next = isShort ? 0 : low
        let first =
            top &<< UInt64(truncatingIfNeeded: zeros) | (next &>> 1) &>> UInt64(truncatingIfNeeded: 63 &- zeros)
        let product = first.multipliedFullWidth(by: reciprocal).high
        let isSmall = 1 &- (product &>> 63)
        let mantissa = product &<< isSmall
        let exponent = 128 &- zeros &- (isShort ? 64 : 0) &- weightBits &- Int(truncatingIfNeeded: isSmall)
        // `mantissa` is off by less than 16: at most 2 each by the two numbers' cut ends and by the reciprocal's, 1 by the
        // product's, and all that doubled. The middle between two Floats is at 2³⁹ of the 40 bits that a Float lacks.
        let rest = mantissa & 0xFF_FFFF_FFFF
        if rest &- (0x80_0000_0000 &- 64) <= 128 {
            return Self.quotient(of: UInt128(high) << 64 | UInt128(low), by: weight, isNegative: hi < 0)
        }
        return Self.float(
            mantissa: UInt32(truncatingIfNeeded: (mantissa &>> 40) &+ (mantissa &>> 39 & 1)), exponent: exponent,
            isNegative: hi < 0)
    }

    /// The same by one division of all bits.
    @inline(never)
    static func quotient(of sum: UInt128, by weight: UInt128, isNegative: Bool) -> Float {
        guard sum != 0 else { return 0 }
        let sumBits = 128 - sum.leadingZeroBitCount
        let weightBits = 128 - weight.leadingZeroBitCount
        // The quotient has 25 bits or more; what the division leaves stands for all bits behind them.
        let shift = max(0, 25 - (sumBits - weightBits))
        let (quotient, remainder) = (sum << shift).quotientAndRemainder(dividingBy: weight)
        let bits = 128 - quotient.leadingZeroBitCount
        let surplus = bits - 24
        let kept = UInt32(truncatingIfNeeded: quotient >> surplus)
        let rest = quotient & (1 << surplus - 1)
        let middle = UInt128(1) << (surplus - 1)
        let isAbove = rest > middle || (rest == middle && (remainder != 0 || kept & 1 == 1))
        return float(mantissa: kept + (isAbove ? 1 : 0), exponent: bits - 1 - shift, isNegative: isNegative)
    }

    /// mantissa·2^(exponent − 23), for a mantissa of 24 bits or 2²⁴.
    @inline(__always)
    private static func float(mantissa: UInt32, exponent: Int, isNegative: Bool) -> Float {
        // A mantissa of 2²⁴ carries into the exponent.
        let magnitude = UInt32(truncatingIfNeeded: exponent &+ 126) &<< 23 &+ mantissa
        return Float(bitPattern: magnitude | (isNegative ? 1 << 31 : 0))
    }
}
