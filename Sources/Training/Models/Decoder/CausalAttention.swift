import LinearAlgebra
import ModelFiles

/// Causal attention within each sequence, with heads of keys and values that serve several heads of queries.
///
/// The sequences of a batch lie one behind the other, so no row is padding. Queries are taken in blocks; keys after a block
/// are not multiplied. The attention weights are computed again for the gradient, so none are kept.
struct CausalAttention {
    /// One head of keys and values in one sequence: the unit of work that one thread computes.
    struct Unit {
        let rows: Range<Int>
        let head: Int
    }

    /// The memory of one thread.
    final class Scratch {
        /// (block × rows): the attention weights of a block of queries, and their gradient.
        fileprivate let weights: FloatBlock
        fileprivate let gradient: FloatBlock

        /// - Parameter longest: the number of rows of the longest sequence.
        init(longest: Int) {
            weights = FloatBlock(count: CausalAttention.block * longest)
            gradient = FloatBlock(count: CausalAttention.block * longest)
        }
    }

    static let block = 64

    private let configuration: ModelConfiguration
    private var scale: Float { 1 / Float(configuration.headWidth).squareRoot() }

    init(_ configuration: ModelConfiguration) { self.configuration = configuration }

    /// The units of all sequences.
    func units(_ sequences: [Range<Int>]) -> [Unit] {
        sequences.flatMap { rows in (0..<configuration.keyValueHeads).map { Unit(rows: rows, head: $0) } }
    }

    /// context ← softmax(q·kᵀ/√width)·v for the queries of a unit.
    ///
    /// - Parameters:
    ///   - inputs: (rows × attentionWidth): queries, keys and values.
    ///   - context: (rows × queryWidth)
    func forward(_ unit: Unit, inputs: MatrixView, into context: MutableMatrixView, scratch: Scratch) {
        forEachBlock(unit) { block in
            let weights = weights(of: block, unit, inputs: inputs, scratch)
            MatrixProduct.accumulate(
                into: context.block(block.rows, block.columns), weights.readOnly, .asGiven,
                inputs.block(block.keys, values(unit)), .asGiven)
        }
    }

    /// Writes the gradients of a unit's queries, keys and values.
    ///
    /// - Parameters:
    ///   - context: the gradient of the context (rows × queryWidth).
    ///   - gradients: (rows × attentionWidth)
    func backward(
        _ unit: Unit, context: MatrixView, inputs: MatrixView, into gradients: MutableMatrixView, scratch: Scratch
    ) {
        let (keys, values) = (keys(unit), values(unit))
        for row in unit.rows {
            for columns in [keys, values] {
                (gradients.base + row * gradients.stride + columns.lowerBound).update(
                    repeating: 0, count: columns.count)
            }
        }
        forEachBlock(unit) { block in
            let weights = weights(of: block, unit, inputs: inputs, scratch)
            let outer = context.block(block.rows, block.columns)
            MatrixProduct.accumulate(
                into: gradients.block(block.keys, values), keep: 1, weights.readOnly, .transposed, outer, .asGiven)
            let inner = scratch.gradient.matrix(rows: block.rows.count, columns: block.keys.count)
            MatrixProduct.accumulate(into: inner, outer, .asGiven, inputs.block(block.keys, values), .transposed)
            Softmax.propagate(inner, of: weights.readOnly)
            MatrixProduct.accumulate(
                into: gradients.block(block.rows, block.columns), scale: scale, inner.readOnly, .asGiven,
                inputs.block(block.keys, keys), .asGiven)
            MatrixProduct.accumulate(
                into: gradients.block(block.keys, keys), keep: 1, scale: scale, inner.readOnly, .transposed,
                inputs.block(block.rows, block.columns), .asGiven)
        }
    }

    /// context ← attention of the next rows of one text, for one head of keys and values.
    ///
    /// - Parameters:
    ///   - queries: (rows × attentionWidth), at most 64 rows.
    ///   - keysAndValues: (all rows so far × 2·keyValueWidth); the last of them are those of the queries.
    func extend(
        _ head: Int, queries: MatrixView, keysAndValues: MatrixView, into context: MutableMatrixView, scratch: Scratch
    ) {
        let (width, group) = (configuration.headWidth, configuration.heads / configuration.keyValueHeads)
        let keys = head * width..<(head + 1) * width
        let values = configuration.keyValueWidth + keys.lowerBound..<configuration.keyValueWidth + keys.upperBound
        let all = 0..<keysAndValues.rows
        for query in head * group..<(head + 1) * group {
            let columns = query * width..<(query + 1) * width
            let weights = scratch.weights.matrix(rows: queries.rows, columns: all.count)
            MatrixProduct.accumulate(
                into: weights, scale: scale, queries.block(0..<queries.rows, columns), .asGiven,
                keysAndValues.block(all, keys), .transposed)
            Softmax.applyCausally(to: weights, first: all.count - queries.rows + 1)
            MatrixProduct.accumulate(
                into: context.block(0..<queries.rows, columns), weights.readOnly, .asGiven,
                keysAndValues.block(all, values), .asGiven)
        }
    }

    /// Some queries of one head: their rows and columns, and the rows of the keys that they see.
    private struct Block {
        let rows: Range<Int>
        let columns: Range<Int>
        let keys: Range<Int>
    }

    private func forEachBlock(_ unit: Unit, _ body: (Block) -> Void) {
        let group = configuration.heads / configuration.keyValueHeads
        for head in unit.head * group..<(unit.head + 1) * group {
            let columns = head * configuration.headWidth..<(head + 1) * configuration.headWidth
            for first in stride(from: unit.rows.lowerBound, to: unit.rows.upperBound, by: Self.block) {
                let end = min(first + Self.block, unit.rows.upperBound)
                body(Block(rows: first..<end, columns: columns, keys: unit.rows.lowerBound..<end))
            }
        }
    }

    private func keys(_ unit: Unit) -> Range<Int> {
        let first = configuration.queryWidth + unit.head * configuration.headWidth
        return first..<first + configuration.headWidth
    }

    private func values(_ unit: Unit) -> Range<Int> {
        let first = configuration.queryWidth + configuration.keyValueWidth + unit.head * configuration.headWidth
        return first..<first + configuration.headWidth
    }

    /// The softmax of a block's scaled scores: (queries × keys), zero where a key comes after the query.
    private func weights(
        of block: Block, _ unit: Unit, inputs: MatrixView, _ scratch: Scratch
    ) -> MutableMatrixView {
        let weights = scratch.weights.matrix(rows: block.rows.count, columns: block.keys.count)
        MatrixProduct.accumulate(
            into: weights, scale: scale, inputs.block(block.rows, block.columns), .asGiven,
            inputs.block(block.keys, keys(unit)), .transposed)
        Softmax.applyCausally(to: weights, first: block.rows.lowerBound - unit.rows.lowerBound + 1)
        return weights
    }
}
