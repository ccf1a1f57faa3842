import AdapterFormat
import LinearAlgebra

/// A part of a batch in the encoder, with its own memory. One thread works on it.
///
/// All memory is allocated at initialisation. The assignment of texts to workspaces depends only on the batch, never on
/// the machine, so that sums have the same order everywhere.
///
/// It is `@unchecked Sendable` because `BertModel` lets one thread at a time use a workspace.
final class BertWorkspace: @unchecked Sendable {
    private let encoder: BertEncoder
    private let steps: [BertLayerStep]
    /// (rows × hidden): the input of each layer, the last layer's query rows, and its output.
    private let inputs: [FloatBlock]
    private let queryRows: FloatBlock
    private let output: FloatBlock
    /// (rows × hidden): the gradient of the current layer; (texts × hidden) for the last one.
    private let gradient: FloatBlock
    private let queryGradient: FloatBlock
    private let embeddingTrace: LayerNorm.Trace
    private let rowLimit: Int
    private let lengthLimit: Int
    /// The current texts: their places in the batch, and their rows here.
    private var places: [Int] = []
    private var texts: [BertAttention.Text] = []
    private(set) var rowCount = 0

    private var configuration: BertConfiguration { encoder.configuration }

    init(_ encoder: BertEncoder, layers: [AdaptedLayer], rowLimit: Int, textLimit: Int, lengthLimit: Int) {
        self.encoder = encoder
        self.rowLimit = rowLimit
        self.lengthLimit = lengthLimit
        let configuration = encoder.configuration
        let scratch = BertLayerStep.Scratch(rows: rowLimit, longest: lengthLimit, configuration)
        let last = configuration.layers - 1
        steps = encoder.layers.enumerated().map { index, weights in
            BertLayerStep(
                weights, layers[3 * index..<3 * index + 3], configuration: configuration, scratch: scratch,
                rowLimit: rowLimit,
                queryRowLimit: index == last ? textLimit : rowLimit,
                attentionLimit: index == last ? rowLimit : rowLimit * lengthLimit)
        }
        inputs = steps.map { _ in FloatBlock(count: rowLimit * configuration.hidden) }
        queryRows = FloatBlock(count: textLimit * configuration.hidden)
        output = FloatBlock(count: textLimit * configuration.hidden)
        gradient = FloatBlock(count: rowLimit * configuration.hidden)
        queryGradient = FloatBlock(count: textLimit * configuration.hidden)
        embeddingTrace = LayerNorm.Trace(rows: rowLimit, width: configuration.hidden)
    }

    var isEmpty: Bool { texts.isEmpty }

    func removeTexts() {
        places.removeAll(keepingCapacity: true)
        texts.removeAll(keepingCapacity: true)
        rowCount = 0
    }

    func append(place: Int, length: Int) {
        precondition(rowCount + length <= rowLimit && length <= lengthLimit, "a workspace of \(rowCount + length) rows")
        places.append(place)
        texts.append(.init(queries: rowCount..<rowCount + length, keys: rowCount..<rowCount + length))
        rowCount += length
    }

    /// Copies each text's first row of the encoder's output to its place in `batch` (texts of the batch × hidden).
    func scatterPooled(into batch: MutableMatrixView) {
        for (row, place) in places.enumerated() {
            (batch.base + place * batch.stride).update(
                from: pooled.base + row * configuration.hidden, count: configuration.hidden)
        }
    }

    /// Copies the gradient of each text's first row from its place in `batch`, for `backward`.
    func gatherGradient(from batch: MatrixView) {
        for (row, place) in places.enumerated() {
            (pooledGradient.base + row * configuration.hidden).update(
                from: batch.base + place * batch.stride, count: configuration.hidden)
        }
    }

    /// - Parameter text: the pieces of the text at a place of the batch; at least as many as it was added with.
    func forward(_ text: (Int) -> ArraySlice<Int32>) {
        guard !texts.isEmpty else { return }
        embed(text)
        for (index, step) in steps.enumerated() {
            let input = input(of: index).readOnly
            if index < steps.count - 1 {
                step.forward(texts, input, queryRows: input, into: self.input(of: index + 1))
            } else {
                let queryRows = queryRows.matrix(rows: texts.count, columns: configuration.hidden)
                for (row, text) in texts.enumerated() {
                    (queryRows.base + row * queryRows.stride).update(
                        from: input.base + text.keys.lowerBound * input.stride, count: configuration.hidden)
                }
                step.forward(firstRows, input, queryRows: queryRows.readOnly, into: pooled)
            }
        }
    }

    /// Computes this workspace's part of all gradients, down to the lowest adapted layer.
    func backward() {
        guard !texts.isEmpty, let lowest = steps.firstIndex(where: \.isAdapted) else { return }
        let last = steps.count - 1
        let inputGradient = gradient.matrix(rows: rowCount, columns: configuration.hidden)
        for (index, step) in steps.enumerated().reversed() where index >= lowest {
            let input = input(of: index).readOnly
            guard index == last else {
                step.backward(
                    texts, input, queryRows: input, gradient: inputGradient,
                    addingTo: index > lowest ? (inputGradient, inputGradient) : nil)
                continue
            }
            gradient.floats[..<(rowCount * configuration.hidden)].update(repeating: 0)
            step.backward(
                firstRows, input,
                queryRows: queryRows.matrix(rows: texts.count, columns: configuration.hidden).readOnly,
                gradient: pooledGradient, addingTo: index > lowest ? (pooledGradient, inputGradient) : nil)
            for (row, text) in texts.enumerated() {
                let source = pooledGradient.base + row * configuration.hidden
                let target = inputGradient.base + text.keys.lowerBound * configuration.hidden
                for column in 0..<configuration.hidden { target[column] += source[column] }
            }
        }
    }

    /// Adds this workspace's gradients to the model's; the first workspace replaces them.
    func collect(isFirst: Bool) {
        for step in steps {
            for projection in step.projections { projection.collect(isFirst: isFirst) }
        }
    }

    /// (texts × hidden), in the order of `places`.
    private var pooled: MutableMatrixView { output.matrix(rows: texts.count, columns: configuration.hidden) }
    private var pooledGradient: MutableMatrixView {
        queryGradient.matrix(rows: texts.count, columns: configuration.hidden)
    }

    private func input(of layer: Int) -> MutableMatrixView {
        inputs[layer].matrix(rows: rowCount, columns: configuration.hidden)
    }

    /// The texts in the last layer, where each has a query for one row.
    private var firstRows: [BertAttention.Text] {
        texts.enumerated().map { row, text in .init(queries: row..<row + 1, keys: text.keys) }
    }

    /// Writes the normalised sums of piece and position embeddings to the first layer's input.
    private func embed(_ text: (Int) -> ArraySlice<Int32>) {
        let target = input(of: 0)
        for (place, rows) in zip(places, texts) {
            encoder.sumEmbeddings(
                text(place), length: rows.keys.count,
                into: inputs[0].matrix(
                    at: rows.keys.lowerBound * configuration.hidden, rows: rows.keys.count,
                    columns: configuration.hidden))
        }
        encoder.embeddingNorm.forward(target.readOnly, into: target, trace: embeddingTrace)
    }
}
