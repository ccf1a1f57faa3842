import AdapterFormat
package import ModelFiles
package import Tokenizers
package import TrainingData

/// A causal language model with its tokenizer: a GGUF file, or a folder as transformers saves it.
///
/// A file's dialogues are written by the chat template whose tokens the vocabulary has: `chatml`, `llama3`, else `plain`.
package struct Decoder: PretrainedModel {
    package static var modelTypes: [String] { ModelConfiguration.Architecture.allCases.map(\.rawValue) + ["mistral"] }
    package static var readsFiles: Bool { true }

    private let base: DecoderBase

    package init(path: String) throws(TrainingError) {
        let file: ModelFile
        do throws(ModelFileError) { file = try ModelFile(path: path) } catch { throw .model(path, reason: "\(error)") }
        let tokenizer: Tokenizer
        do throws(TokenizerError) { tokenizer = try Tokenizer(file) } catch { throw .model(path, reason: "\(error)") }
        base = try DecoderBase(file, tokenizer: tokenizer)
    }

    package func examples(path: String) throws -> TokenSequences { try base.examples(path: path) }

    package var ownHead: [String: [Int]] { [:] }
    package func head(classes: Int) -> [String: [Int]] { [:] }

    package func model(dense: [String: [Int]]) throws(TrainingError) -> NativeModel {
        guard dense.isEmpty else {
            throw .setting("dense", expected: "none for a language model", found: dense.keys.sorted().joined(separator: ", "))
        }
        return NativeModel(base)
    }
}
