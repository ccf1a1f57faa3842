import COpenBLAS

/// Inner products of rank components in float64, left · rightᵀ, of which only some blocks are computed.
///
/// The factors are float matrices (components × length). They are read as doubles, one panel of positions at a time.
package final class ComponentGram {
    /// Components of the left factor, and those of the right one with which they are multiplied.
    package struct Block: Sendable, Hashable {
        package let left: Range<Int>
        package let right: Range<Int>

        package init(left: Range<Int>, right: Range<Int>) {
            self.left = left
            self.right = right
        }
    }

    /// The positions of one panel: enough that the products outweigh the passes over the result.
    private static let height = 512

    private let products: DoubleMatrix
    private let blocks: [Block]

    /// - Parameter blocks: what is computed; everything else stays zero.
    package init(left: Int, right: Int, blocks: [Block]) {
        products = DoubleMatrix(rows: left, columns: right)
        self.blocks = blocks.filter { !$0.left.isEmpty && !$0.right.isEmpty }
    }

    /// Adds the blocks of left · rightᵀ. 2·(rows·columns)·length operations for each block.
    ///
    /// - Parameter right: nil for `left`; blocks on the diagonal are then computed once, and cost half.
    /// - Precondition: both factors have the same length, and the components that the blocks name.
    package func add(_ left: MatrixView, _ right: MatrixView?) {
        let length = left.columns
        let height = min(Self.height, length)
        let ofLeft = DoubleMatrix(rows: height, columns: left.rows)
        let ofRight = right.map { DoubleMatrix(rows: height, columns: $0.rows) }
        for start in stride(from: 0, to: length, by: height) {
            let count = min(height, length - start)
            Self.widen(left, start, count, into: ofLeft)
            if let right, let ofRight { Self.widen(right, start, count, into: ofRight) }
            for block in blocks { add(block, ofLeft, ofRight, count) }
        }
    }

    private func add(_ block: Block, _ left: DoubleMatrix, _ right: DoubleMatrix?, _ count: Int) {
        let target = products.base + block.right.lowerBound * products.rows + block.left.lowerBound
        let first = left.base + block.left.lowerBound * left.rows
        if right == nil, block.left == block.right {
            cblas_dsyrk(
                CblasColMajor, CblasLower, CblasTrans, Int32(block.left.count), Int32(count), 1, first, left.leading, 1,
                target, products.leading)
        } else {
            let other = right ?? left
            cblas_dgemm(
                CblasColMajor, CblasTrans, CblasNoTrans, Int32(block.left.count), Int32(block.right.count),
                Int32(count), 1, first, left.leading, other.base + block.right.lowerBound * other.rows, other.leading,
                1, target, products.leading)
        }
    }

    private static func widen(_ factor: MatrixView, _ start: Int, _ count: Int, into panel: DoubleMatrix) {
        for component in 0..<factor.rows {
            let source = factor.base + component * factor.stride + start
            let target = panel.base + component * panel.rows
            for position in 0..<count { target[position] = Double(source[position]) }
        }
    }

    /// Copies what was computed on and below the diagonal to its other side.
    package func mirror() { products.mirrorLowerTriangle() }

    /// The product of two components.
    /// - Precondition: both exist.
    package subscript(left: Int, right: Int) -> Double { products[left, right] }

    /// Σ (x ∘ y) over a block of two such matrices; each has a place of its own for the block's first entry.
    ///
    /// - Precondition: the blocks lie within the matrices.
    package static func sum(
        of x: ComponentGram, at xLeft: Int, _ xRight: Int, times y: ComponentGram, at yLeft: Int, _ yRight: Int,
        rows: Int, columns: Int
    ) -> Double {
        var total = 0.0
        for column in 0..<columns {
            let ofX = x.products.base + (xRight + column) * x.products.rows + xLeft
            let ofY = y.products.base + (yRight + column) * y.products.rows + yLeft
            var sum = 0.0
            for row in 0..<rows { sum += ofX[row] * ofY[row] }
            total += sum
        }
        return total
    }
}
