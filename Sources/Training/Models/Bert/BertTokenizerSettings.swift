import FoundationEssentials

/// The settings of a BERT model's tokenizer in `tokenizer_config.json`.
struct BertTokenizerSettings {
    let isUncased: Bool

    /// - Parameter file: the file's name for errors.
    init(json: [UInt8], file: String) throws(TrainingError) {
        struct Document: Decodable {
            let do_lower_case: Bool?
            let strip_accents: Bool?
            let tokenize_chinese_chars: Bool?
        }
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(json)) else {
            throw .model(file, reason: "it is no configuration of a BERT tokenizer")
        }
        isUncased = document.do_lower_case ?? true
        guard document.strip_accents ?? isUncased == isUncased, document.tokenize_chinese_chars ?? true else {
            throw .model(file, reason: "only the tokenizer of BERT's published models is known here")
        }
    }
}
