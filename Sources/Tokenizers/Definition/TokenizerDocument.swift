import StrictJSON

/// The parts of a `tokenizer.json`. Vocabulary and merges, which are large, are read without a tree.
struct TokenizerDocument {
    static let names = [
        "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder",
        "model",
    ]

    /// All parts but the model.
    private(set) var parts: [String: JSONNode] = [:]
    /// The model's members but vocabulary and merges.
    private(set) var model: [String: JSONNode] = [:]
    private(set) var vocabulary: [Spelling: Int] = [:]
    private(set) var merges: [(left: String, right: String)] = []

    init(_ text: UnsafeRawBufferPointer) throws(JSONSyntaxError) {
        var scanner = JSONScanner(text)
        var hasModel = false
        try scanner.beginObject()
        while let name = try scanner.nextName() {
            if name == "model" {
                guard !hasModel else { throw .duplicate(name) }
                hasModel = true
                try readModel(&scanner)
            } else {
                guard parts.updateValue(try scanner.node(), forKey: name) == nil else { throw .duplicate(name) }
            }
        }
        try scanner.finish()
    }

    private mutating func readModel(_ scanner: inout JSONScanner) throws(JSONSyntaxError) {
        var seen: Set<String> = []
        try scanner.beginObject()
        while let name = try scanner.nextName() {
            guard seen.insert(name).inserted else { throw .duplicate(name) }
            switch name {
            case "vocab": try readVocabulary(&scanner)
            case "merges": try readMerges(&scanner)
            default: model[name] = try scanner.node()
            }
        }
    }

    private mutating func readVocabulary(_ scanner: inout JSONScanner) throws(JSONSyntaxError) {
        // Another type of model has an array here, and is refused by its type.
        guard try scanner.peek(expecting: "an object") == UInt8(ascii: "{") else { return try scanner.skipValue() }
        try scanner.beginObject()
        while let token = try scanner.nextName() {
            guard vocabulary.updateValue(try scanner.count(), forKey: Spelling(token)) == nil else {
                throw .duplicate(token)
            }
        }
    }

    /// Each merge is an array of two texts, or one text with a space between them.
    private mutating func readMerges(_ scanner: inout JSONScanner) throws(JSONSyntaxError) {
        try scanner.beginArray()
        while try scanner.nextElement() {
            let start = scanner.offset
            if try scanner.peek(expecting: "a merge") == UInt8(ascii: "[") {
                var parts: [String] = []
                try scanner.beginArray()
                while try scanner.nextElement() { parts.append(try scanner.string()) }
                guard parts.count == 2 else {
                    throw .unexpected(UInt8(ascii: "]"), offset: start, expected: "a merge of two texts")
                }
                merges.append((parts[0], parts[1]))
            } else {
                let parts = try scanner.string().split(separator: " ", omittingEmptySubsequences: false)
                guard parts.count == 2 else {
                    throw .unexpected(
                        UInt8(ascii: "\""), offset: start, expected: "a merge of two texts with a space between")
                }
                merges.append((String(parts[0]), String(parts[1])))
            }
        }
    }
}
