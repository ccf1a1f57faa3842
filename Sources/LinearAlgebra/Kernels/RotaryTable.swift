import Glibc

/// The rotations of queries and keys by their positions (RoPE, Su et al., arXiv 2104.09864), with the halves of a head as
/// the two coordinates: transformers' `rotate_half`.
package struct RotaryTable: @unchecked Sendable {
    // Its block is written before any other thread sees it, and never again.
    /// (positions × width): the cosines, then the sines of a position's angles.
    private let block: FloatBlock
    /// The length of a head.
    private let width: Int
    private let positions: Int

    /// - Parameters:
    ///   - frequencies: the angle of one position, in radians, for each of the head's pairs.
    ///   - factor: what cosines and sines are multiplied by.
    /// - Precondition: there is at least one frequency and one position.
    package init(frequencies: [Float], factor: Float = 1, positions: Int) {
        precondition(!frequencies.isEmpty && positions > 0, "\(frequencies.count) frequencies, \(positions) positions")
        (width, self.positions) = (2 * frequencies.count, positions)
        block = FloatBlock(count: positions * width)
        for position in 0..<positions {
            for (pair, frequency) in frequencies.enumerated() {
                let angle = Float(position) * frequency
                block.floats[position * width + pair] = factor * cosf(angle)
                block.floats[position * width + frequencies.count + pair] = factor * sinf(angle)
            }
        }
    }

    /// Rotates heads that lie one behind the other by the angles of a position, or back.
    ///
    /// - Precondition: the position is in the table, and `values` has `heads` × `width` numbers.
    package func rotate(_ values: UnsafeMutablePointer<Float>, heads: Int, position: Int, isInverse: Bool = false) {
        precondition(position >= 0 && position < positions, "position \(position) of \(positions)")
        guard let cosines = block.floats.baseAddress.map({ $0 + position * width }) else { return }
        let half = width / 2
        let sines = cosines + half
        let sign: Float = isInverse ? -1 : 1
        for head in 0..<heads {
            let first = values + head * width
            let second = first + half
            for pair in 0..<half {
                let (x, y) = (first[pair], second[pair])
                let sine = sign * sines[pair]
                first[pair] = x * cosines[pair] - y * sine
                second[pair] = y * cosines[pair] + x * sine
            }
        }
    }
}
