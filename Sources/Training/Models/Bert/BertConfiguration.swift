import FoundationEssentials

/// The configuration of a BERT encoder from `config.json`, checked for a supported model.
package struct BertConfiguration: Sendable, Hashable {
    package let hidden: Int
    package let layers: Int
    package let heads: Int
    package let intermediate: Int
    package let vocabulary: Int
    package let positions: Int
    package let epsilon: Float

    /// The length of one head's query.
    package var headWidth: Int { hidden / heads }

    /// - Parameter file: the file's name for errors.
    package init(json: [UInt8], file: String) throws(TrainingError) {
        struct Document: Decodable {
            let model_type: String?
            let hidden_size: Int
            let num_hidden_layers: Int
            let num_attention_heads: Int
            let intermediate_size: Int
            let vocab_size: Int
            let max_position_embeddings: Int
            let layer_norm_eps: Double?
            let hidden_act: String?
            let position_embedding_type: String?
        }
        let document: Document
        do {
            document = try JSONDecoder().decode(Document.self, from: Data(json))
        } catch {
            throw .model(file, reason: "it is no configuration of a BERT encoder: \(Self.reason(error))")
        }
        for (key, found, expected) in [
            ("model_type", document.model_type, "bert"), ("hidden_act", document.hidden_act, "gelu"),
            ("position_embedding_type", document.position_embedding_type, "absolute"),
        ] where found ?? expected != expected {
            throw .model(file, reason: "its \(key) is \"\(found ?? "")\"; expected \"\(expected)\"")
        }
        for (key, value, range) in [
            ("hidden_size", document.hidden_size, 1...16_384),
            ("num_hidden_layers", document.num_hidden_layers, 1...256),
            ("num_attention_heads", document.num_attention_heads, 1...1_024),
            ("intermediate_size", document.intermediate_size, 1...65_536),
            ("vocab_size", document.vocab_size, 3...(1 << 22)),
            ("max_position_embeddings", document.max_position_embeddings, 2...65_536),
        ] where !range.contains(value) {
            throw .model(file, reason: "its \(key) is \(value); expected \(range.lowerBound) to \(range.upperBound)")
        }
        guard document.hidden_size % document.num_attention_heads == 0 else {
            throw .model(
                file,
                reason: "\(document.num_attention_heads) heads do not divide a hidden size of \(document.hidden_size)")
        }
        let epsilon = document.layer_norm_eps ?? 1e-12
        guard epsilon >= 0, epsilon <= 1 else {
            throw .model(file, reason: "its layer_norm_eps is \(epsilon); expected 0 to 1")
        }
        hidden = document.hidden_size
        layers = document.num_hidden_layers
        heads = document.num_attention_heads
        intermediate = document.intermediate_size
        vocabulary = document.vocab_size
        positions = document.max_position_embeddings
        self.epsilon = Float(epsilon)
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _): "it lacks \(key.stringValue)"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")) is of another type"
        default: "it is not sound JSON"
        }
    }
}
