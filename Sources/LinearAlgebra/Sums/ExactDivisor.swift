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
    @inline(__always)
    package func quotient(hi: Int64, lo: Int64) -> Float {
        let isNegative = hi < 0
        // |hi·2⁴⁰ + lo|, in two words.
        let low = UInt64(bitPattern: hi &<< FixedPoint.lowBits | lo)
        let high = UInt64(bitPattern: hi &>> (64 &- FixedPoint.lowBits))
        let firstWord = isNegative ? ~high &+ (low == 0 ? 1 : 0) : high
        let secondWord = isNegative ? 0 &- low : low
        guard firstWord | secondWord != 0 else { return 0 }
        // The first 64 bits of the sum.
        let zeros = firstWord == 0 ? 64 &+ secondWord.leadingZeroBitCount : firstWord.leadingZeroBitCount
        let first =
            if zeros >= 64 {
                secondWord &<< (zeros &- 64)
            } else if zeros == 0 {
                firstWord
            } else {
                firstWord &<< zeros | secondWord &>> (64 &- zeros)
            }
        var mantissa = first.multipliedFullWidth(by: reciprocal).high
        var exponent = 128 &- zeros &- weightBits
        if mantissa >> 63 == 0 {
            mantissa &<<= 1
            exponent &-= 1
        }
        // `mantissa` is off by less than 16: at most 2 each by the two numbers' cut ends and by the reciprocal's, 1 by the
        // product's, and all that doubled. The middle between two Floats is at 2³⁹ of the 40 bits that a Float lacks.
        let rest = mantissa & 0xFF_FFFF_FFFF
        if rest &- (0x80_0000_0000 &- 64) <= 128 {
            return Self.quotient(of: UInt128(firstWord) << 64 | UInt128(secondWord), by: weight, isNegative: isNegative)
        }
        let rounded = UInt32(truncatingIfNeeded: (mantissa &+ 0x80_0000_0000) >> 40)
        return Self.float(
            mantissa: mantissa > UInt64.max &- 0x80_0000_0000 ? 1 << 24 : rounded, exponent: exponent,
            isNegative: isNegative)
    }

    /// The same by one division of all bits.
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
