import AdapterFormat
import LinearAlgebra

/// A BERT encoder with a classifier on its pooled first piece, from a folder of `config.json`, `model.safetensors` and
/// `vocab.txt`.
///
/// LoRA goes on the query, key and value of every layer, under the names that PEFT has for transformers'
/// `BertForSequenceClassification`; the classifier is trained in full.
package struct BertBase: FrozenModel {
    /// The weights of one encoder layer that nothing adapts.
    struct Layer: Sendable {
        /// Of query, key and value.
        let biases: [FrozenTensor]
        /// (hidden × hidden)
        let joined: FrozenTensor
        let joinedBias: FrozenTensor
        let attentionNorm: LayerNorm
        /// (intermediate × hidden)
        let widened: FrozenTensor
        let widenedBias: FrozenTensor
        /// (hidden × intermediate)
        let narrowed: FrozenTensor
        let narrowedBias: FrozenTensor
        let outputNorm: LayerNorm
    }

    package let configuration: BertConfiguration
    package let classes: Int
    /// Query, key and value of the first layer, of the second, and so on.
    package let layers: [FrozenLayer]
    let encoder: [Layer]
    /// (vocabulary × hidden), left in its file: few of its rows are used at a time.
    let words: TensorView
    /// (positions × hidden): each position's part of the embedding, the first segment's included.
    let positions: FrozenTensor
    let embeddingNorm: LayerNorm
    /// (hidden × hidden)
    let pooler: FrozenTensor
    let poolerBias: FrozenTensor
    private let tokenizer: WordPieceTokenizer

    static let weightName = "classifier.weight"
    static let biasName = "classifier.bias"

    /// - Parameters:
    ///   - folder: as `save_pretrained` of transformers leaves it.
    ///   - classes: how many the classifier tells apart.
    package init(folder: String, classes: Int) throws(TrainingError) {
        guard (2...DataSet.labelLimit).contains(classes) else {
            throw .model(folder, reason: "\(classes) classes; expected 2 to \(DataSet.labelLimit)")
        }
        let configFile = folder + "/config.json"
        let json: [UInt8]
        do throws(DataSetError) { json = try FileContents.read(configFile) } catch {
            throw .model(folder, reason: "\(error)")
        }
        let configuration = try BertConfiguration(json: json, file: configFile)
        let vocabulary: WordPieceVocabulary
        do throws(TextError) { vocabulary = try WordPieceVocabulary(path: folder + "/vocab.txt") } catch {
            throw .model(folder, reason: "\(error)")
        }
        guard vocabulary.count <= configuration.vocabulary else {
            throw .model(
                folder, reason: "vocab.txt has \(vocabulary.count) pieces, the model \(configuration.vocabulary)")
        }
        let weights = try BertWeights(path: folder + "/model.safetensors", configuration)
        self.configuration = configuration
        self.classes = classes
        tokenizer = WordPieceTokenizer(vocabulary: vocabulary, isUncased: try Self.isUncased(folder))
        words = try weights.view("embeddings.word_embeddings.weight", [configuration.vocabulary, configuration.hidden])
        positions = try weights.positions()
        embeddingNorm = try weights.norm("embeddings.LayerNorm")
        pooler = try weights.tensor("pooler.dense.weight", [configuration.hidden, configuration.hidden])
        poolerBias = try weights.tensor("pooler.dense.bias", [configuration.hidden])
        var layers: [FrozenLayer] = []
        var encoder: [Layer] = []
        for index in 0..<configuration.layers {
            layers.append(contentsOf: try weights.projections(ofLayer: index))
            encoder.append(try weights.layer(index))
        }
        self.layers = layers
        self.encoder = encoder
    }

    package var dense: [(name: String, shape: [Int])] {
        [(Self.weightName, [classes, configuration.hidden]), (Self.biasName, [classes])]
    }

    /// Under the names of `BertForSequenceClassification`; the first segment's embedding is part of the positions'.
    package var tensors: [(name: String, tensor: FrozenTensor)] {
        var tensors = [
            ("bert.embeddings.word_embeddings.weight", FrozenTensor(shape: words.shape, words.floats())),
            ("bert.embeddings.position_embeddings.weight", positions),
            ("bert.embeddings.LayerNorm.weight", embeddingNorm.gain),
            ("bert.embeddings.LayerNorm.bias", embeddingNorm.shift),
        ]
        for (index, layer) in encoder.enumerated() {
            let prefix = "bert.encoder.layer.\(index)."
            for part in 0..<3 {
                let projection = layers[3 * index + part]
                tensors.append((projection.name + ".weight", projection.weight))
                tensors.append((projection.name + ".bias", layer.biases[part]))
            }
            tensors += [
                (prefix + "attention.output.dense.weight", layer.joined),
                (prefix + "attention.output.dense.bias", layer.joinedBias),
                (prefix + "attention.output.LayerNorm.weight", layer.attentionNorm.gain),
                (prefix + "attention.output.LayerNorm.bias", layer.attentionNorm.shift),
                (prefix + "intermediate.dense.weight", layer.widened),
                (prefix + "intermediate.dense.bias", layer.widenedBias),
                (prefix + "output.dense.weight", layer.narrowed), (prefix + "output.dense.bias", layer.narrowedBias),
                (prefix + "output.LayerNorm.weight", layer.outputNorm.gain),
                (prefix + "output.LayerNorm.bias", layer.outputNorm.shift),
            ]
        }
        return tensors + [("bert.pooler.dense.weight", pooler), ("bert.pooler.dense.bias", poolerBias)]
    }

    /// What every text ends with.
    var separator: Int32 { tokenizer.vocabulary.separator }

    /// Reads texts; what is behind the last position that the model knows is cut off.
    package func examples(path: String) throws -> EncodedTexts {
        EncodedTexts(try TextSet(path: path), tokenizer: tokenizer, limit: configuration.positions)
    }

    package func check(_ examples: EncodedTexts) throws(TrainingError) {
        guard examples.largestPiece < configuration.vocabulary else {
            throw .data(
                reason: "a text has piece \(examples.largestPiece); the model has \(configuration.vocabulary)")
        }
    }

    package func model(
        _ layers: [AdaptedLayer], dense: [DenseTensor], settings: TrainingSettings, batchLimit: Int
    ) throws(TrainingError) -> BertModel {
        let length = try settings.count(
            "max_length", in: 2...configuration.positions, default: min(128, configuration.positions))
        guard dense.count == 2 else {
            throw .model(Self.weightName, reason: "the adapter lacks it or \(Self.biasName), the classifier")
        }
        guard layers.allSatisfy({ $0.sparse == nil }) else {
            throw .setting("stage", expected: "null for a BERT model", found: "a sparse stage")
        }
        return BertModel(self, layers: layers, dense: dense, lengthLimit: length, batchLimit: batchLimit)
    }

    /// Whether `tokenizer_config.json`, where there is one, says that letters are lower-cased.
    private static func isUncased(_ folder: String) throws(TrainingError) -> Bool {
        let path = folder + "/tokenizer_config.json"
        guard let json = try? FileContents.read(path) else { return true }
        return try BertTokenizerSettings(json: json, file: path).isUncased
    }
}
