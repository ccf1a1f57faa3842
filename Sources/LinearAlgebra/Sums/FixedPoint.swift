/// A number in fixed point, hi·2⁻²⁴ + lo·2⁻⁶⁴: what exact sums are made of.
///
/// Sums of such numbers are the same in any order, because integers are added.
package struct FixedPoint: Sendable, Hashable {
    package let hi: Int64
    /// 0 ≤ lo < 2⁴⁰.
    package let lo: Int64

    /// The bits of `lo`.
    package static let lowBits: Int64 = 40
    /// Every number that is converted, and every sum of them, stays below this.
    package static let limit = 0x1p38
    package static let zero = FixedPoint(unchecked: 0, 0)

    /// Nil where `lo` is out of its range.
    package init?(hi: Int64, lo: Int64) {
        guard lo >= 0, lo >> Self.lowBits == 0 else { return nil }
        self.init(unchecked: hi, lo)
    }

    /// Rounds to the nearest multiple of 2⁻⁶⁴, ties to even; nil for a number that is not within ±2³⁸.
    package init?(rounding value: Double) {
        guard let (hi, rest) = Self.split(value * 0x1p24, within: Self.limit * 0x1p24) else { return nil }
        self.init(carrying: hi, rest)
    }

    private init(unchecked hi: Int64, _ lo: Int64) {
        self.hi = hi
        self.lo = lo
    }

    /// - Precondition: the carry of `rest` does not overflow `hi`.
    init(carrying hi: Int64, _ rest: Int64) {
        self.init(unchecked: hi + rest >> Self.lowBits, rest & ((1 << Self.lowBits) - 1))
    }

    /// Nil where the sum overflows.
    package func adding(_ other: FixedPoint) -> FixedPoint? {
        let low = lo + other.lo
        let (high, overflow) = hi.addingReportingOverflow(other.hi)
        let (carried, further) = high.addingReportingOverflow(low >> Self.lowBits)
        guard !overflow, !further else { return nil }
        return FixedPoint(unchecked: carried, low & ((1 << Self.lowBits) - 1))
    }

    /// The number in units of 2⁻⁶⁴.
    package var units: Int128 { Int128(hi) << Int128(Self.lowBits) + Int128(lo) }

    /// The nearest whole units of 2⁻²⁴ in a number of such units, and the rest in units of 2⁻⁶⁴ with its sign; nil where
    /// the number is not within ±`limit`, which is at most 2⁶².
    @inline(__always)
    static func split(_ value: Double, within limit: Double) -> (whole: Int64, rest: Int64)? {
        guard value.magnitude < limit else { return nil }
        let whole = value.rounded(.toNearestOrEven)
        return (Int64(whole), Int64(((value - whole) * 0x1p40).rounded(.toNearestOrEven)))
    }
}
