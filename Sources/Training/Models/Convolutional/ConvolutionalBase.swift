import AdapterFormat
package import TrainingData

/// The frozen weights of a convolutional net. The seed gives the same weights on every machine.
///
/// Weights and biases of a layer are uniform in ±1/√inputs, as PyTorch draws them.
package struct ConvolutionalBase: FrozenModel {
    package let shape: ConvolutionalShape
    package let layers: [FrozenLayer]
    package let biases: [FrozenTensor]
    package var threads = 2

    package init(shape: ConvolutionalShape, seed: UInt64) {
        self.shape = shape
        layers =
            shape.convolutions.map { layer in
                FrozenLayer(
                    name: layer.name, kind: .conv2d(height: layer.kernel, width: layer.kernel),
                    weight: .drawn(
                        seed: seed, layer: layer.name, part: "weight",
                        [layer.outputs, layer.channels, layer.kernel, layer.kernel], layer.inputs))
            }
            + shape.linear.map { layer in
                FrozenLayer(
                    name: layer.name,
                    weight: .drawn(
                        seed: seed, layer: layer.name, part: "weight", [layer.outputs, layer.inputs], layer.inputs))
            }
        biases = layers.map { layer in
            .drawn(seed: seed, layer: layer.name, part: "bias", [layer.outputs], layer.inputs)
        }
    }

    /// - Precondition: layers and biases match the shape.
    init(shape: ConvolutionalShape, layers: [FrozenLayer], biases: [FrozenTensor]) {
        self.shape = shape
        self.layers = layers
        self.biases = biases
    }

    package var dense: [(name: String, shape: [Int])] { [] }
    package var classes: Int { shape.classes }
    package var features: Int? { shape.inputs }
    package var settingNames: Set<String> { TrainingSettings.featureNames }
    package var tensors: [(name: String, tensor: FrozenTensor)] {
        zip(layers, biases).flatMap { [($0.name + ".weight", $0.weight), ($0.name + ".bias", $1)] }
    }
    package var splitsBatches: Bool { true }

    package func examples(path: String) throws -> DataSet { try DataSet(path: path) }

    package func check(_ examples: DataSet) throws(TrainingError) {
        guard examples.width == shape.inputs else {
            throw .data(reason: "an example has \(examples.width) features; the model takes \(shape.inputs)")
        }
    }

    package func model(
        _ layers: [AdaptedLayer], dense: [DenseTensor], settings: TrainingSettings, batchLimit: Int
    ) throws(TrainingError) -> ConvolutionalNet {
        ConvolutionalNet(
            shape, layers, biases: biases, featureScale: try settings.featureScale, batchLimit: batchLimit)
    }
}

extension ConvolutionalBase: NamedModel {
    package static var kind: String { "cnn" }
    package static var form: String {
        "cnn-HEIGHTxWIDTHxCHANNELS-CHANNELSkSIDE-…-WIDTH-…-CLASSES with odd sides up to 15"
    }

    package init(name: String, seed: UInt64) throws(TrainingError) {
        self.init(shape: try ConvolutionalShape(name: name), seed: seed)
    }
}
