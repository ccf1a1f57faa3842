/// The means of sums in fixed point.
extension FixedPointPlanes {
    /// The nearest Floats of (rows × …), each row divided by its own weight; a row without one is zero.
    ///
    /// - Precondition: there is one divisor a row.
    package func quotients(rows: Int, ofRows divisors: [ExactDivisor?]) -> [Float] {
        precondition(divisors.count == rows, "another number of divisors than of rows")
        let width = rows > 0 ? count / rows : 0
        return floats { hi, lo, target in
            for (row, divisor) in divisors.enumerated() {
                let places = row * width..<(row + 1) * width
                guard let divisor else {
                    for place in places { target[place] = 0 }
                    continue
                }
                for place in places { target[place] = divisor.quotient(hi: hi[place], lo: lo[place]) }
            }
        }
    }

    /// The nearest Floats of (… × columns), each column divided by its own weight; a column without one is zero.
    package func quotients(ofColumns divisors: [ExactDivisor?]) -> [Float] {
        let width = max(1, divisors.count)
        precondition(count.isMultiple(of: width), "another number of divisors than of columns")
        return floats { hi, lo, target in
            divisors.withUnsafeBufferPointer { divisors in
                for first in stride(from: 0, to: count, by: width) {
                    for (column, divisor) in divisors.enumerated() {
                        let place = first &+ column
                        target[place] = divisor?.quotient(hi: hi[place], lo: lo[place]) ?? 0
                    }
                }
            }
        }
    }

    /// Lends both planes and room for as many floats.
    private func floats(
        _ fill: (UnsafePointer<Int64>, UnsafePointer<Int64>, UnsafeMutablePointer<Float>) -> Void
    ) -> [Float] {
        [Float](unsafeUninitializedCapacity: count) { target, filled in
            hi.withUnsafeBufferPointer { hi in
                lo.withUnsafeBufferPointer { lo in
                    guard let high = hi.baseAddress, let low = lo.baseAddress, let target = target.baseAddress else {
                        return
                    }
                    fill(high, low, target)
                }
            }
            filled = count
        }
    }
}
