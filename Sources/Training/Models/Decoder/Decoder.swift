import AdapterFormat
import ModelFiles
import Tokenizers
package import TrainingData

/// A causal language model with its tokenizer: a GGUF file, or a folder as transformers saves it.
package struct Decoder: PretrainedModel {
    package static var modelTypes: [String] { ModelConfiguration.modelTypes }
    package static var readsFiles: Bool { true }

    package let weightFiles: [String]
    private let base: DecoderBase

    package init(path: String) throws(TrainingError) {
        let file: ModelFile
        do throws(ModelFileError) { file = try ModelFile(path: path) } catch { throw .model(path, reason: "\(error)") }
        let tokenizer: Tokenizer
        do throws(TokenizerError) { tokenizer = try Tokenizer(file) } catch { throw .model(path, reason: "\(error)") }
        guard tokenizer.count <= file.configuration.vocabulary else {
            throw .model(
                path,
                reason: "its tokenizer has \(tokenizer.count) tokens, the model \(file.configuration.vocabulary)")
        }
        weightFiles = file.weightFiles
        base = try DecoderBase(file, tokenizer: tokenizer)
    }

    package func examples(path: String) throws -> DialogueSet { try base.examples(path: path) }

    package var peftKeys: [(key: String, value: String)] {
        [("task_type", "CAUSAL_LM")] + (base.configuration.architecture == .gpt2 ? [("fan_in_fan_out", "true")] : [])
    }

    package var ownHead: [String: [Int]] { [:] }
    package func head(classes: Int) -> [String: [Int]] { [:] }

    package func writer(
        adapter: ScoredAdapter?, merge: String?, template: String?, capacity: Int?
    ) throws(TrainingError) -> TextWriter {
        try base.writer(adapter: adapter, merge: merge, template: template, capacity: capacity)
    }

    package func model(dense: [String: [Int]]) throws(TrainingError) -> NativeModel {
        let outputs = Dictionary(base.layers.map { ($0.name + TensorName.magnitude, $0.outputs) }) { first, _ in first }
        if let other = dense.sorted(by: { $0.key < $1.key }).first(where: { outputs[$0.key].map { [$0] } != $0.value })
        {
            throw .setting(
                "dense", expected: "nothing but magnitudes of the language model's layers",
                found: "\(other.key) of shape \(other.value)")
        }
        return NativeModel(base)
    }
}
