import LinearAlgebra
import Testing

@Suite(.enabled(if: RoundedProduct.isAvailable))
struct RoundedProductTests {
    private static func numbers(_ count: Int, seed: UInt64) -> FloatBlock {
        var generator = SeededGenerator(seed: seed, stream: "rounded products")
        let block = FloatBlock(count: count)
        for index in 0..<count { block.floats[index] = generator.uniform(within: 1) }
        return block
    }

    private static func rounded(_ number: Float) -> Double {
        let bits = number.bitPattern
        return Double(Float(bitPattern: (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000))
    }

    /// Blocks that begin as nonsense, so that what is not written shows.
    private static func nonsense(_ count: Int) -> FloatBlock {
        let block = FloatBlock(count: count)
        block.floats.update(repeating: .nan)
        return block
    }

    @Test(
        arguments: [(1, 2, 1), (13, 31, 5), (14, 32, 32), (15, 33, 33), (37, 75, 51), (64, 576, 100)], [false, true])
    func `sums are those of rounded numbers`(shape: (Int, Int, Int), isTransposed: Bool) {
        let (rows, depth, columns) = shape
        let left = Self.numbers(rows * depth, seed: 1)
        let weight = Self.numbers(depth * columns, seed: 2)
        let (tiles, panels) = (
            Self.nonsense(RoundedProduct.tileCount(rows: rows, depth: depth)),
            Self.nonsense(RoundedProduct.panelCount(columns: columns, depth: depth))
        )
        RoundedProduct.pack(left: left.matrix(rows: rows, columns: depth).readOnly, into: tiles)
        if isTransposed {
            let matrix = weight.matrix(rows: columns, columns: depth).readOnly
            for first in stride(from: 0, to: columns, by: RoundedProduct.panel) {
                let chunk = first..<min(first + RoundedProduct.panel, columns)
                RoundedProduct.pack(transposed: matrix.block(chunk, 0..<depth), at: first, into: panels)
            }
        } else {
            let matrix = weight.matrix(rows: depth, columns: columns).readOnly
            for first in stride(from: 0, to: depth, by: 32) {
                let chunk = first..<min(first + 32, depth)
                RoundedProduct.pack(matrix.block(chunk, 0..<columns), rows: chunk, of: depth, into: panels)
            }
        }
        // A block of a wider matrix, whose other columns stay.
        let target = FloatBlock(count: rows * (columns + 3))
        target.floats.update(repeating: 7)
        let block = target.matrix(rows: rows, columns: columns + 3).block(0..<rows, 1..<columns + 1)
        for isAdded in [false, true] {
            RoundedProduct.multiply(tiles, panels, depth: depth, into: block, isAdded: isAdded)
            for row in 0..<rows {
                for column in 0..<columns {
                    var (sum, size) = (0.0, 0.0)
                    for place in 0..<depth {
                        let right = weight.floats[isTransposed ? column * depth + place : place * columns + column]
                        let product = Self.rounded(left.floats[row * depth + place]) * Self.rounded(right)
                        sum += product
                        size += abs(product)
                    }
                    let found = Double(target.floats[row * (columns + 3) + 1 + column])
                    #expect(abs(found - (isAdded ? 2 : 1) * sum) <= 1e-6 * size, "\(row), \(column)")
                }
                #expect(target.floats[row * (columns + 3)] == 7)
                #expect(target.floats[(row + 1) * (columns + 3) - 1] == 7)
            }
        }
    }
}
