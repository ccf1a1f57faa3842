import LinearAlgebra

/// The memory that one thread takes texts through an encoder layer with, for any layer and any adapter in turn.
final class BertScoringLayer {
    private let sides: BertConfiguration
    /// (rows × hidden)
    private let query: FloatBlock
    private let context: FloatBlock
    /// (rows × 2·hidden): keys beside values.
    private let keyValue: FloatBlock
    /// (rows × rank): x·Aᵀ.
    private let inner: FloatBlock
    /// (queries × keys) of one text and head.
    private let shares: FloatBlock
    /// (tile × hidden) and (tile × intermediate)
    private let middle: FloatBlock
    private let wide: FloatBlock

    /// Rows that go through the dense layers at a time: what is between these then stays in the second cache.
    private static let tile = 96

    init(_ sides: BertConfiguration, rowLimit: Int, lengthLimit: Int, rankLimit: Int) {
        self.sides = sides
        query = FloatBlock(count: rowLimit * sides.hidden)
        context = FloatBlock(count: rowLimit * sides.hidden)
        keyValue = FloatBlock(count: rowLimit * 2 * sides.hidden)
        inner = FloatBlock(count: rowLimit * rankLimit)
        shares = FloatBlock(count: lengthLimit * lengthLimit)
        middle = FloatBlock(count: Self.tile * sides.hidden)
        wide = FloatBlock(count: Self.tile * sides.intermediate)
    }

    /// - Parameters:
    ///   - input: (rows × hidden); `asking`, the rows of it that ask (queries × hidden).
    ///   - adapted: query, key and value.
    ///   - frozen: what the frozen query, and keys beside values, make of the input, where that is known already.
    ///   - output: (queries × hidden); it may be `asking`.
    func forward(
        _ texts: [BertAttention.Text], _ input: MatrixView, asking: MatrixView, weights: BertScoringWeights.Layer,
        adapted: ArraySlice<AdaptedLayer>, frozen: (query: MatrixView, keyValue: MatrixView)? = nil,
        into output: MutableMatrixView
    ) {
        let hidden = sides.hidden
        let query = query.matrix(rows: asking.rows, columns: hidden)
        let keyValue = keyValue.matrix(rows: input.rows, columns: 2 * hidden)
        if let frozen {
            query.base.update(from: frozen.query.base, count: query.rows * hidden)
            keyValue.base.update(from: frozen.keyValue.base, count: keyValue.rows * 2 * hidden)
        } else {
            weights.query.multiply(asking, into: query)
            weights.keyValue.multiply(input, into: keyValue)
        }
        let layers = Array(adapted)
        add(layers[0], asking, to: query)
        add(layers[1], input, to: keyValue.block(0..<input.rows, 0..<hidden))
        add(layers[2], input, to: keyValue.block(0..<input.rows, hidden..<2 * hidden))
        let context = context.matrix(rows: asking.rows, columns: hidden)
        attend(texts, query: query.readOnly, keyValue: keyValue, into: context)
        for first in stride(from: 0, to: asking.rows, by: Self.tile) {
            let rows = first..<min(first + Self.tile, asking.rows)
            dense(
                context.block(rows, 0..<hidden), asking.block(rows, 0..<hidden), weights,
                into: output.block(rows, 0..<hidden))
        }
    }

    /// Adds s·(x·Aᵀ)·Bᵀ.
    private func add(_ layer: AdaptedLayer, _ input: MatrixView, to output: MutableMatrixView) {
        guard let lora = layer.lora else { return }
        let inner = inner.matrix(rows: input.rows, columns: lora.rank)
        MatrixProduct.accumulate(into: inner, scale: lora.scale, input, .asGiven, lora.a.matrix, .transposed)
        MatrixProduct.accumulate(into: output, keep: 1, inner.readOnly, .asGiven, lora.b.matrix, .asGiven)
    }

    /// context ← softmax(q·kᵀ/√width)·v, text by text and head by head.
    private func attend(
        _ texts: [BertAttention.Text], query: MatrixView, keyValue: MutableMatrixView, into context: MutableMatrixView
    ) {
        let scale = 1 / Float(sides.headWidth).squareRoot()
        for text in texts {
            let shares = shares.matrix(rows: text.queries.count, columns: text.keys.count)
            for head in 0..<sides.heads {
                let first = head * sides.headWidth
                let columns = first..<first + sides.headWidth
                MatrixProduct.accumulate(
                    into: shares, query.block(text.queries, columns), .asGiven,
                    keyValue.block(text.keys, columns).readOnly, .transposed)
                RowFunctions.softmax(shares, scale: scale)
                let values = sides.hidden + first..<sides.hidden + first + sides.headWidth
                MatrixProduct.accumulate(
                    into: context.block(text.queries, columns), shares.readOnly, .asGiven,
                    keyValue.block(text.keys, values).readOnly, .asGiven)
            }
        }
    }

    /// What comes behind the attention, of a few rows.
    private func dense(
        _ context: MutableMatrixView, _ asking: MatrixView, _ weights: BertScoringWeights.Layer,
        into output: MutableMatrixView
    ) {
        let middle = middle.matrix(rows: context.rows, columns: sides.hidden)
        let wide = wide.matrix(rows: context.rows, columns: sides.intermediate)
        weights.joined.multiply(context.readOnly, into: middle)
        weights.attentionNorm.normalise(middle, residual: asking)
        weights.widened.multiply(middle.readOnly, into: wide, isBiased: false)
        RowFunctions.gelu(wide, bias: weights.widenedBias.floats)
        weights.narrowed.multiply(wide.readOnly, into: output)
        weights.outputNorm.normalise(output, residual: middle.readOnly)
    }
}
