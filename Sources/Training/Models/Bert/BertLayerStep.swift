import LinearAlgebra

/// The forward and backward pass of one encoder layer for the texts of a workspace. It has attention, then two dense
/// layers with GELU between them. A normalised residual sum follows each of the two.
///
/// Only each text's first row is pooled, so the last layer has a query for that row alone.
final class BertLayerStep {
    /// Memory that all layers of a workspace use in turn.
    struct Scratch {
        /// (rows × hidden)
        let context: FloatBlock
        let attentionOutput: FloatBlock
        let query: FloatBlock
        let key: FloatBlock
        let value: FloatBlock
        /// (rows × intermediate)
        let intermediate: FloatBlock
        /// (longest × longest)
        let attentionWeights: FloatBlock

        init(rows: Int, longest: Int, _ configuration: BertConfiguration) {
            context = FloatBlock(count: rows * configuration.hidden)
            attentionOutput = FloatBlock(count: rows * configuration.hidden)
            query = FloatBlock(count: rows * configuration.hidden)
            key = FloatBlock(count: rows * configuration.hidden)
            value = FloatBlock(count: rows * configuration.hidden)
            intermediate = FloatBlock(count: rows * configuration.intermediate)
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
    private let activationGradient: FloatBlock

    /// - Parameters:
    ///   - layers: query, key and value.
    ///   - rowLimit: the highest number of rows in a batch; `queryRowLimit` is the highest number of those with a
    ///     query.
    ///   - attentionLimit: the highest count of numbers in the attention of one head.
    init(
        _ weights: BertEncoder.Layer, _ layers: ArraySlice<AdaptedLayer>, configuration: BertConfiguration,
        scratch: Scratch,
        rowLimit: Int, queryRowLimit: Int, attentionLimit: Int
    ) {
        self.weights = weights
        self.configuration = configuration
        self.scratch = scratch
        projections = zip(layers, weights.biases).enumerated().map { part, layer in
            BertProjection(layer.0, bias: layer.1, rowLimit: part == 0 ? queryRowLimit : rowLimit)
        }
        attention = BertAttention(
            heads: configuration.heads, headWidth: configuration.headWidth,
            attentionLimit: attentionLimit * configuration.heads,
            gradient: scratch.attentionWeights)
        query = FloatBlock(count: queryRowLimit * configuration.hidden)
        key = FloatBlock(count: rowLimit * configuration.hidden)
        value = FloatBlock(count: rowLimit * configuration.hidden)
        attentionTrace = LayerNorm.Trace(rows: queryRowLimit, width: configuration.hidden)
        outputTrace = LayerNorm.Trace(rows: queryRowLimit, width: configuration.hidden)
        activationGradient = FloatBlock(count: queryRowLimit * configuration.intermediate)
    }

    var isAdapted: Bool { projections.contains(where: \.isAdapted) }

    /// - Parameters:
    ///   - input: (rows × hidden); `queryRows`: the rows of it that have a query (queries × hidden).
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
        let attentionOutput = rows(scratch.attentionOutput, queryRows.rows)
        MatrixProduct.accumulate(into: output, context.readOnly, .asGiven, weights.attentionOutput.matrix, .transposed)
        weights.attentionNorm.forward(
            output.readOnly, bias: weights.attentionOutputBias, residual: queryRows, into: attentionOutput,
            trace: attentionTrace
        )
        let intermediate = scratch.intermediate.matrix(rows: queryRows.rows, columns: configuration.intermediate)
        MatrixProduct.accumulate(
            into: intermediate, attentionOutput.readOnly, .asGiven, weights.intermediate.matrix, .transposed)
        GELU.apply(
            to: intermediate, bias: weights.intermediateBias.floats,
            derivative: activationGradient.matrix(rows: queryRows.rows, columns: configuration.intermediate))
        MatrixProduct.accumulate(into: context, intermediate.readOnly, .asGiven, weights.output.matrix, .transposed)
        weights.outputNorm.forward(
            context.readOnly, bias: weights.outputBias, residual: attentionOutput.readOnly, into: output,
            trace: outputTrace)
    }

    /// Computes the gradients of the adapted projections, for the input of the last `forward`.
    ///
    /// - Parameters:
    ///   - gradient: the output's gradient (queries × hidden). Afterwards it holds the gradient that reaches the
    ///     query rows through the residual sum.
    ///   - inputGradients: the projections' gradients of the query rows and of all rows are added to them; nil where
    ///     no lower layer is trained.
    func backward(
        _ texts: [BertAttention.Text], _ input: MatrixView, queryRows: MatrixView, gradient: MutableMatrixView,
        addingTo inputGradients: (queryRows: MutableMatrixView, all: MutableMatrixView)?
    ) {
        weights.outputNorm.backward(gradient, trace: outputTrace)
        let intermediate = scratch.intermediate.matrix(rows: queryRows.rows, columns: configuration.intermediate)
        MatrixProduct.accumulate(into: intermediate, gradient.readOnly, .asGiven, weights.output.matrix, .asGiven)
        RowArithmetic.multiply(
            intermediate,
            by: activationGradient.matrix(rows: queryRows.rows, columns: configuration.intermediate).readOnly)
        MatrixProduct.accumulate(
            into: gradient, keep: 1, intermediate.readOnly, .asGiven, weights.intermediate.matrix, .asGiven)
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
