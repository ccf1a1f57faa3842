import Glibc
package import LinearAlgebra
package import TrainingData

/// BERT for text classification: an encoder, a pooler on each text's first piece, and a linear classifier.
///
/// Dropout is off. A batch is divided into two workspaces with about the same number of pieces; with two threads they
/// run in parallel. All memory that depends on the batch size is allocated when the model is made.
package final class BertModel: ClassifyingModel {
    package let layers: [AdaptedLayer]
    package let dense: [DenseTensor]
    private let encoder: BertEncoder
    private let classes: Int
    private let workspaces: [BertWorkspace]
    private let parts: BatchParts
    private let lengthLimit: Int
    private let batchLimit: Int
    /// (batch × hidden): each text's first row, the pooler's output and the gradients of both.
    private let first: FloatBlock
    private let pooled: FloatBlock
    private let pooledGradient: FloatBlock
    private let firstGradient: FloatBlock
    /// (batch × classes)
    private let scores: FloatBlock
    private let scoreGradient: FloatBlock
    private let labels: UnsafeMutableBufferPointer<Int>
    private var rows = 0

    /// - Parameters:
    ///   - layers: query, key and value of every layer.
    ///   - dense: the classifier's weight and bias.
    ///   - lengthLimit: the highest number of pieces of a text that are used.
    ///   - parts: whether the workspaces are computed in parallel or in turn.
    init(
        _ encoder: BertEncoder, classes: Int, layers: [AdaptedLayer], dense: [DenseTensor], lengthLimit: Int,
        batchLimit: Int, parts: BatchParts = BatchParts(threads: 2)
    ) {
        self.encoder = encoder
        self.parts = parts
        self.classes = classes
        self.layers = layers
        self.dense = dense
        self.lengthLimit = lengthLimit
        self.batchLimit = batchLimit
        // Each text is assigned to the workspace with fewer rows, the longest text first. So a workspace has at most
        // half of all rows plus half a text.
        let rowLimit = (batchLimit + 1) * lengthLimit / 2
        workspaces = (0..<BatchParts.count).map { _ in
            BertWorkspace(encoder, layers: layers, rowLimit: rowLimit, textLimit: batchLimit, lengthLimit: lengthLimit)
        }
        let hidden = encoder.configuration.hidden
        first = FloatBlock(count: batchLimit * hidden)
        pooled = FloatBlock(count: batchLimit * hidden)
        pooledGradient = FloatBlock(count: batchLimit * hidden)
        firstGradient = FloatBlock(count: batchLimit * hidden)
        scores = FloatBlock(count: batchLimit * classes)
        scoreGradient = FloatBlock(count: batchLimit * classes)
        labels = .allocate(capacity: batchLimit)
        labels.initialize(repeating: 0)
    }

    deinit { labels.deallocate() }

    package func forward(_ examples: EncodedTexts, _ indices: ArraySlice<Int>) -> BatchResult {
        precondition(indices.count <= batchLimit && !indices.isEmpty, "a batch of \(indices.count) texts")
        rows = indices.count
        for (row, index) in indices.enumerated() { labels[row] = examples.labels[index] }
        assign(examples, indices)
        forEachWorkspace { $0.forward { examples[indices[indices.startIndex + $0]] } }
        for workspace in workspaces { workspace.scatterPooled(into: matrix(first)) }
        MatrixProduct.accumulate(
            into: matrix(pooled), matrix(first).readOnly, .asGiven, encoder.pooler.matrix, .transposed)
        for row in 0..<rows {
            let values = pooled.floats[(row * encoder.configuration.hidden)...]
            for (column, bias) in encoder.poolerBias.floats.enumerated() {
                pooled.floats[values.startIndex + column] = tanhf(values[values.startIndex + column] + bias)
            }
        }
        let scores = scores.matrix(rows: rows, columns: classes)
        RowArithmetic.fill(scores, with: UnsafeBufferPointer(bias.values.floats))
        MatrixProduct.accumulate(
            into: scores, keep: 1, matrix(pooled).readOnly, .asGiven, weight.matrix, .transposed)
        return SoftmaxLoss.compare(
            scores.readOnly, with: UnsafeBufferPointer(rebasing: labels[..<rows]),
            gradient: scoreGradient.matrix(rows: rows, columns: classes))
    }

    package func backward() {
        let gradient = scoreGradient.matrix(rows: rows, columns: classes).readOnly
        MatrixProduct.accumulate(
            into: weight.gradientMatrix, gradient, .transposed, matrix(pooled).readOnly, .asGiven)
        for column in 0..<classes {
            bias.gradient.floats[column] = (0..<rows).reduce(0) { $0 + gradient[$1, column] }
        }
        MatrixProduct.accumulate(into: matrix(pooledGradient), gradient, .asGiven, weight.matrix, .asGiven)
        for index in 0..<rows * encoder.configuration.hidden {
            let value = pooled.floats[index]
            pooledGradient.floats[index] *= 1 - value * value
        }
        MatrixProduct.accumulate(
            into: matrix(firstGradient), matrix(pooledGradient).readOnly, .asGiven, encoder.pooler.matrix, .asGiven)
        for workspace in workspaces { workspace.gatherGradient(from: matrix(firstGradient).readOnly) }
        forEachWorkspace { $0.backward() }
        for (index, workspace) in workspaces.enumerated() where !workspace.isEmpty {
            workspace.collect(isFirst: index == 0)
        }
    }

    package func logits(rows: Int) -> MatrixView { scores.matrix(rows: rows, columns: classes).readOnly }

    /// Assigns each text to the workspace with fewer pieces, longest text first.
    private func assign(_ examples: EncodedTexts, _ indices: ArraySlice<Int>) {
        for workspace in workspaces { workspace.removeTexts() }
        let texts = indices.enumerated().map { (place: $0, length: min(examples.count(of: $1), lengthLimit)) }
        for text in texts.sorted(by: { ($1.length, $0.place) < ($0.length, $1.place) }) {
            let workspace = workspaces[0].rowCount <= workspaces[1].rowCount ? workspaces[0] : workspaces[1]
            workspace.append(place: text.place, length: text.length)
        }
    }

    private func forEachWorkspace(_ body: (BertWorkspace) -> Void) { parts.perform { body(workspaces[$0]) } }

    private var weight: TrainedTensor { dense[0].tensor }
    private var bias: TrainedTensor { dense[1].tensor }

    private func matrix(_ block: FloatBlock) -> MutableMatrixView {
        block.matrix(rows: rows, columns: encoder.configuration.hidden)
    }
}
