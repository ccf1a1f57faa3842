import LinearAlgebra

/// One encoder layer at work on a lane's texts: attention, then two dense layers with GELU between them, each followed by
/// the normalised sum of what went in and what came out.
///
/// Of the last layer only each text's first row is pooled, so only that row asks there.
final class BertLayerStep {
    /// What all layers of a lane use in turn.
    struct Scratch {
        /// (rows × hidden)
        let context: FloatBlock
        let middle: FloatBlock
        let query: FloatBlock
        let key: FloatBlock
        let value: FloatBlock
        /// (rows × intermediate)
        let wide: FloatBlock
        /// (longest × longest)
        let shares: FloatBlock

        init(rows: Int, longest: Int, _ sides: BertConfiguration) {
            context = FloatBlock(count: rows * sides.hidden)
            middle = FloatBlock(count: rows * sides.hidden)
            query = FloatBlock(count: rows * sides.hidden)
            key = FloatBlock(count: rows * sides.hidden)
            value = FloatBlock(count: rows * sides.hidden)
            wide = FloatBlock(count: rows * sides.intermediate)
            shares = FloatBlock(count: longest * longest)
        }
    }

    private let weights: BertEncoder.Layer
    private let sides: BertConfiguration
    private let scratch: Scratch
    /// Query, key and value.
    let projections: [BertProjection]
    private let attention: BertAttention
    /// (rows × hidden)
    private let query: FloatBlock
    private let key: FloatBlock
    private let value: FloatBlock
    private let attentionTrace: LayerNorm.Trace
    private let outputTrace: LayerNorm.Trace
    /// (rows × intermediate): GELU's derivative.
    private let slope: FloatBlock

    /// - Parameters:
    ///   - layers: query, key and value.
    ///   - rowLimit: the most rows that a batch has, `queryLimit` the most that ask.
    ///   - shareLimit: how many numbers the attention of one head takes at most.
    init(
        _ weights: BertEncoder.Layer, _ layers: ArraySlice<AdaptedLayer>, sides: BertConfiguration, scratch: Scratch,
        rowLimit: Int, queryLimit: Int, shareLimit: Int
    ) {
        self.weights = weights
        self.sides = sides
        self.scratch = scratch
        projections = zip(layers, weights.biases).enumerated().map { part, layer in
            BertProjection(layer.0, bias: layer.1, rowLimit: part == 0 ? queryLimit : rowLimit)
        }
        attention = BertAttention(
            heads: sides.heads, headWidth: sides.headWidth, shareLimit: shareLimit * sides.heads,
            gradient: scratch.shares)
        query = FloatBlock(count: queryLimit * sides.hidden)
        key = FloatBlock(count: rowLimit * sides.hidden)
        value = FloatBlock(count: rowLimit * sides.hidden)
        attentionTrace = LayerNorm.Trace(rows: queryLimit, width: sides.hidden)
        outputTrace = LayerNorm.Trace(rows: queryLimit, width: sides.hidden)
        slope = FloatBlock(count: queryLimit * sides.intermediate)
    }

    var isAdapted: Bool { projections.contains(where: \.isAdapted) }

    /// - Parameters:
    ///   - input: (rows × hidden); `asking`, the rows of it that ask (queries × hidden).
    ///   - output: (queries × hidden)
    func forward(
        _ texts: [BertAttention.Text], _ input: MatrixView, asking: MatrixView, into output: MutableMatrixView
    ) {
        let (query, key, value) = (rows(query, asking.rows), rows(key, input.rows), rows(value, input.rows))
        projections[0].forward(asking, into: query)
        projections[1].forward(input, into: key)
        projections[2].forward(input, into: value)
        let context = rows(scratch.context, asking.rows)
        attention.forward(
            texts, query: query.readOnly, key: key.readOnly, value: value.readOnly, context: context)
        let middle = rows(scratch.middle, asking.rows)
        MatrixProduct.accumulate(into: output, context.readOnly, .asGiven, weights.joined.matrix, .transposed)
        weights.attentionNorm.forward(
            output.readOnly, bias: weights.joinedBias, residual: asking, into: middle, trace: attentionTrace)
        let wide = scratch.wide.matrix(rows: asking.rows, columns: sides.intermediate)
        MatrixProduct.accumulate(into: wide, middle.readOnly, .asGiven, weights.widened.matrix, .transposed)
        RowKernels.gelu(
            wide, bias: weights.widenedBias.floats,
            slope: slope.matrix(rows: asking.rows, columns: sides.intermediate))
        MatrixProduct.accumulate(into: context, wide.readOnly, .asGiven, weights.narrowed.matrix, .transposed)
        weights.outputNorm.forward(
            context.readOnly, bias: weights.narrowedBias, residual: middle.readOnly, into: output, trace: outputTrace)
    }

    /// Fills the gradients of the adapted projections, for the input that `forward` had last.
    ///
    /// - Parameters:
    ///   - gradient: of the output (queries × hidden); afterwards it is what the asking rows receive past the attention.
    ///   - inputGradients: where what comes through the projections is added: to the asking rows, and to all; nil where
    ///     nothing below is trained.
    func backward(
        _ texts: [BertAttention.Text], _ input: MatrixView, asking: MatrixView, gradient: MutableMatrixView,
        addingTo inputGradients: (asking: MutableMatrixView, all: MutableMatrixView)?
    ) {
        weights.outputNorm.backward(gradient, trace: outputTrace)
        let wide = scratch.wide.matrix(rows: asking.rows, columns: sides.intermediate)
        MatrixProduct.accumulate(into: wide, gradient.readOnly, .asGiven, weights.narrowed.matrix, .asGiven)
        RowKernels.multiply(wide, by: slope.matrix(rows: asking.rows, columns: sides.intermediate).readOnly)
        MatrixProduct.accumulate(into: gradient, keep: 1, wide.readOnly, .asGiven, weights.widened.matrix, .asGiven)
        weights.attentionNorm.backward(gradient, trace: attentionTrace)
        let context = rows(scratch.context, asking.rows)
        MatrixProduct.accumulate(into: context, gradient.readOnly, .asGiven, weights.joined.matrix, .asGiven)
        let isLowest = inputGradients == nil
        let targets = [
            (scratch.query, asking.rows), (scratch.key, input.rows), (scratch.value, input.rows),
        ].enumerated().map { part, target in
            isLowest && !projections[part].isAdapted ? nil : rows(target.0, target.1)
        }
        attention.backward(
            texts, context: context.readOnly, query: rows(query, asking.rows).readOnly,
            key: rows(key, input.rows).readOnly, value: rows(value, input.rows).readOnly,
            into: (targets[0], targets[1], targets[2]))
        for (part, target) in targets.enumerated() {
            guard let target else { continue }
            projections[part].backward(
                part == 0 ? asking : input, gradient: target.readOnly,
                addingTo: part == 0 ? inputGradients?.asking : inputGradients?.all)
        }
    }

    private func rows(_ block: FloatBlock, _ count: Int) -> MutableMatrixView {
        block.matrix(rows: count, columns: sides.hidden)
    }
}
