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

    /// Writes some positions of all components as doubles: component after component, `height` numbers apart.
    package typealias Fill = (_ positions: Range<Int>, _ panel: UnsafeMutablePointer<Double>, _ height: Int) -> Void

    /// Adds the blocks of left · rightᵀ. 2·(rows·columns)·length operations for each block.
    ///
    /// - Parameter right: nil for `left`; blocks on the diagonal are then computed once, and cost half.
    /// - Precondition: both factors have the same length, and the components that the blocks name.
    package func add(_ left: MatrixView, _ right: MatrixView?) {
        add(
            length: left.columns, left: { Self.widen(left, $0, into: $1, $2) },
            right: right.map { right in { Self.widen(right, $0, into: $1, $2) } })
    }

    /// The same with factors that are read panel by panel, so that no factor is in memory as a whole.
    package func add(length: Int, left: Fill, right: Fill?) {
        let height = min(Self.height, length)
        let ofLeft = DoubleMatrix(rows: height, columns: products.rows)
        let ofRight = right.map { _ in DoubleMatrix(rows: height, columns: products.columns) }
        for start in stride(from: 0, to: length, by: height) {
            let positions = start..<min(start + height, length)
            left(positions, ofLeft.base, height)
            if let right, let ofRight { right(positions, ofRight.base, height) }
            for block in blocks { add(block, ofLeft, ofRight, positions.count) }
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

    private static func widen(
        _ factor: MatrixView, _ positions: Range<Int>, into panel: UnsafeMutablePointer<Double>, _ height: Int
    ) {
        for component in 0..<factor.rows {
            let source = factor.base + component * factor.stride + positions.lowerBound
            let target = panel + component * height
            for position in 0..<positions.count { target[position] = Double(source[position]) }
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
