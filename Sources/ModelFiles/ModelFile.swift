import AdapterFormat
import Glibc

/// A causal language model's frozen weights: a GGUF file, or a folder in the form of `save_pretrained`.
///
/// The files are mapped, and no weight is widened as a whole. Every tensor of the model is there, under Hugging Face's name
/// and in its shape, whatever names, shapes and orders the files have.
package struct ModelFile: Sendable {
    package let path: String
    package let configuration: ModelConfiguration
    /// Where the tokenizer comes from.
    package let tokenizer: TokenizerSource
    private let tensors: [String: ModelTensor]
    private let files: [MappedFile]

    /// What a tokenizer is made of.
    package enum TokenizerSource: Sendable {
        /// The path of a folder's `tokenizer.json`, which may be missing.
        case json(String)
        /// GGUF's metadata.
        case gguf(GGUFFile)
    }

    /// Opens a `.gguf` file, or a folder with `config.json` and `model.safetensors` or several files with their index.
    ///
    /// Reads headers and metadata only.
    package init(path: String) throws(ModelFileError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw .unreadable(file: path, .last("stat")) }
        if status.st_mode & S_IFMT == S_IFDIR {
            let folder = try SafetensorsFolder(path: path)
            self.init(
                path: path, configuration: folder.configuration, tokenizer: .json(path + "/tokenizer.json"),
                tensors: try folder.tensors(), files: folder.files)
        } else {
            let mapped = try MappedFile(path)
            let isGGUF = mapped.storage.withBytes { GGUFFile.isGGUF($0) }
            guard isGGUF else { throw .notAModel(file: path) }
            let file = try GGUFFile(mapped.storage, path: path)
            let configuration = try ModelConfiguration(file)
            self.init(
                path: path, configuration: configuration, tokenizer: .gguf(file),
                tensors: try file.tensors(of: configuration), files: [mapped])
        }
    }

    private init(
        path: String, configuration: ModelConfiguration, tokenizer: TokenizerSource, tensors: [String: ModelTensor],
        files: [MappedFile]
    ) {
        self.path = path
        self.configuration = configuration
        self.tokenizer = tokenizer
        self.tensors = tensors
        self.files = files
    }

    /// A tensor by Hugging Face's name, such as `model.layers.0.self_attn.q_proj.weight`; nil where the model has none of
    /// that name. It has all of `configuration.tensors`. `lm_head.weight` of a tied model is the embedding.
    package func tensor(_ name: String) -> ModelTensor? {
        if configuration.isTied, name == "lm_head.weight" {
            return tensors[configuration.architecture == .gpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight"]
        }
        return tensors[name]
    }

    /// The files of the weights, in the order of their names.
    package var weightFiles: [String] { files.map(\.path).sorted() }

    /// Tells these files from others, and from what they were before somebody wrote to them.
    package var version: String { files.map { $0.path + " " + $0.version }.joined(separator: "\n") }

    /// The bytes of all tensors in the files.
    package var byteCount: Int { tensors.values.reduce(0) { $0 + $1.byteCount } }

    /// Checks that no file was written to or cut short since it was opened.
    ///
    /// A mapped file must not be cut short: reading a page beyond its new end ends the process with SIGBUS. Who trains for
    /// long calls this before each step; it costs one system call a file. Put a new model beside the old one and rename it,
    /// as downloads do: the mapping keeps the old file.
    package func checkUnchanged() throws(ModelFileError) {
        for file in files { try file.checkUnchanged() }
    }
}
