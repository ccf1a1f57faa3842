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
    private let head: any RowReader
    private let units: WorkUnits
    private let blocks: [Range<Int>]
    /// For each thread.
    private let scratch: [FloatBlock]
    /// (rows × vocabulary)
    private var logits = FloatBlock(count: 0)
    /// For each group (rows × hidden).
    private var sums: [FloatBlock] = []

    /// - Parameter rowLimit: nil for what is fastest.
    init(_ head: any RowReader, rowLimit: Int? = nil, units: WorkUnits) {
        self.head = head
        self.units = units
        let blockRows = max(1, min(head.rows, Self.scratchLimit / head.columns))
        blocks = stride(from: 0, to: head.rows, by: blockRows).map { $0..<min($0 + blockRows, head.rows) }
        scratch = (0..<units.threads).map { _ in FloatBlock(count: blockRows * head.columns) }
        self.rowLimit = rowLimit ?? Self.fastestRows(vocabulary: head.rows)
    }

    /// The number of rows at a time that is fastest.
    static func fastestRows(vocabulary: Int) -> Int { min(256, max(16, logitLimit / vocabulary)) }

    /// The count of numbers that `rows` rows take here.
    static func count(rows: Int, vocabulary: Int, hidden: Int, threads: Int) -> Int {
        rows * (vocabulary + groups * hidden) + threads * min(vocabulary * hidden, scratchLimit)
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
        var results = [Sum](repeating: Sum(), count: parts.count)
        results.withUnsafeMutableBufferPointer { results in
            nonisolated(unsafe) let results = results
            units.perform(parts.count) { part, _ in
                for row in parts[part] {
                    let result = Softmax.crossEntropy(
                        logits.base + row * logits.stride, count: logits.columns,
                        target: Int(targets[targets.startIndex + row]),
                        gradientWeight: gradient == nil ? nil : weight)
                    results[part].loss += Double(result.loss)
                    if result.isHighest { results[part].correct += 1 }
                }
            }
        }
        if let gradient { propagate(logits.readOnly, into: gradient) }
        return results.reduce(into: Sum()) { sum, part in
            sum.loss += part.loss
            sum.correct += part.correct
        }
    }

    /// (rows × vocabulary): x·Wᵀ. Valid until the next call.
    func multiply(_ input: MatrixView) -> MutableMatrixView {
        precondition(input.rows <= rowLimit, "\(input.rows) rows of at most \(rowLimit)")
        if logits.floats.count < input.rows * head.rows { logits = FloatBlock(count: input.rows * head.rows) }
        let logits = logits.matrix(rows: input.rows, columns: head.rows)
        units.perform(blocks.count) { index, thread in
            MatrixProduct.accumulate(
                into: logits.block(0..<input.rows, blocks[index]), input, .asGiven, widen(blocks[index], thread),
                .transposed)
        }
        return logits
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
                MatrixProduct.accumulate(
                    into: sum, keep: index == 0 ? 0 : 1, logits.block(0..<gradient.rows, block), .asGiven,
                    widen(block, thread), .asGiven)
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
