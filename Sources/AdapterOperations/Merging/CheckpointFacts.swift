import FoundationEssentials

/// Facts from a model's `config.json` that its tensors do not show.
struct CheckpointFacts {
    /// The text of the file; nil where there is none.
    let text: String?
    let modelType: String?
    private let architecture: String?
    private let vocabularySize: Int?
    private let tiesEmbeddings: Bool?
    /// Whether it has an encoder and a decoder with shared embeddings.
    let isEncoderDecoder: Bool

    init(folder: String) throws(AdapterFileError) {
        struct Text: Decodable {
            let vocab_size: Int?
            let tie_word_embeddings: Bool?
        }
        struct Fields: Decodable {
            let model_type: String?
            let architectures: [String]?
            let vocab_size: Int?
            let tie_word_embeddings: Bool?
            let is_encoder_decoder: Bool?
            let text_config: Text?
        }
        let path = "\(folder)/config.json"
        guard FileManager.default.fileExists(atPath: path) else {
            (text, modelType, architecture, vocabularySize, tiesEmbeddings) = (nil, nil, nil, nil, nil)
            isEncoderDecoder = false
            return
        }
        let fields: Fields
        do {
            let contents = try Data(contentsOf: URL(fileURLWithPath: path))
            text = String(decoding: contents, as: UTF8.self)
            fields = try JSONDecoder().decode(Fields.self, from: contents)
        } catch {
            throw .file(path, reason: "it is no model's configuration")
        }
        modelType = fields.model_type
        architecture = fields.architectures?.first
        vocabularySize = fields.vocab_size ?? fields.text_config?.vocab_size
        tiesEmbeddings = fields.tie_word_embeddings ?? fields.text_config?.tie_word_embeddings
        isEncoderDecoder = fields.is_encoder_decoder ?? false
    }

    /// Whether an embedding's rows are also the output head; nil where this is unknown.
    ///
    /// - Parameter hasHead: whether the model's files have a tensor for the head.
    func ties(embedding name: String, rows: Int, hasHead: Bool) -> Bool? {
        let positional = ["position", "wpe", "token_type", "segment"]
        if positional.contains(where: name.contains) { return false }
        guard let architecture else { return hasHead ? false : nil }
        let heads = ["ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForMaskedLM", "ForPreTraining"]
        guard heads.contains(where: architecture.hasSuffix), vocabularySize == nil || vocabularySize == rows else {
            return false
        }
        return !hasHead || tiesEmbeddings == true
    }

    /// The file's text for a model whose head now has a tensor of its own.
    var untied: String? {
        guard let text else { return nil }
        let key = "\"tie_word_embeddings\""
        if let found = text.firstRange(of: /"tie_word_embeddings"\s*:\s*true/) {
            return text[..<found.lowerBound] + "\(key): false" + text[found.upperBound...]
        }
        guard !text.contains(key), let brace = text.firstIndex(of: "{") else { return text }
        return text[...brace] + "\n  \(key): false," + text[text.index(after: brace)...]
    }
}
