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
        let attentionWeights: FloatBlock

        init(rows: Int, longest: Int, _ configuration: BertConfiguration) {
            context = FloatBlock(count: rows * configuration.hidden)
            middle = FloatBlock(count: rows * configuration.hidden)
            query = FloatBlock(count: rows * configuration.hidden)
            key = FloatBlock(count: rows * configuration.hidden)
            value = FloatBlock(count: rows * configuration.hidden)
            wide = FloatBlock(count: rows * configuration.intermediate)
            attentionWeights = FloatBlock(count: longest * longest)
        }
    }

    private let weights: BertEncoder.Layer
    private let configuration: BertConfiguration
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
        _ weights: BertEncoder.Layer, _ layers: ArraySlice<AdaptedLayer>, configuration: BertConfiguration,
        scratch: Scratch,
        rowLimit: Int, queryLimit: Int, shareLimit: Int
    ) {
        self.weights = weights
        self.configuration = configuration
        self.scratch = scratch
        projections = zip(layers, weights.biases).enumerated().map { part, layer in
            BertProjection(layer.0, bias: layer.1, rowLimit: part == 0 ? queryLimit : rowLimit)
        }
        attention = BertAttention(
            heads: configuration.heads, headWidth: configuration.headWidth,
            shareLimit: shareLimit * configuration.heads,
            gradient: scratch.attentionWeights)
        query = FloatBlock(count: queryLimit * configuration.hidden)
        key = FloatBlock(count: rowLimit * configuration.hidden)
        value = FloatBlock(count: rowLimit * configuration.hidden)
        attentionTrace = LayerNorm.Trace(rows: queryLimit, width: configuration.hidden)
        outputTrace = LayerNorm.Trace(rows: queryLimit, width: configuration.hidden)
        slope = FloatBlock(count: queryLimit * configuration.intermediate)
    }

    var isAdapted: Bool { projections.contains(where: \.isAdapted) }

    /// - Parameters:
    ///   - input: (rows × hidden); `queryRows`, the rows of it that ask (queries × hidden).
    ///   - output: (queries × hidden)
    func forward(
        _ texts: [BertAttention.Text], _ input: MatrixView, queryRows: MatrixView, into output: MutableMatrixView
    ) {
        let (query, key, value) = (rows(query, queryRows.rows), rows(key, input.rows), rows(value, input.rows))
        projections[0].forward(queryRows, into: query)
        projections[1].forward(input, into: key)
        projections[2].forward(input, into: value)
        let context = rows(scratch.context, queryRows.rows)
        attention.forward(
            texts, query: query.readOnly, key: key.readOnly, value: value.readOnly, context: context)
        let middle = rows(scratch.middle, queryRows.rows)
        MatrixProduct.accumulate(into: output, context.readOnly, .asGiven, weights.attentionOutput.matrix, .transposed)
        weights.attentionNorm.forward(
            output.readOnly, bias: weights.attentionOutputBias, residual: queryRows, into: middle, trace: attentionTrace
        )
        let wide = scratch.wide.matrix(rows: queryRows.rows, columns: configuration.intermediate)
        MatrixProduct.accumulate(into: wide, middle.readOnly, .asGiven, weights.intermediate.matrix, .transposed)
        GELU.apply(
            to: wide, bias: weights.intermediateBias.floats,
            derivative: slope.matrix(rows: queryRows.rows, columns: configuration.intermediate))
        MatrixProduct.accumulate(into: context, wide.readOnly, .asGiven, weights.output.matrix, .transposed)
        weights.outputNorm.forward(
            context.readOnly, bias: weights.outputBias, residual: middle.readOnly, into: output, trace: outputTrace)
    }

    /// Fills the gradients of the adapted projections, for the input that `forward` had last.
    ///
    /// - Parameters:
    ///   - gradient: of the output (queries × hidden); afterwards it is what the queries' rows receive past the attention.
    ///   - inputGradients: where what comes through the projections is added: to the queries' rows, and to all; nil where
    ///     nothing below is trained.
    func backward(
        _ texts: [BertAttention.Text], _ input: MatrixView, queryRows: MatrixView, gradient: MutableMatrixView,
        addingTo inputGradients: (queryRows: MutableMatrixView, all: MutableMatrixView)?
    ) {
        weights.outputNorm.backward(gradient, trace: outputTrace)
        let wide = scratch.wide.matrix(rows: queryRows.rows, columns: configuration.intermediate)
        MatrixProduct.accumulate(into: wide, gradient.readOnly, .asGiven, weights.output.matrix, .asGiven)
        RowArithmetic.multiply(
            wide, by: slope.matrix(rows: queryRows.rows, columns: configuration.intermediate).readOnly)
        MatrixProduct.accumulate(
            into: gradient, keep: 1, wide.readOnly, .asGiven, weights.intermediate.matrix, .asGiven)
        weights.attentionNorm.backward(gradient, trace: attentionTrace)
        let context = rows(scratch.context, queryRows.rows)
        MatrixProduct.accumulate(into: context, gradient.readOnly, .asGiven, weights.attentionOutput.matrix, .asGiven)
        let isLowest = inputGradients == nil
        let targets = [
            (scratch.query, queryRows.rows), (scratch.key, input.rows), (scratch.value, input.rows),
        ].enumerated().map { part, target in
            isLowest && !projections[part].isAdapted ? nil : rows(target.0, target.1)
        }
        attention.backward(
            texts, context: context.readOnly, query: rows(query, queryRows.rows).readOnly,
            key: rows(key, input.rows).readOnly, value: rows(value, input.rows).readOnly,
            into: (targets[0], targets[1], targets[2]))
        for (part, target) in targets.enumerated() {
            guard let target else { continue }
            projections[part].backward(
                part == 0 ? queryRows : input, gradient: target.readOnly,
                addingTo: part == 0 ? inputGradients?.queryRows : inputGradients?.all)
        }
    }

    private func rows(_ block: FloatBlock, _ count: Int) -> MutableMatrixView {
        block.matrix(rows: count, columns: configuration.hidden)
    }
}
