import Glibc
import LinearAlgebra

/// BERT under many adapters at once: a few texts go through one encoder layer under every adapter before the next layer's
/// turn, so that a layer's weights stay in the cache.
///
/// Embeddings and the first layer's frozen projections are the same for all adapters and taken once. Nothing is kept for a
/// gradient. All memory is taken when it is made.
final class BertScorer: AdapterScorer {
    private let encoder: BertEncoder
    private let weights: BertScoringWeights
    private let adapters: [[AdaptedLayer]]
    private let heads: [[DenseTensor]]
    private let classes: Int
    private let lengthLimit: Int
    private let layer: BertScoringLayer
    /// (rows × hidden): the embeddings.
    private let embeddings: FloatBlock
    /// (adapters·rows × hidden): what each layer takes, and then what it gave.
    private let states: FloatBlock
    /// (rows × hidden) and (rows × 2·hidden): the first layer's frozen query, key and value.
    private let query: FloatBlock
    private let keyValue: FloatBlock
    /// (texts × hidden): the rows of the last layer that ask.
    private let asking: FloatBlock
    /// (adapters·texts × hidden): each text's first row, and the pooler's output.
    private let first: FloatBlock
    private let pooled: FloatBlock
    /// (adapters·texts × classes)
    private let scores: FloatBlock

    private var hidden: Int { encoder.configuration.hidden }

    /// - Parameters:
    ///   - adapters: query, key and value of every layer under each adapter; `heads` their classifiers.
    ///   - lengthLimit: the most pieces of a text that count; `textLimit` the most texts at a time.
    init(
        _ encoder: BertEncoder, weights: BertScoringWeights, adapters: [[AdaptedLayer]], heads: [[DenseTensor]],
        classes: Int, lengthLimit: Int, textLimit: Int
    ) {
        self.encoder = encoder
        self.weights = weights
        self.adapters = adapters
        self.heads = heads
        self.classes = classes
        self.lengthLimit = lengthLimit
        let (rows, hidden) = (textLimit * lengthLimit, encoder.configuration.hidden)
        layer = BertScoringLayer(
            encoder.configuration, rowLimit: rows, lengthLimit: lengthLimit,
            rankLimit: adapters.flatMap { $0.map { $0.lora?.rank ?? 0 } }.max() ?? 0)
        embeddings = FloatBlock(count: rows * hidden)
        states = FloatBlock(count: adapters.count * rows * hidden)
        query = FloatBlock(count: rows * hidden)
        keyValue = FloatBlock(count: rows * 2 * hidden)
        asking = FloatBlock(count: textLimit * hidden)
        first = FloatBlock(count: adapters.count * textLimit * hidden)
        pooled = FloatBlock(count: adapters.count * textLimit * hidden)
        scores = FloatBlock(count: adapters.count * textLimit * classes)
    }

    func logits(_ examples: EncodedTexts, _ indices: ArraySlice<Int>) -> [MatrixView] {
        let texts = embed(examples, indices)
        let rows = texts[texts.count - 1].keys.upperBound
        let shared = (query: matrix(query, rows), keyValue: keyValue.matrix(rows: rows, columns: 2 * hidden))
        for index in weights.layers.indices {
            let isLast = index == weights.layers.count - 1
            if index == 0 {
                weights.layers[0].query.multiply(matrix(embeddings, rows).readOnly, into: shared.query)
                weights.layers[0].keyValue.multiply(matrix(embeddings, rows).readOnly, into: shared.keyValue)
            }
            for (place, adapter) in adapters.enumerated() {
                let state = states.matrix(at: place * rows * hidden, rows: rows, columns: hidden)
                let input = index == 0 ? matrix(embeddings, rows) : state
                let own = adapter[3 * index..<3 * index + 3]
                if isLast {
                    let output = first.matrix(at: place * texts.count * hidden, rows: texts.count, columns: hidden)
                    let asking = firstRows(of: input, texts)
                    layer.forward(
                        texts.enumerated().map { .init(queries: $0..<$0 + 1, keys: $1.keys) }, input.readOnly,
                        asking: asking, weights: weights.layers[index], adapted: own, into: output)
                } else {
                    layer.forward(
                        texts, input.readOnly, asking: input.readOnly, weights: weights.layers[index], adapted: own,
                        frozen: index == 0 ? (shared.query.readOnly, shared.keyValue.readOnly) : nil, into: state)
                }
            }
        }
        return classify(texts: texts.count)
    }

    /// Fills the first layer's input, and tells where each text lies.
    private func embed(_ examples: EncodedTexts, _ indices: ArraySlice<Int>) -> [BertAttention.Text] {
        var texts: [BertAttention.Text] = []
        var row = 0
        for index in indices {
            let length = min(examples.count(of: index), lengthLimit)
            encoder.sumEmbeddings(
                examples[index], length: length,
                into: embeddings.matrix(at: row * hidden, rows: length, columns: hidden))
            texts.append(.init(queries: row..<row + length, keys: row..<row + length))
            row += length
        }
        encoder.embeddingNorm.normalise(matrix(embeddings, row))
        return texts
    }

    private func firstRows(of input: MutableMatrixView, _ texts: [BertAttention.Text]) -> MatrixView {
        let target = matrix(asking, texts.count)
        for (row, text) in texts.enumerated() {
            (target.base + row * hidden).update(
                from: input.base + text.keys.lowerBound * input.stride, count: hidden)
        }
        return target.readOnly
    }

    /// Each adapter's own classifier on the pooled first rows.
    private func classify(texts: Int) -> [MatrixView] {
        let all = matrix(pooled, adapters.count * texts)
        weights.pooler.multiply(matrix(first, adapters.count * texts).readOnly, into: all)
        for index in 0..<all.rows * hidden { all.base[index] = tanhf(all.base[index]) }
        return heads.enumerated().map { place, head in
            let target = scores.matrix(at: place * texts * classes, rows: texts, columns: classes)
            RowKernels.fill(target, with: UnsafeBufferPointer(head[1].tensor.values.floats))
            MatrixProduct.accumulate(
                into: target, keep: 1,
                pooled.matrix(at: place * texts * hidden, rows: texts, columns: hidden).readOnly, .asGiven,
                head[0].tensor.matrix, .transposed)
            return target.readOnly
        }
    }

    private func matrix(_ block: FloatBlock, _ rows: Int) -> MutableMatrixView {
        block.matrix(rows: rows, columns: hidden)
    }
}

extension LayerNorm {
    /// As `forward`, in place and without a trace.
    func normalise(_ values: MutableMatrixView, residual: MatrixView? = nil) {
        RowFunctions.normalise(values, residual: residual, gain: gain.floats, shift: shift.floats, epsilon: epsilon)
    }
}
