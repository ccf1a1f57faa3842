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
    /// The number of adapters that are scored together.
    private let adapters: Int
    /// The outputs of the layers below `lowest`, in a file.
    private let trunk: TrunkCache?
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
    ///   - others: the same under further adapters, none of which has magnitudes. Then the model scores and does not train.
    ///   - lengthLimit: the highest number of tokens of a sequence that are used.
    ///   - keptLayers: the number of the highest layers whose activations are kept for the gradients.
    ///   - logitRows: the most rows whose logits exist at a time; nil for what is fastest.
    ///   - precision: of the products by the frozen matrices.
    ///   - trunk: keeps the outputs of the blocks below the lowest trained one; nil where they are computed each time.
    ///   - threads: the number of threads; the bytes are the same with any.
    init(
        _ weights: DecoderWeights, layers: [AdaptedLayer], others: [[AdaptedLayer]] = [], lengthLimit: Int,
        keptLayers: Int, logitRows: Int?,
        precision: ProductPrecision, trunk: TrunkCache? = nil, threads: Int
    ) {
        self.weights = weights
        self.layers = layers
        self.lengthLimit = lengthLimit
        let units = WorkUnits(threads: threads)
        adapters = 1 + others.count
        self.trunk = trunk
        let projections = zip(layers.indices, weights.layers.flatMap(\.projections)).map { index, weights in
            DecoderProjection(layers[index], others: others.map { $0[index].lora }, weights)
        }
        products = WidenedProducts(projections, precision: precision, units: units)
        let configuration = weights.configuration
        steps = DecoderLayerStep.all(weights, projections, products, positions: lengthLimit)
        lowest = steps.firstIndex(where: \.isTrained)
        loss = VocabularyLoss(weights.head, rowLimit: logitRows, precision: precision, units: units)
        workspace = DecoderWorkspace(
            configuration, steps.map { .init($0.projections) }, keptLayers: keptLayers,
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
        let output = computeLayers(of: [tokens[...]], keepsInputs: false).readOnly
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
        let output = computeLayers(of: texts, keepsInputs: preparesGradients)
        let (rows, targets, _) = predictions(texts, indices.map { examples.isCounted(of: $0) })
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

    /// The rows before counted tokens, these tokens, and the places of their texts.
    private func predictions(
        _ texts: [ArraySlice<Int32>], _ isCounted: [ArraySlice<Bool>]
    ) -> (rows: [Int], targets: [Int32], texts: [Int]) {
        var (rows, targets, places): ([Int], [Int32], [Int]) = ([], [], [])
        for (place, text) in texts.enumerated() {
            let (isCounted, first) = (isCounted[place], workspace.sequences[place].lowerBound)
            for offset in 1..<max(1, text.count) where isCounted[isCounted.startIndex + offset] {
                rows.append(first + offset - 1)
                targets.append(text[text.startIndex + offset])
                places.append(place)
            }
        }
        return (rows, targets, places)
    }

    package func results(_ examples: TokenSequences, _ indices: ArraySlice<Int>) -> [[BatchResult]] {
        let texts = indices.map { examples.tokens(of: $0).prefix(lengthLimit) }
        let all = (0..<adapters).flatMap { _ in texts }
        workspace.begin(all.map(\.count))
        products.reserve(rows: workspace.rows)
        let output = computeLayers(of: all, keepsInputs: false)
        let (rows, targets, places) = predictions(
            all, (0..<adapters).flatMap { _ in indices.map { examples.isCounted(of: $0) } })
        var results = Array(repeating: BatchResult(), count: all.count)
        for first in stride(from: 0, to: rows.count, by: loss.rowLimit) {
            let range = first..<min(first + loss.rowLimit, rows.count)
            _ = compare(rows[range], targets[range], of: output.readOnly, weight: 1, preparesGradients: false)
            for (row, place) in zip(loss.rowResults, places[range]) {
                results[place] += BatchResult(loss: row.loss, correct: row.correct, count: 1)
            }
        }
        return (0..<adapters).map { Array(results[$0 * texts.count..<($0 + 1) * texts.count]) }
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

    /// Computes all layers for a batch and returns the highest one's output.
    ///
    /// - Parameter keepsInputs: whether the inputs of adapted layers stay for `backward`.
    private func computeLayers(of texts: [ArraySlice<Int32>], keepsInputs: Bool) -> MutableMatrixView {
        func input(_ layer: Int) -> Int { keepsInputs ? place(layer) : layer % 2 }
        func compute(_ layers: Range<Int>) {
            for index in layers {
                steps[index].forward(
                    workspace, workspace.input(input(index)).readOnly, into: workspace.input(input(index + 1)),
                    workspace.activations(of: keepsInputs ? index : 0))
            }
        }
        func embed() {
            weights.embed(texts.flatMap(Array.init), positions: workspace.positions, workspace.block(input(0)))
        }
        guard let trunk, let lowest else {
            embed()
            compute(0..<steps.count)
            return workspace.input(input(steps.count))
        }
        let outputs = workspace.block(input(lowest)).floats
        let rows = workspace.sequences.map {
            $0.lowerBound * configuration.hidden..<$0.upperBound * configuration.hidden
        }
        let isKnown = zip(texts, rows).allSatisfy { text, rows in
            trunk.read(Array(text), into: UnsafeMutableBufferPointer(rebasing: outputs[rows]))
        }
        if !isKnown {
            embed()
            compute(0..<lowest)
            for (text, rows) in zip(texts, rows) {
                trunk.add(Array(text), UnsafeBufferPointer(rebasing: outputs[rows]))
            }
        }
        compute(lowest..<steps.count)
        return workspace.input(input(steps.count))
    }

    /// Where a layer's input lies. Below the lowest adapted layer, two places are used in turn.
    private func place(_ layer: Int) -> Int {
        guard let lowest, layer >= lowest else { return layer % 2 }
        return layer
    }
}
