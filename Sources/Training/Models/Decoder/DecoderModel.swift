import LinearAlgebra
import ModelFiles
package import TrainingData

/// A decoder that predicts each token from those before it, with LoRA on its linear layers.
///
/// The sequences of a batch are computed together, one behind the other: no row is padding. Of each layer the input is
/// kept, and its activations are computed again for the gradients, except in the highest layers, where memory allows it.
/// The loss is the mean over the counted tokens of the batch, as in transformers. There is no dropout.
package final class DecoderModel: TokenPredictingModel {
    package let layers: [AdaptedLayer]
    package var dense: [DenseTensor] { [] }
    private let weights: DecoderWeights
    private let steps: [DecoderLayerStep]
    private let products: WidenedProducts
    private let loss: VocabularyLoss
    private let workspace: DecoderWorkspace
    private let lengthLimit: Int
    /// The lowest layer with an adapter that is trained; nil where none has one.
    private let lowest: Int?
    /// (rows × hidden), for as many rows as the loss takes at a time: the highest layer's outputs, normalised, and their
    /// gradients.
    private let outputs: FloatBlock
    private let normed: FloatBlock
    private let slopes: FloatBlock
    private let sums: FloatBlock

    private var configuration: ModelConfiguration { weights.configuration }

    /// - Parameters:
    ///   - layers: the projections of every layer, in the order of the weights.
    ///   - lengthLimit: the highest number of tokens of a sequence that are used.
    ///   - keptLayers: the number of the highest layers whose activations are kept for the gradients.
    ///   - logitRows: the most rows whose logits exist at a time; nil for what is fastest.
    ///   - threads: the number of threads; the bytes are the same with any.
    init(
        _ weights: DecoderWeights, layers: [AdaptedLayer], lengthLimit: Int, keptLayers: Int, logitRows: Int?,
        threads: Int
    ) {
        self.weights = weights
        self.layers = layers
        self.lengthLimit = lengthLimit
        let units = WorkUnits(threads: threads)
        let projections = zip(layers, weights.layers.flatMap(\.projections)).map(DecoderProjection.init)
        products = WidenedProducts(projections, units: units)
        let configuration = weights.configuration
        steps = DecoderLayerStep.all(weights, projections, products, positions: lengthLimit)
        lowest = steps.firstIndex(where: \.isTrained)
        loss = VocabularyLoss(weights.head, rowLimit: logitRows, units: units)
        workspace = DecoderWorkspace(
            configuration, steps.map { .init($0.projections.map(\.layer)) }, keptLayers: keptLayers,
            threads: units.threads)
        let count = loss.rowLimit * configuration.hidden
        outputs = FloatBlock(count: count)
        normed = FloatBlock(count: count)
        slopes = FloatBlock(count: count)
        sums = FloatBlock(count: count)
    }

    package func forward(_ examples: TokenSequences, _ indices: ArraySlice<Int>) -> BatchResult {
        run(examples, indices, preparesGradients: true)
    }

    package func score(_ examples: TokenSequences, _ indices: ArraySlice<Int>) -> BatchResult {
        run(examples, indices, preparesGradients: false)
    }

    package func backward() {
        guard let lowest else { return }
        let gradient = workspace.gradient.matrix(rows: workspace.rows, columns: configuration.hidden)
        for index in (lowest..<steps.count).reversed() {
            let input = workspace.input(place(index)).readOnly
            let activations = workspace.activations(of: index)
            // What the highest layer left is still there.
            if !workspace.isKept(index), index < steps.count - 1 {
                steps[index].forward(workspace, input, into: nil, activations)
            }
            steps[index].backward(
                workspace, input, gradient: gradient, activations, isInputNeeded: index > lowest)
        }
    }

    /// The logits after each token of one sequence: (tokens × vocabulary).
    ///
    /// - Precondition: there are 1 to `lengthLimit` tokens of the vocabulary.
    package func logits(of tokens: [Int32]) -> [Float] {
        workspace.begin([tokens.count])
        products.reserve(rows: tokens.count)
        embed([tokens[...]])
        let output = computeLayers(keepsInputs: false).readOnly
        var logits: [Float] = []
        logits.reserveCapacity(tokens.count * configuration.vocabulary)
        for first in stride(from: 0, to: tokens.count, by: loss.rowLimit) {
            let rows = Array(first..<min(first + loss.rowLimit, tokens.count))
            let part = loss.multiply(normalise(rows[...], of: output))
            logits.append(contentsOf: UnsafeBufferPointer(start: part.base, count: part.rows * part.columns))
        }
        return logits
    }

    private func run(
        _ examples: TokenSequences, _ indices: ArraySlice<Int>, preparesGradients: Bool
    ) -> BatchResult {
        let texts = indices.map { examples.tokens(of: $0).prefix(lengthLimit) }
        workspace.begin(texts.map(\.count))
        products.reserve(rows: workspace.rows)
        embed(texts)
        let output = computeLayers(keepsInputs: preparesGradients)
        // The rows before counted tokens, and these tokens.
        var (rows, targets): ([Int], [Int32]) = ([], [])
        for (place, index) in indices.enumerated() {
            let (text, isCounted, first) = (
                texts[place], examples.isCounted(of: index), workspace.sequences[place].lowerBound
            )
            for offset in 1..<max(1, text.count) where isCounted[isCounted.startIndex + offset] {
                rows.append(first + offset - 1)
                targets.append(text[text.startIndex + offset])
            }
        }
        if preparesGradients {
            workspace.reserveGradients()
            workspace.gradient.floats.update(repeating: 0)
        }
        var sum = VocabularyLoss.Sum()
        for first in stride(from: 0, to: rows.count, by: loss.rowLimit) {
            let range = first..<min(first + loss.rowLimit, rows.count)
            let part = compare(
                rows[range], targets[range], of: output.readOnly, weight: 1 / Float(rows.count),
                preparesGradients: preparesGradients)
            sum.loss += part.loss
            sum.correct += part.correct
        }
        return BatchResult(loss: sum.loss, correct: sum.correct, count: rows.count)
    }

    /// The loss of some rows; their gradient is written to the workspace's.
    private func compare(
        _ rows: ArraySlice<Int>, _ targets: ArraySlice<Int32>, of output: MatrixView, weight: Float,
        preparesGradients: Bool
    ) -> VocabularyLoss.Sum {
        let hidden = configuration.hidden
        let slopes = slopes.matrix(rows: rows.count, columns: hidden)
        let result = loss.compare(
            normalise(rows, of: output), with: targets, weight: weight, gradient: preparesGradients ? slopes : nil)
        guard preparesGradients else { return result }
        sums.floats[..<(rows.count * hidden)].update(repeating: 0)
        let sums = sums.matrix(rows: rows.count, columns: hidden)
        weights.finalNorm.backward(
            slopes, input: outputs.matrix(rows: rows.count, columns: hidden).readOnly, addingTo: sums)
        guard let gradient = workspace.gradient.floats.baseAddress else { return result }
        for (index, row) in rows.enumerated() {
            (gradient + row * hidden).update(from: sums.base + index * hidden, count: hidden)
        }
        return result
    }

    /// Gathers rows of the highest layer's output, and returns them normalised.
    private func normalise(_ rows: ArraySlice<Int>, of output: MatrixView) -> MatrixView {
        let gathered = outputs.matrix(rows: rows.count, columns: configuration.hidden)
        for (index, row) in rows.enumerated() {
            (gathered.base + index * gathered.stride).update(
                from: output.base + row * output.stride, count: output.columns)
        }
        let normed = normed.matrix(rows: rows.count, columns: configuration.hidden)
        weights.finalNorm.forward(gathered.readOnly, into: normed)
        return normed.readOnly
    }

    /// Writes the embeddings of a batch to the lowest layer's input.
    private func embed(_ texts: [ArraySlice<Int32>]) {
        weights.embed(texts.flatMap(Array.init), positions: workspace.positions, workspace.block(place(0)))
    }

    /// Computes all layers and returns the highest one's output.
    ///
    /// - Parameter keepsInputs: whether the inputs of adapted layers stay for `backward`.
    private func computeLayers(keepsInputs: Bool) -> MutableMatrixView {
        for (index, step) in steps.enumerated() {
            step.forward(
                workspace, workspace.input(keepsInputs ? place(index) : index % 2).readOnly,
                into: workspace.input(keepsInputs ? place(index + 1) : (index + 1) % 2),
                workspace.activations(of: keepsInputs ? index : 0))
        }
        return workspace.input(keepsInputs ? place(steps.count) : steps.count % 2)
    }

    /// Where a layer's input lies. Below the lowest adapted layer, two places are used in turn.
    private func place(_ layer: Int) -> Int {
        guard let lowest, layer >= lowest else { return layer % 2 }
        return layer
    }
}
