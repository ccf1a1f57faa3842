import LinearAlgebra

/// Attention within each text, head by head.
///
/// Texts of different lengths are stored one after the other, so no row is padding and no mask is needed.
final class BertAttention {
    /// The rows of one text: those of its queries, and those of its keys and values.
    struct Text {
        let queries: Range<Int>
        let keys: Range<Int>
    }

    private let heads: Int
    private let headWidth: Int
    /// For each head, one text after the other (queries × keys): the softmax of the scaled scores.
    private let attentionWeights: FloatBlock
    /// (queries × keys): the gradient of one head's attention weights.
    private let gradient: FloatBlock

    /// - Parameters:
    ///   - attentionLimit: the highest count of numbers in the attention weights of all texts of a batch.
    ///   - gradient: scratch memory for one head's attention weights of the longest text; used only while a gradient
    ///     is computed.
    init(heads: Int, headWidth: Int, attentionLimit: Int, gradient: FloatBlock) {
        self.heads = heads
        self.headWidth = headWidth
        attentionWeights = FloatBlock(count: attentionLimit)
        self.gradient = gradient
    }

    /// context ← softmax(q·kᵀ/√width)·v, where all are (rows × hidden) and each head has its own columns.
    func forward(
        _ texts: [Text], query: MatrixView, key: MatrixView, value: MatrixView, context: MutableMatrixView
    ) {
        let scale = 1 / Float(headWidth).squareRoot()
        forEachHead(texts) { text, columns, attentionWeights in
            MatrixProduct.accumulate(
                into: attentionWeights, scale: scale, query.block(text.queries, columns), .asGiven,
                key.block(text.keys, columns), .transposed)
            Softmax.apply(to: attentionWeights)
            MatrixProduct.accumulate(
                into: context.block(text.queries, columns), attentionWeights.readOnly, .asGiven,
                value.block(text.keys, columns), .asGiven)
        }
    }

    /// Computes the gradients of query, key and value from the context's gradient, where they are needed.
    func backward(
        _ texts: [Text], context: MatrixView, query: MatrixView, key: MatrixView, value: MatrixView,
        into gradients: (query: MutableMatrixView?, key: MutableMatrixView?, value: MutableMatrixView?)
    ) {
        let scale = 1 / Float(headWidth).squareRoot()
        forEachHead(texts) { text, columns, attentionWeights in
            let outer = context.block(text.queries, columns)
            if let target = gradients.value {
                MatrixProduct.accumulate(
                    into: target.block(text.keys, columns), attentionWeights.readOnly, .transposed, outer, .asGiven)
            }
            guard gradients.query != nil || gradients.key != nil else { return }
            let inner = gradient.matrix(rows: attentionWeights.rows, columns: attentionWeights.columns)
            MatrixProduct.accumulate(into: inner, outer, .asGiven, value.block(text.keys, columns), .transposed)
            Softmax.propagate(inner, of: attentionWeights.readOnly)
            if let target = gradients.query {
                MatrixProduct.accumulate(
                    into: target.block(text.queries, columns), scale: scale, inner.readOnly, .asGiven,
                    key.block(text.keys, columns), .asGiven)
            }
            if let target = gradients.key {
                MatrixProduct.accumulate(
                    into: target.block(text.keys, columns), scale: scale, inner.readOnly, .transposed,
                    query.block(text.queries, columns), .asGiven)
            }
        }
    }

    private func forEachHead(_ texts: [Text], _ body: (Text, Range<Int>, MutableMatrixView) -> Void) {
        var offset = 0
        for text in texts {
            for head in 0..<heads {
                body(
                    text, head * headWidth..<(head + 1) * headWidth,
                    attentionWeights.matrix(at: offset, rows: text.queries.count, columns: text.keys.count))
                offset += text.queries.count * text.keys.count
            }
        }
    }
}
