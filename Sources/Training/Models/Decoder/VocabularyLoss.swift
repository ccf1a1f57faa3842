import LinearAlgebra
import ModelFiles

/// The cross-entropy of next tokens, and its gradient, for a few rows at a time. No more logits than those of these rows
/// exist at once, and the output layer's matrix is widened block by block.
///
/// The gradient of a row is the sum over four groups of blocks, on any number of threads, so that the bytes are the same.
final class VocabularyLoss {
    /// What is summed over the rows.
    struct Sum {
        var loss = 0.0
        var correct = 0
    }

    private static let groups = 4
    /// The count of numbers that a thread widens at a time.
    private static let scratchLimit = 1 << 19
    /// The count of logits that exist at once.
    private static let logitLimit = 1 << 23

    /// The highest number of rows at a time.
    let rowLimit: Int
    /// What `compare` found for each row.
    private(set) var rowResults: [Sum]
    private let head: any RowReader
    private let units: WorkUnits
    private let blocks: [Range<Int>]
    /// For each thread.
    private let scratch: [FloatBlock]
    private let isRounded: Bool
    /// For each thread, the right factor of a rounded product, and the left one.
    private let panels: [FloatBlock]
    private var tiles: [FloatBlock] = []
    /// (rows × vocabulary)
    private var logits = FloatBlock(count: 0)
    /// For each group (rows × hidden).
    private var sums: [FloatBlock] = []

    /// - Parameters:
    ///   - rowLimit: nil for what is fastest.
    ///   - precision: of the products by the output layer's matrix.
    init(_ head: any RowReader, rowLimit: Int? = nil, precision: ProductPrecision, units: WorkUnits) {
        self.head = head
        self.units = units
        let blockRows = max(1, min(head.rows, Self.scratchLimit / head.columns))
        blocks = stride(from: 0, to: head.rows, by: blockRows).map { $0..<min($0 + blockRows, head.rows) }
        scratch = (0..<units.threads).map { _ in FloatBlock(count: blockRows * head.columns) }
        self.rowLimit = rowLimit ?? Self.fastestRows(vocabulary: head.rows)
        rowResults = Array(repeating: Sum(), count: self.rowLimit)
        isRounded = precision == .bfloat16
        let count = max(
            RoundedProduct.panelCount(columns: blockRows, depth: head.columns),
            RoundedProduct.panelCount(columns: head.columns, depth: blockRows))
        panels = isRounded ? (0..<units.threads).map { _ in FloatBlock(count: count) } : []
    }

    /// The number of rows at a time that is fastest.
    static func fastestRows(vocabulary: Int) -> Int { min(256, max(16, logitLimit / vocabulary)) }

    /// The count of numbers that `rows` rows take here.
    static func count(rows: Int, vocabulary: Int, hidden: Int, threads: Int) -> Int {
        rows * (vocabulary + groups * hidden) + threads * min(vocabulary * hidden, scratchLimit)
    }

    /// The count of numbers that are added where products are rounded.
    static func roundedCount(rows: Int, vocabulary: Int, hidden: Int, threads: Int) -> Int {
        let blockRows = max(1, min(vocabulary, scratchLimit / hidden))
        return threads * (min(vocabulary * hidden, scratchLimit) / 2 + rows * max(hidden, blockRows) / 2)
    }

    /// Compares the logits of some rows with the tokens that follow.
    ///
    /// - Parameters:
    ///   - input: (rows × hidden), normalised; at most `rowLimit` rows.
    ///   - targets: a token for each row.
    ///   - gradient: becomes the gradient of `weight` times the summed loss (rows × hidden); nil where it is not needed.
    func compare(
        _ input: MatrixView, with targets: ArraySlice<Int32>, weight: Float, gradient: MutableMatrixView?
    ) -> Sum {
        let logits = multiply(input)
        let parts = WorkUnits.ranges(input.rows, parts: 4 * Self.groups)
        rowResults.withUnsafeMutableBufferPointer { results in
            nonisolated(unsafe) let results = results
            units.perform(parts.count) { part, _ in
                for row in parts[part] {
                    let result = Softmax.crossEntropy(
                        logits.base + row * logits.stride, count: logits.columns,
                        target: Int(targets[targets.startIndex + row]),
                        gradientWeight: gradient == nil ? nil : weight)
                    results[row] = Sum(loss: Double(result.loss), correct: result.isHighest ? 1 : 0)
                }
            }
        }
        if let gradient { propagate(logits.readOnly, into: gradient) }
        return rowResults[..<input.rows].reduce(into: Sum()) { sum, row in
            sum.loss += row.loss
            sum.correct += row.correct
        }
    }

    /// (rows × vocabulary): x·Wᵀ. Valid until the next call.
    func multiply(_ input: MatrixView) -> MutableMatrixView {
        precondition(input.rows <= rowLimit, "\(input.rows) rows of at most \(rowLimit)")
        if logits.floats.count < input.rows * head.rows { logits = FloatBlock(count: input.rows * head.rows) }
        let logits = logits.matrix(rows: input.rows, columns: head.rows)
        if isRounded {
            reserveTiles(rows: input.rows)
            RoundedProduct.pack(left: input, into: tiles[0])
        }
        units.perform(blocks.count) { index, thread in
            let (target, weight) = (logits.block(0..<input.rows, blocks[index]), widen(blocks[index], thread))
            if isRounded {
                RoundedProduct.pack(transposed: weight, at: 0, into: panels[thread])
                RoundedProduct.multiply(tiles[0], panels[thread], depth: input.columns, into: target, isAdded: false)
            } else {
                MatrixProduct.accumulate(into: target, input, .asGiven, weight, .transposed)
            }
        }
        return logits
    }

    /// Makes room for the left factors of a rounded product: `rows` rows of the input, or of a block of logits.
    private func reserveTiles(rows: Int) {
        let count = RoundedProduct.tileCount(rows: rows, depth: max(head.columns, blocks[0].count))
        guard tiles.isEmpty || tiles[0].floats.count < count else { return }
        tiles = (0..<units.threads).map { _ in FloatBlock(count: count) }
    }

    /// gradient ← dlogits·W
    private func propagate(_ logits: MatrixView, into gradient: MutableMatrixView) {
        let count = gradient.rows * gradient.columns
        if sums.isEmpty || sums[0].floats.count < count {
            sums = (0..<Self.groups).map { _ in FloatBlock(count: count) }
        }
        let groups = WorkUnits.ranges(blocks.count, parts: Self.groups)
        units.perform(groups.count) { group, thread in
            let sum = sums[group].matrix(rows: gradient.rows, columns: gradient.columns)
            for (index, block) in blocks[groups[group]].enumerated() {
                let (slopes, weight) = (logits.block(0..<gradient.rows, block), widen(block, thread))
                if isRounded {
                    RoundedProduct.pack(left: slopes, into: tiles[thread])
                    RoundedProduct.pack(weight, rows: 0..<block.count, of: block.count, into: panels[thread])
                    RoundedProduct.multiply(
                        tiles[thread], panels[thread], depth: block.count, into: sum, isAdded: index > 0)
                } else {
                    MatrixProduct.accumulate(
                        into: sum, keep: index == 0 ? 0 : 1, slopes, .asGiven, weight, .asGiven)
                }
            }
        }
        for row in 0..<gradient.rows {
            let target = gradient.base + row * gradient.stride
            for group in groups.indices {
                guard let base = sums[group].floats.baseAddress else { continue }
                let source = base + row * gradient.columns
                if group == 0 {
                    target.update(from: source, count: gradient.columns)
                } else {
                    RowArithmetic.add(source, to: target, count: gradient.columns)
                }
            }
        }
    }

    private func widen(_ rows: Range<Int>, _ thread: Int) -> MatrixView {
        if let base = scratch[thread].floats.baseAddress { head.read(rows: rows, into: base) }
        return scratch[thread].matrix(rows: rows.count, columns: head.columns).readOnly
    }
}
