import Glibc
import LinearAlgebra
import TrainingData

/// BERT under many adapters at once. A few texts pass one encoder layer under every adapter of a group before the next
/// layer, so that a layer's weights stay in the cache.
///
/// Groups are small, so that threads have about the same amount of work. Embeddings and the first layer's frozen
/// projections are the same for all adapters and computed once per group. Nothing is stored for gradients. All memory
/// is allocated at initialisation.
final class BertScorer: AdapterScorer {
    let groups: [Range<Int>]
    private let encoder: BertEncoder
    private let weights: BertScoringWeights
    private let adapters: [[BertScoringFactors?]]
    private let heads: [[DenseTensor]]
    private let classes: Int
    private let lengthLimit: Int
    private let layer: BertScoringLayer
    /// (rows × hidden): the embeddings.
    private let embeddings: FloatBlock
    /// (adapters·rows × hidden): the input of each layer, then its output.
    private let states: FloatBlock
    /// (rows × 3·hidden): the embeddings times the first layer's frozen projections.
    private let projections: FloatBlock
    /// (adapters·texts × hidden): each text's first row, and the pooler's output.
    private let first: FloatBlock
    private let pooled: FloatBlock
    /// (adapters·texts × classes)
    private let scores: FloatBlock

    private var hidden: Int { encoder.configuration.hidden }

    /// - Parameters:
    ///   - adapters: query, key and value of every layer under each adapter; `heads` their classifiers.
    ///   - lengthLimit: the highest number of pieces of a text that are used; `textLimit` is the highest number of
    ///     texts at a time.
    init(
        _ encoder: BertEncoder, weights: BertScoringWeights, adapters: [[BertScoringFactors?]],
        heads: [[DenseTensor]], classes: Int, lengthLimit: Int, textLimit: Int
    ) {
        groups = Self.groups(of: adapters.count, atMost: 16)
        self.encoder = encoder
        self.weights = weights
        self.adapters = adapters
        self.heads = heads
        self.classes = classes
        self.lengthLimit = lengthLimit
        let (rows, hidden) = (textLimit * lengthLimit, encoder.configuration.hidden)
        let largest = groups.map(\.count).max() ?? 0
        layer = BertScoringLayer(
            encoder.configuration, rowLimit: max(rows, largest * textLimit), lengthLimit: lengthLimit,
            rankLimit: adapters.flatMap { $0.map { $0?.rank ?? 0 } }.max() ?? 0)
        embeddings = FloatBlock(count: rows * hidden)
        states = FloatBlock(count: largest * rows * hidden)
        projections = FloatBlock(count: rows * 3 * hidden)
        first = FloatBlock(count: largest * textLimit * hidden)
        pooled = FloatBlock(count: largest * textLimit * hidden)
        scores = FloatBlock(count: largest * textLimit * classes)
    }

    func logits(_ examples: EncodedTexts, _ indices: ArraySlice<Int>, group: Int) -> [MatrixView] {
        let adapters = adapters[groups[group]]
        let texts = embed(examples, indices)
        let rows = texts[texts.count - 1].upperBound
        let inputs = (0..<adapters.count).map { states.matrix(at: $0 * rows * hidden, rows: rows, columns: hidden) }
        for (index, weights) in weights.layers.enumerated() {
            var frozen: MatrixView?
            if index == 0 {
                let shared = projections.matrix(rows: rows, columns: 3 * hidden)
                weights.projections.multiply(
                    matrix(embeddings, rows).readOnly, into: shared, scratch: layer.productScratch)
                frozen = shared.readOnly
            }
            for (adapter, state) in zip(adapters, inputs) {
                layer.forward(
                    texts, (index == 0 ? matrix(embeddings, rows) : state).readOnly,
                    weights: weights, adapted: adapter[3 * index..<3 * index + 3], frozen: frozen, into: state)
            }
        }
        let last = weights.layers.isEmpty ? adapters.map { _ in matrix(embeddings, rows) } : inputs
        gatherFirst(of: last, texts)
        layer.forward(
            texts, last.map(\.readOnly), first: matrix(first, adapters.count * texts.count), weights: weights.last,
            adapted: adapters.map { $0.suffix(3) })
        return classify(heads[groups[group]], texts: texts.count)
    }

    /// Computes the first layer's input, and returns the rows of each text.
    private func embed(_ examples: EncodedTexts, _ indices: ArraySlice<Int>) -> [Range<Int>] {
        var texts: [Range<Int>] = []
        var row = 0
        for index in indices {
            let length = min(examples.count(of: index), lengthLimit)
            encoder.sumEmbeddings(
                examples[index], length: length,
                into: embeddings.matrix(at: row * hidden, rows: length, columns: hidden))
            texts.append(row..<row + length)
            row += length
        }
        encoder.embeddingNorm.normalise(matrix(embeddings, row))
        return texts
    }

    /// Copies each text's first row under each adapter to the input of the last layer.
    private func gatherFirst(of inputs: [MutableMatrixView], _ texts: [Range<Int>]) {
        let target = matrix(first, inputs.count * texts.count)
        for (place, input) in inputs.enumerated() {
            for (row, text) in texts.enumerated() {
                (target.base + (place * texts.count + row) * hidden).update(
                    from: input.base + text.lowerBound * hidden, count: hidden)
            }
        }
    }

    /// Applies each adapter's own classifier to the pooled first rows.
    private func classify(_ heads: ArraySlice<[DenseTensor]>, texts: Int) -> [MatrixView] {
        let all = matrix(pooled, heads.count * texts)
        weights.pooler.multiply(matrix(first, heads.count * texts).readOnly, into: all, scratch: layer.productScratch)
        for index in 0..<all.rows * hidden { all.base[index] = tanhf(all.base[index]) }
        return heads.enumerated().map { place, head in
            let target = scores.matrix(at: place * texts * classes, rows: texts, columns: classes)
            RowArithmetic.fill(target, with: UnsafeBufferPointer(head[1].tensor.values.floats))
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
    /// Like `forward`, but in place and without storing values for gradients.
    func normalise(_ values: MutableMatrixView, residual: MatrixView? = nil) {
        RowNormalisation.applyWidest(
            to: values, residual: residual, gain: gain.floats, shift: shift.floats, epsilon: epsilon)
    }
}
