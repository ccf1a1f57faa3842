import AdapterFormat
import LinearAlgebra
package import TrainingData

/// A BERT encoder with a classifier on its pooled first piece: transformers' `BertForSequenceClassification`.
///
/// LoRA is applied to query, key and value of every layer, under PEFT's names. The classifier is trained in full.
package struct BertBase: FrozenModel {
    package let encoder: BertEncoder
    package let classes: Int
    package var threads = 2

    static let weightName = "classifier.weight"
    static let biasName = "classifier.bias"

    /// - Parameter classes: the number of the classifier's classes.
    package init(_ encoder: BertEncoder, classes: Int) throws(TrainingError) {
        guard (2...DataSet.labelLimit).contains(classes) else {
            throw .model(Self.weightName, reason: "it has \(classes) classes; expected 2 to \(DataSet.labelLimit)")
        }
        self.encoder = encoder
        self.classes = classes
    }

    /// - Parameter dense: the shapes of the tensors that a federation trains in full, which are the classifier's.
    package init(_ encoder: BertEncoder, dense: [String: [Int]]) throws(TrainingError) {
        guard let classes = dense[Self.weightName]?.first else {
            throw .model(Self.weightName, reason: "it is not among the dense tensors; it is the classifier")
        }
        try self.init(encoder, classes: classes)
        for (name, shape) in self.dense where dense[name] != shape {
            throw .model(
                name, reason: "its shape is \(dense[name].map { "\($0)" } ?? "missing"); the model has \(shape)")
        }
    }

    /// Query, key and value of the first layer, of the second, and so on.
    package var layers: [FrozenLayer] { encoder.projections }

    package var blocks: [Range<Int>] { (0..<layers.count / 3).map { 3 * $0..<3 * $0 + 3 } }

    package var usualLayers: [FrozenLayer] { layers.filter { !$0.name.hasSuffix(".key") } }

    package var dense: [(name: String, shape: [Int])] {
        [(Self.weightName, [classes, encoder.configuration.hidden]), (Self.biasName, [classes])]
    }

    package func ownDense(_ name: String) -> (shape: [Int], values: [Float])? {
        encoder.head[name].map { ($0.shape, $0.floats()) }
    }

    package var settingNames: Set<String> { ["max_length"] }

    /// Equal to the size for which one training step has memory.
    package var scoringBatch: Int { 16 }

    package var tensors: [(name: String, tensor: FrozenTensor)] { encoder.tensors }

    package func examples(path: String) throws -> EncodedTexts { try encoder.examples(path: path) }

    package func check(_ examples: EncodedTexts) throws(TrainingError) {
        guard examples.largestPiece < encoder.configuration.vocabulary else {
            throw .data(
                reason: "a text has piece \(examples.largestPiece); the model has \(encoder.configuration.vocabulary)")
        }
    }

    package func model(
        _ layers: [AdaptedLayer], dense: [DenseTensor], settings: TrainingSettings, batchLimit: Int
    ) throws(TrainingError) -> BertModel {
        try check(dense)
        guard layers.allSatisfy({ $0.sparse == nil }) else {
            throw .setting("stage", expected: "null for a BERT model", found: "a sparse stage")
        }
        return BertModel(
            encoder, classes: classes, layers: layers, dense: dense, lengthLimit: try lengthLimit(settings),
            batchLimit: batchLimit, parts: BatchParts(threads: threads))
    }

    /// Few texts, because they pass each layer under all adapters before the next layer begins.
    package func scoringBatch(adapters: Int) -> Int { adapters < 8 ? 4 : 1 }

    package func scorers(
        _ count: Int, _ adapted: [[AdaptedLayer]], dense: [[DenseTensor]], settings: TrainingSettings, batchLimit: Int
    ) throws(TrainingError) -> [any AdapterScorer<EncodedTexts>]? {
        for head in dense { try check(head) }
        let weights = BertScoringWeights(encoder, adapted: adapted[0], parts: BatchParts(threads: count))
        let factors = adapted.map { $0.map(BertScoringFactors.init) }
        let length = try lengthLimit(settings)
        return (0..<count).map { _ in
            BertScorer(
                encoder, weights: weights, adapters: factors, heads: dense, classes: classes, lengthLimit: length,
                textLimit: batchLimit)
        }
    }

    private func check(_ dense: [DenseTensor]) throws(TrainingError) {
        guard dense.count == 2 else {
            throw .model(Self.weightName, reason: "the adapter lacks it or \(Self.biasName), the classifier")
        }
    }

    /// The highest number of pieces of a text that are used.
    private func lengthLimit(_ settings: TrainingSettings) throws(TrainingError) -> Int {
        let positions = encoder.configuration.positions
        return try settings.count("max_length", in: 2...positions, default: min(128, positions))
    }
}
