import AdapterFormat
import LinearAlgebra
package import TrainingData

/// The frozen weights of a multilayer perceptron. The seed gives the same weights on every machine.
///
/// Weights and biases of a layer are uniform in ±1/√inputs, as `torch.nn.Linear` draws them.
package struct PerceptronBase: FrozenModel {
    package let shape: PerceptronShape
    package let layers: [FrozenLayer]
    let biases: [FrozenTensor]
    package var threads = 2

    package init(shape: PerceptronShape, seed: UInt64) {
        self.shape = shape
        layers = shape.layers.map { layer in
            FrozenLayer(
                name: layer.name,
                weight: .drawn(
                    seed: seed, layer: layer.name, part: "weight", [layer.outputs, layer.inputs], layer.inputs))
        }
        biases = shape.layers.map { layer in
            .drawn(seed: seed, layer: layer.name, part: "bias", [layer.outputs], layer.inputs)
        }
    }

    package var dense: [(name: String, shape: [Int])] { [] }
    package var classes: Int { shape.classes }
    package var features: Int? { shape.inputs }
    package var settingNames: Set<String> { TrainingSettings.featureNames }

    package var tensors: [(name: String, tensor: FrozenTensor)] {
        zip(layers, biases).flatMap { [($0.name + ".weight", $0.weight), ($0.name + ".bias", $1)] }
    }

    package func examples(path: String) throws -> DataSet { try DataSet(path: path) }

    package func check(_ examples: DataSet) throws(TrainingError) {
        guard examples.width == shape.inputs else {
            throw .data(reason: "an example has \(examples.width) features; the model takes \(shape.inputs)")
        }
    }

    package func model(
        _ layers: [AdaptedLayer], dense: [DenseTensor], settings: TrainingSettings, batchLimit: Int
    ) throws(TrainingError) -> Perceptron {
        Perceptron(
            layers, biases: biases, featureScale: try settings.featureScale, batchLimit: batchLimit,
            parts: BatchParts(threads: threads))
    }
}

extension PerceptronBase: NamedModel {
    package static var kind: String { "mlp" }
    package static var form: String { "mlp-INPUTS-…-CLASSES with widths from 1 to 1000000" }

    package init(name: String, seed: UInt64) throws(TrainingError) {
        self.init(shape: try PerceptronShape(name: name), seed: seed)
    }
}

extension PerceptronBase {
    package func scorers(
        _ count: Int, _ adapted: [[AdaptedLayer]], dense: [[DenseTensor]], settings: TrainingSettings, batchLimit: Int
    ) throws(TrainingError) -> [any AdapterScorer<DataSet>]? {
        let scale = try settings.featureScale
        return (0..<count).map { _ in
            PerceptronScorer(adapted, biases: biases, featureScale: scale, batchLimit: batchLimit)
        }
    }
}

extension FrozenTensor {
    /// Uniform in ±1/√inputs, from the seed's stream for the layer and the part.
    static func drawn(seed: UInt64, layer: String, part: String, _ shape: [Int], _ inputs: Int) -> FrozenTensor {
        let block = FloatBlock(count: shape.reduce(1, *))
        let bound = 1 / Float(inputs).squareRoot()
        var generator = SeededGenerator(seed: seed, stream: "base model", layer, part)
        for index in block.floats.indices { block.floats[index] = generator.uniform(within: bound) }
        return FrozenTensor(shape: shape, block: block)
    }
}

extension TrainingSettings {
    /// The keys of models whose examples are features.
    static let featureNames: Set<String> = ["feature_scale"]

    /// The divisor of all features, the same on every client.
    var featureScale: Float {
        get throws(TrainingError) { Float(try number("feature_scale", in: 1e-6...1e12, default: 1)) }
    }
}
