import FoundationEssentials

/// PEFT's `trainable_token_indices`: the trained rows of embeddings.
struct TokenIndices {
    private enum Content: Decodable {
        case ofEmbedding([Int])
        case byModule([String: [Int]])

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let list = try? value.decode([Int].self) {
                self = .ofEmbedding(list)
            } else {
                self = .byModule(try value.decode([String: [Int]].self))
            }
        }
    }

    private let content: Content

    /// - Parameter json: a list for the input embedding, or one list for each module name. Other values give nil.
    init?(json: String) {
        guard let content = try? JSONDecoder().decode(Content.self, from: Data(json.utf8)) else { return nil }
        self.content = content
    }

    /// The rows of a module, in the order in which they are saved. If several names fit, the longest one counts.
    subscript(module: String) -> [Int]? {
        switch content {
        case .ofEmbedding(let list): return list
        case .byModule(let lists):
            let names = lists.keys.filter { module == $0 || module.hasSuffix("." + $0) }
            return names.max { $0.utf8.count < $1.utf8.count }.flatMap { lists[$0] }
        }
    }
}
