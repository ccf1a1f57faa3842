import CVectors

/// Products of matrices that are rounded to bfloat16 (to nearest, ties to even) and summed in floats, on processors with
/// AVX-512 BF16. They take less than half the time of products in floats.
///
/// The relative error of each number that is rounded is at most 2⁻⁸.
package enum RoundedProduct {
    /// Whether this processor has the instructions.
    package static let isAvailable = bfloat16_is_available()

    /// The count of floats whose memory holds a packed left factor (rows × depth).
    package static func tileCount(rows: Int, depth: Int) -> Int { padded(rows, Int(bfloat16_tile)) * pairs(depth) }

    /// The count of floats whose memory holds a packed right factor (depth × columns).
    package static func panelCount(columns: Int, depth: Int) -> Int { padded(columns, panel) * pairs(depth) }

    /// The columns of the right factor that are packed side by side: chunks of a weight's outputs begin at a multiple.
    package static let panel = Int(bfloat16_panel)

    /// Packs the left factor (rows × depth).
    package static func pack(left source: MatrixView, into target: FloatBlock) {
        precondition(target.floats.count >= tileCount(rows: source.rows, depth: source.columns), "too small a block")
        bfloat16_pack_tiles(source.base, source.rows, source.columns, source.stride, target.floats.baseAddress)
    }

    /// Packs some outputs of a weight (outputs × depth) as part of the right factor of x·weightᵀ.
    ///
    /// - Parameter first: the place of its first output, a multiple of `panel`.
    package static func pack(transposed weight: MatrixView, at first: Int, into target: FloatBlock) {
        let place = first * pairs(weight.columns)
        precondition(
            first % panel == 0
                && target.floats.count >= place + panelCount(columns: weight.rows, depth: weight.columns),
            "outputs from \(first) on of another block")
        guard let base = target.floats.baseAddress else { return }
        bfloat16_pack_transposed(weight.base, weight.rows, weight.columns, weight.stride, base + place)
    }

    /// Packs some rows of a weight (depth × columns) as part of the right factor of y·weight.
    ///
    /// - Parameters:
    ///   - rows: their place, from an even number on, and up to an even number or to `depth`.
    ///   - depth: the count of all rows.
    package static func pack(_ weight: MatrixView, rows: Range<Int>, of depth: Int, into target: FloatBlock) {
        precondition(
            rows.lowerBound % 2 == 0 && (rows.upperBound % 2 == 0 || rows.upperBound == depth)
                && weight.rows == rows.count
                && target.floats.count >= panelCount(columns: weight.columns, depth: depth),
            "rows \(rows) of \(depth)")
        for row in stride(from: 0, to: rows.count, by: 2) {
            let first = weight.base + row * weight.stride
            bfloat16_pack_pair(
                first, row + 1 < rows.count ? first + weight.stride : nil, weight.columns,
                (rows.lowerBound + row) / 2, pairs(depth), target.floats.baseAddress)
        }
    }

    /// target ← left·right, or target + left·right where `isAdded`. O(rows·depth·columns).
    ///
    /// - Parameters:
    ///   - left: a packed left factor (rows × depth), `right` a packed right factor (depth × columns).
    ///   - target: (rows × columns); it may be a block of a larger matrix.
    package static func multiply(
        _ left: FloatBlock, _ right: FloatBlock, depth: Int, into target: MutableMatrixView, isAdded: Bool
    ) {
        precondition(
            left.floats.count >= tileCount(rows: target.rows, depth: depth)
                && right.floats.count >= panelCount(columns: target.columns, depth: depth), "factors of other shapes")
        bfloat16_multiply(
            left.floats.baseAddress, target.rows, right.floats.baseAddress, target.columns, depth, isAdded, target.base,
            target.stride)
    }

    private static func pairs(_ depth: Int) -> Int { (depth + 1) / 2 }
    private static func padded(_ count: Int, _ width: Int) -> Int { (count + width - 1) / width * width }
}
