import LinearAlgebra

/// The forward pass of an encoder layer for scoring. One thread uses its memory for any layer and any adapter in turn.
final class BertScoringLayer {
    private let configuration: BertConfiguration
    /// (rows × 3·hidden): queries, keys and values side by side; in the last layer, queries (rows × hidden).
    private let projections: FloatBlock
    /// (rows × hidden)
    private let context: FloatBlock
    /// (rows × rank): x·(s·Aᵀ).
    private let inner: FloatBlock
    /// The transposed keys of one text (hidden × keys).
    private let transposed: FloatBlock
    /// (queries × keys) of one text and head. In the last layer, (heads × keys) of one text, and its transpose.
    private let attentionWeights: FloatBlock
    private let transposedWeights: FloatBlock
    /// (heads × hidden): each head's query times the keys' weight; then the sum of the rows, weighted by attention.
    private let queryRows: FloatBlock
    private let weightedRows: FloatBlock
    /// (tile × hidden) and (tile × intermediate)
    private let attentionOutput: FloatBlock
    private let intermediate: FloatBlock
    /// Padded, because rows that are nearly a power of two apart would evict each other from the cache.
    private let intermediateStride: Int
    let productScratch: PackedWeight.Scratch

    private var hidden: Int { configuration.hidden }
    private var attentionScale: Float { 1 / Float(configuration.headWidth).squareRoot() }

    /// - Parameters:
    ///   - rowLimit: the highest number of rows of one adapter, and of all adapters together in the last layer.
    init(_ configuration: BertConfiguration, rowLimit: Int, lengthLimit: Int, rankLimit: Int) {
        self.configuration = configuration
        projections = FloatBlock(count: rowLimit * 3 * configuration.hidden)
        context = FloatBlock(count: rowLimit * configuration.hidden)
        inner = FloatBlock(count: rowLimit * rankLimit)
        transposed = FloatBlock(count: max(lengthLimit, configuration.heads) * configuration.hidden)
        attentionWeights = FloatBlock(count: max(lengthLimit, configuration.heads) * lengthLimit)
        transposedWeights = FloatBlock(count: configuration.heads * lengthLimit)
        queryRows = FloatBlock(count: configuration.heads * configuration.hidden)
        weightedRows = FloatBlock(count: configuration.heads * configuration.hidden)
        attentionOutput = FloatBlock(count: PackedWeight.tile * configuration.hidden)
        intermediateStride = configuration.intermediate + 32
        intermediate = FloatBlock(count: PackedWeight.tile * intermediateStride)
        productScratch = PackedWeight.Scratch(inputs: max(configuration.hidden, configuration.intermediate))
    }

    /// Computes a layer with a query for every row.
    ///
    /// - Parameters:
    ///   - texts: the rows of each text.
    ///   - input: (rows × hidden).
    ///   - adapted: query, key and value.
    ///   - frozen: the input times the frozen projections (rows × 3·hidden); nil where that is not computed yet.
    ///   - output: (rows × hidden); it may be `input`.
    func forward(
        _ texts: [Range<Int>], _ input: MatrixView, weights: BertScoringWeights.Layer,
        adapted: ArraySlice<BertScoringFactors?>, frozen: MatrixView?,
        into output: MutableMatrixView
    ) {
        let projections = projections.matrix(rows: input.rows, columns: 3 * hidden)
        let context = context.matrix(rows: input.rows, columns: hidden)
        if let frozen {
            projections.base.update(from: frozen.base, count: projections.rows * projections.columns)
        } else {
            weights.projections.multiply(input, into: projections, scratch: productScratch)
        }
        for (part, factors) in adapted.enumerated() {
            add(factors, input, to: projections.block(0..<input.rows, part * hidden..<(part + 1) * hidden))
        }
        for text in texts {
            attend(projections.block(text, 0..<3 * hidden).readOnly, into: context.block(text, 0..<hidden))
        }
        dense(context, input, weights.dense, into: output)
    }

    /// Computes the last layer, for all adapters.
    ///
    /// - Parameters:
    ///   - texts: the rows of each text in each adapter's input (rows × hidden).
    ///   - first: each text's first row under each adapter (adapters·texts × hidden); afterwards the layer's output.
    ///   - adapted: query, key and value of each adapter.
    func forward(
        _ texts: [Range<Int>], _ inputs: [MatrixView], first: MutableMatrixView, weights: BertScoringWeights.LastLayer,
        adapted: [ArraySlice<BertScoringFactors?>]
    ) {
        let query = projections.matrix(rows: first.rows, columns: hidden)
        let context = context.matrix(rows: first.rows, columns: hidden)
        weights.query.multiply(first.readOnly, into: query, scratch: productScratch)
        RowArithmetic.fill(context, with: weights.valueBias.floats)
        for (place, (input, adapted)) in zip(inputs, adapted).enumerated() {
            let factors = Array(adapted)
            let own = place * texts.count..<(place + 1) * texts.count
            add(factors[0], first.block(own, 0..<hidden).readOnly, to: query.block(own, 0..<hidden))
            for (row, text) in zip(own, texts) {
                let (rows, row) = (input.block(text, 0..<hidden), row..<row + 1)
                fillAttentionWeights(query.block(row, 0..<hidden).readOnly, weights.key, factors[1], rows)
                addValues(rows, weights.value, factors[2], addingTo: context.block(row, 0..<hidden))
            }
        }
        dense(context, first.readOnly, weights.dense, into: first)
    }

    /// Adds s·(x·Aᵀ)·Bᵀ in the given columns.
    private func add(
        _ factors: BertScoringFactors?, _ input: MatrixView, columns: Range<Int>? = nil, to output: MutableMatrixView
    ) {
        guard let factors else { return }
        let inner = inner.matrix(rows: input.rows, columns: factors.rank)
        SmallMatrixProduct.multiply(input, factors.down.matrix, into: inner)
        let up = factors.up.matrix
        SmallMatrixProduct.multiply(
            inner.readOnly, up.block(0..<up.rows, columns ?? 0..<up.columns), into: output, isAdded: true)
    }

    private func forEachHead(_ body: (_ head: Int, _ columns: Range<Int>) -> Void) {
        for head in 0..<configuration.heads {
            body(head, head * configuration.headWidth..<(head + 1) * configuration.headWidth)
        }
    }

    /// context ← softmax(q·kᵀ/√width)·v of one text, head by head.
    private func attend(_ projections: MatrixView, into context: MutableMatrixView) {
        let rows = 0..<projections.rows
        let part = { projections.block(rows, $0 * self.hidden..<($0 + 1) * self.hidden) }
        let (query, key, value) = (part(0), part(1), part(2))
        let transposed = transposed.matrix(rows: hidden, columns: rows.count)
        let attentionWeights = attentionWeights.matrix(rows: rows.count, columns: rows.count)
        SmallMatrixProduct.transpose(key, into: transposed)
        forEachHead { _, columns in
            SmallMatrixProduct.multiply(
                query.block(rows, columns), transposed.readOnly.block(columns, rows), into: attentionWeights)
            Softmax.applyWidest(to: attentionWeights, scale: attentionScale)
            SmallMatrixProduct.multiply(
                attentionWeights.readOnly, value.block(rows, columns), into: context.block(rows, columns))
        }
    }

    /// attentionWeights ← softmax(q·kᵀ/√width) of one query (1 × hidden) over a text's rows, for all heads, computed as
    /// (q·W)·xᵀ.
    private func fillAttentionWeights(
        _ query: MatrixView, _ key: FrozenTensor, _ factors: BertScoringFactors?, _ rows: MatrixView
    ) {
        let queryRows = queryRows.matrix(rows: configuration.heads, columns: hidden)
        forEachHead { head, columns in
            let (own, target) = (query.block(0..<1, columns), queryRows.block(head..<head + 1, 0..<hidden))
            SmallMatrixProduct.multiply(own, key.matrix.block(columns, 0..<hidden), into: target)
            guard let factors else { return }
            let inner = inner.matrix(rows: 1, columns: factors.rank)
            MatrixProduct.accumulate(
                into: inner, own, .asGiven, factors.up.matrix.block(0..<factors.rank, columns), .transposed)
            MatrixProduct.accumulate(into: target, keep: 1, inner.readOnly, .asGiven, factors.down.matrix, .transposed)
        }
        let transposed = transposed.matrix(rows: hidden, columns: configuration.heads)
        let transposedWeights = transposedWeights.matrix(rows: rows.rows, columns: configuration.heads)
        let attentionWeights = attentionWeights.matrix(rows: configuration.heads, columns: rows.rows)
        SmallMatrixProduct.transpose(queryRows.readOnly, into: transposed)
        SmallMatrixProduct.multiply(rows, transposed.readOnly, into: transposedWeights)
        SmallMatrixProduct.transpose(transposedWeights.readOnly, into: attentionWeights)
        Softmax.applyWidest(to: attentionWeights, scale: attentionScale)
    }

    /// Adds attentionWeights·v of that query to its context (1 × hidden), for all heads, computed as
    /// (attentionWeights·x)·Wᵀ. The attention weights of a query have the sum 1, so the context already includes the
    /// bias.
    private func addValues(
        _ rows: MatrixView, _ value: FrozenTensor, _ factors: BertScoringFactors?, addingTo context: MutableMatrixView
    ) {
        let weightedRows = weightedRows.matrix(rows: configuration.heads, columns: hidden)
        SmallMatrixProduct.multiply(
            attentionWeights.matrix(rows: configuration.heads, columns: rows.rows).readOnly, rows, into: weightedRows)
        forEachHead { head, columns in
            let (own, target) = (
                weightedRows.readOnly.block(head..<head + 1, 0..<hidden), context.block(0..<1, columns)
            )
            SmallMatrixProduct.multiply(own, value.matrix.block(0..<hidden, columns), into: target, isAdded: true)
            add(factors, own, columns: columns, to: target)
        }
    }

    /// Applies the dense layers after the attention, a few rows at a time; `output` may be `queryRows`.
    private func dense(
        _ context: MutableMatrixView, _ queryRows: MatrixView, _ weights: BertScoringWeights.Dense,
        into output: MutableMatrixView
    ) {
        for first in stride(from: 0, to: queryRows.rows, by: PackedWeight.tile) {
            let rows = first..<min(first + PackedWeight.tile, queryRows.rows)
            let attentionOutput = attentionOutput.matrix(rows: rows.count, columns: hidden)
            let intermediate = intermediate.matrix(rows: rows.count, columns: intermediateStride)
                .block(0..<rows.count, 0..<configuration.intermediate)
            let output = output.block(rows, 0..<hidden)
            weights.attentionOutput.multiply(
                context.block(rows, 0..<hidden).readOnly, into: attentionOutput, scratch: productScratch)
            weights.attentionNorm.normalise(attentionOutput, residual: queryRows.block(rows, 0..<hidden))
            weights.intermediate.multiply(
                attentionOutput.readOnly, into: intermediate, isBiased: false, scratch: productScratch)
            GELU.applyWidest(to: intermediate, bias: weights.intermediateBias.floats)
            weights.output.multiply(intermediate.readOnly, into: output, scratch: productScratch)
            weights.outputNorm.normalise(output, residual: attentionOutput.readOnly)
        }
    }
}
