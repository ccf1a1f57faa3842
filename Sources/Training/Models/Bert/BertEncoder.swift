import AdapterFormat
import LinearAlgebra
package import TrainingData

/// The frozen weights of a BERT encoder with its pooler and its tokenizer, from a folder of `config.json`,
/// `model.safetensors` and `vocab.txt`.
package struct BertEncoder: Sendable {
    /// The weights of one encoder layer that no adapter changes.
    struct Layer: Sendable {
        /// The biases of query, key and value.
        let biases: [FrozenTensor]
        /// (hidden × hidden)
        let attentionOutput: FrozenTensor
        let attentionOutputBias: FrozenTensor
        let attentionNorm: LayerNorm
        /// (intermediate × hidden)
        let intermediate: FrozenTensor
        let intermediateBias: FrozenTensor
        /// (hidden × intermediate)
        let output: FrozenTensor
        let outputBias: FrozenTensor
        let outputNorm: LayerNorm
    }

    package let configuration: BertConfiguration
    /// Query, key and value of the first layer, of the second, and so on.
    let projections: [FrozenLayer]
    let layers: [Layer]
    /// (vocabulary × hidden), not loaded from its file, because few of its rows are used at a time.
    let words: TensorView
    /// (positions × hidden): each position's embedding plus the first segment's.
    let positions: FrozenTensor
    let embeddingNorm: LayerNorm
    /// (hidden × hidden)
    let pooler: FrozenTensor
    let poolerBias: FrozenTensor
    /// The classifier in the encoder's file, by name; empty where it has none.
    let head: [String: TensorView]
    private let tokenizer: WordPieceTokenizer
    /// The files of the weights.
    package let weightFiles: [String]

    /// - Parameter folder: a folder in the form of transformers' `save_pretrained`.
    package init(folder: String) throws(TrainingError) {
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
        weightFiles = [folder + "/model.safetensors"]
        let weights = try BertWeights(path: weightFiles[0], configuration)
        self.configuration = configuration
        tokenizer = WordPieceTokenizer(vocabulary: vocabulary, isUncased: try Self.isUncased(folder))
        words = try weights.view("embeddings.word_embeddings.weight", [configuration.vocabulary, configuration.hidden])
        positions = try weights.positions()
        embeddingNorm = try weights.norm("embeddings.LayerNorm")
        pooler = try weights.tensor("pooler.dense.weight", [configuration.hidden, configuration.hidden])
        poolerBias = try weights.tensor("pooler.dense.bias", [configuration.hidden])
        head = try weights.head()
        var projections: [FrozenLayer] = []
        var layers: [Layer] = []
        for index in 0..<configuration.layers {
            projections.append(contentsOf: try weights.projections(ofLayer: index))
            layers.append(try weights.layer(index))
        }
        self.projections = projections
        self.layers = layers
    }

    /// Under the names of `BertForSequenceClassification`; the first segment's embedding is part of the positions'.
    var tensors: [(name: String, tensor: FrozenTensor)] {
        var tensors = [
            ("bert.embeddings.word_embeddings.weight", FrozenTensor(shape: words.shape, words.floats())),
            ("bert.embeddings.position_embeddings.weight", positions),
            ("bert.embeddings.LayerNorm.weight", embeddingNorm.gain),
            ("bert.embeddings.LayerNorm.bias", embeddingNorm.shift),
        ]
        for (index, layer) in layers.enumerated() {
            let prefix = "bert.encoder.layer.\(index)."
            for part in 0..<3 {
                let projection = projections[3 * index + part]
                tensors.append((projection.name + ".weight", projection.weight))
                tensors.append((projection.name + ".bias", layer.biases[part]))
            }
            tensors += [
                (prefix + "attention.output.dense.weight", layer.attentionOutput),
                (prefix + "attention.output.dense.bias", layer.attentionOutputBias),
                (prefix + "attention.output.LayerNorm.weight", layer.attentionNorm.gain),
                (prefix + "attention.output.LayerNorm.bias", layer.attentionNorm.shift),
                (prefix + "intermediate.dense.weight", layer.intermediate),
                (prefix + "intermediate.dense.bias", layer.intermediateBias),
                (prefix + "output.dense.weight", layer.output), (prefix + "output.dense.bias", layer.outputBias),
                (prefix + "output.LayerNorm.weight", layer.outputNorm.gain),
                (prefix + "output.LayerNorm.bias", layer.outputNorm.shift),
            ]
        }
        return tensors + [("bert.pooler.dense.weight", pooler), ("bert.pooler.dense.bias", poolerBias)]
    }

    /// The last piece of every text.
    var separator: Int32 { tokenizer.vocabulary.separator }

    /// Reads texts. Pieces after the model's last position are cut off.
    package func examples(path: String) throws(TextError) -> EncodedTexts {
        EncodedTexts(try TextSet(path: path), tokenizer: tokenizer, limit: configuration.positions)
    }

    /// Whether letters are lower-cased, according to `tokenizer_config.json` where it exists.
    private static func isUncased(_ folder: String) throws(TrainingError) -> Bool {
        let path = folder + "/tokenizer_config.json"
        guard let json = try? FileContents.read(path) else { return true }
        return try BertTokenizerSettings(json: json, file: path).isUncased
    }
}
