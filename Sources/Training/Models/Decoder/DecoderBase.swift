import AdapterFormat
import LinearAlgebra
package import ModelFiles
package import TrainingData

/// A causal language model of the Llama, Qwen or GPT-2 family, from its files.
///
/// LoRA adapts any linear layer, under PEFT's names for transformers' models. The matrices stay in their file, quantised as
/// they are; a merge stays a low-rank product beside its matrix.
package struct DecoderBase: FrozenModel {
    package let configuration: ModelConfiguration
    private let weights: DecoderWeights
    private let file: ModelFile
    package let layers: [FrozenLayer]
    package var threads = 2
    /// The number of the highest layers whose activations are kept for the gradients. They cost memory and save time; the
    /// bytes of the result are the same.
    package var keptLayers = 0

    package init(_ file: ModelFile) throws(TrainingError) {
        self.file = file
        configuration = file.configuration
        weights = try DecoderWeights(file)
        layers = weights.layers.flatMap { $0.projections.map(\.layer) }
    }

    package var dense: [(name: String, shape: [Int])] { [] }
    package var classes: Int { 1 }
    package var scoringBatch: Int { 4 }

    /// Every weight of the model, widened.
    package var tensors: [(name: String, tensor: FrozenTensor)] {
        configuration.tensors.compactMap { name, shape in
            file.tensor(name).map { (name, FrozenTensor(shape: shape, $0.floats())) }
        }
    }

    package func examples(path: String) throws -> TokenSequences {
        throw TrainingError.data(reason: "no reader of texts")
    }

    package func check(_ examples: TokenSequences) throws(TrainingError) {
        let range = examples.lowestToken...examples.highestToken
        guard range.lowerBound >= 0, range.upperBound < configuration.vocabulary else {
            throw .data(reason: "a text has tokens from \(range); the model has \(configuration.vocabulary)")
        }
    }

    package func model(
        _ layers: [AdaptedLayer], dense: [DenseTensor], settings: TrainingSettings, batchLimit: Int
    ) throws(TrainingError) -> DecoderModel {
        guard layers.allSatisfy({ $0.sparse == nil }) else {
            throw .setting("stage", expected: "null for a language model", found: "a sparse stage")
        }
        return DecoderModel(
            weights, layers: layers, lengthLimit: try lengthLimit(settings), keptLayers: keptLayers, threads: threads)
    }

    /// The highest number of tokens of a text that are used.
    private func lengthLimit(_ settings: TrainingSettings) throws(TrainingError) -> Int {
        let positions = configuration.positions
        return try settings.count("max_length", in: 2...positions, default: min(512, positions))
    }

    /// The operations of one step whose activations are all kept; the recomputation of the others is left out, because it is
    /// no part of the result.
    package func stepOperations(ranks: [Int], batch: Int, length: Int) -> Double {
        let rows = batch * length
        var sum = 0.0
        for (layer, rank) in zip(layers, ranks) {
            // Forward, and the gradient of the input; the factors forward, and three products for their gradients.
            sum += 2 * MatrixProduct.operations(rows, layer.inputs, layer.outputs)
            sum += 3 * MatrixProduct.operations(rows, layer.inputs + layer.outputs, rank)
        }
        // Two products forward and four for the gradients; half of the weights are masked.
        sum += 3 * Double(configuration.layers) * MatrixProduct.operations(rows, length, configuration.queryWidth)
        return sum + 2 * MatrixProduct.operations(rows, configuration.hidden, configuration.vocabulary)
    }
}
