import ModelFiles
import StrictJSON

/// From GGUF's metadata, `tokenizer.ggml.…`.
extension TokenizerDefinition {
    /// What `tokenizer.ggml.token_type` says of a token.
    private enum TokenType {
        static let unknown = 2
        static let control = 3
        static let userDefined = 4
    }

    init(_ source: GGUFFile) throws(TokenizerError) {
        self.init(file: source.path)
        let prefix = "tokenizer.ggml."
        func metadata<Value>(_ read: () throws(ModelFileError) -> Value) throws(TokenizerError) -> Value {
            do throws(ModelFileError) { return try read() } catch {
                throw .vocabulary(file: source.path, reason: "\(error)")
            }
        }
        func id(_ key: String) throws(TokenizerError) -> Int32? {
            guard let id = try metadata({ () throws(ModelFileError) in try source.count(prefix + key) }) else {
                return nil
            }
            guard id < tokens.count else {
                throw .vocabulary(
                    file: source.path, reason: "\(prefix)\(key) is \(id), beyond its vocabulary of \(tokens.count)")
            }
            return Int32(id)
        }
        func flag(_ key: String) throws(TokenizerError) -> Bool? {
            try metadata { () throws(ModelFileError) in try source.flag(prefix + key) }
        }
        func text(_ key: String) throws(TokenizerError) -> String? {
            try metadata { () throws(ModelFileError) in try source.text(prefix + key) }
        }
        tokens = try Self.texts(source, prefix + "tokens")
        try refuseDuplicates()
        try readTypes(try metadata { () throws(ModelFileError) in try source.array(prefix + "token_type") })
        let model = try text("model")
        let isByteLevel = model == "gpt2"
        guard isByteLevel || model == "llama" else {
            throw .unsupported(
                file: file, part: prefix + "model", expected: "\"gpt2\" or \"llama\"",
                found: model?.jsonQuoted ?? "missing")
        }
        if isByteLevel {
            let name = try text("pre")
            guard let pattern = name.flatMap({ WordPattern.names[$0] }) else {
                throw .unsupported(
                    file: file, part: prefix + "pre",
                    expected: "one of " + WordPattern.names.keys.sorted().map(\.jsonQuoted).joined(separator: ", "),
                    found: name?.jsonQuoted ?? "missing")
            }
            kind = .byteLevel(pattern)
            composes = pattern == .qwen2
            ignoresMerges = pattern == .llama3
            try readMerges(source, prefix + "merges")
        } else {
            let hasPrefix = try flag("add_space_prefix") ?? true
            kind = .sentencePiece(hasPrefix ? .first : .never)
            stripsFirstSpace = hasPrefix
            fallsBackToBytes = true
            fusesUnknown = true
            unknown = try id("unknown_token_id")
            if source.metadata[prefix + "merges"] != nil {
                try readMerges(source, prefix + "merges")
            } else {
                try deriveMerges(
                    try metadata { () throws(ModelFileError) in try source.array(prefix + "scores") }?.reals())
            }
        }
        if try flag("add_bos_token") ?? !isByteLevel, let token = try id("bos_token_id") { start = [token] }
        if try flag("add_eos_token") ?? false, let token = try id("eos_token_id") { end = [token] }
    }

    private static func texts(_ source: GGUFFile, _ key: String) throws(TokenizerError) -> [String] {
        let values: [[UInt8]]?
        do throws(ModelFileError) { values = try source.array(key)?.texts() } catch {
            throw .vocabulary(file: source.path, reason: "\(error)")
        }
        guard let values, values.count <= idLimit else {
            throw .vocabulary(file: source.path, reason: "expected \(key), an array of at most \(idLimit) strings")
        }
        var texts: [String] = []
        for (index, bytes) in values.enumerated() {
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw .vocabulary(file: source.path, reason: "string \(index) of \(key) is not UTF-8")
            }
            texts.append(text)
        }
        return texts
    }

    private func refuseDuplicates() throws(TokenizerError) {
        var seen: [Spelling: Int] = [:]
        for (id, token) in tokens.enumerated() {
            guard let other = seen.updateValue(id, forKey: Spelling(token ?? "")) else { continue }
            throw .vocabulary(
                file: file, reason: "\((token ?? "").jsonQuoted) is the token of both \(other) and \(id)")
        }
    }

    private mutating func readTypes(_ array: GGUFArray?) throws(TokenizerError) {
        guard let array else { return }
        guard let types = array.integers(), types.count == tokens.count else {
            throw .vocabulary(
                file: file,
                reason: "it has \(tokens.count) tokens; expected as many whole numbers in "
                    + "tokenizer.ggml.token_type, found \(array.count) values")
        }
        for (id, type) in types.enumerated() where type == TokenType.control || type == TokenType.userDefined {
            guard let content = tokens[id], !content.isEmpty else { continue }
            added.append(
                AddedToken(
                    id: Int32(id), content: content, isSpecial: type == TokenType.control, isNormalised: false))
        }
    }

    private mutating func readMerges(_ source: GGUFFile, _ key: String) throws(TokenizerError) {
        for (index, text) in try Self.texts(source, key).enumerated() {
            let parts = text.split(separator: " ", omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                throw .vocabulary(
                    file: file,
                    reason: "merge \(index) is \(text.jsonQuoted); expected two texts with a space between them")
            }
            merges.append((String(parts[0]), String(parts[1])))
        }
    }

    /// The merges that scores stand for, in transformers' order: each token from all pairs of tokens that it is made of,
    /// by descending score.
    private mutating func deriveMerges(_ scores: [Float]?) throws(TokenizerError) {
        guard let scores, scores.count == tokens.count else {
            throw .vocabulary(
                file: file,
                reason: "it has \(tokens.count) tokens; expected as many numbers in tokenizer.ggml.scores, "
                    + "or tokenizer.ggml.merges")
        }
        var ids: [Spelling: Int] = [:]
        for (id, token) in tokens.enumerated() { if let token { ids[Spelling(token)] = id } }
        var found: [(merge: (String, String), order: (Float, Int, Int))] = []
        for (id, token) in tokens.enumerated() {
            guard let token, token.unicodeScalars.count > 1 else { continue }
            let scalars = token.unicodeScalars
            var splits: [(left: String, right: String, ids: (Int, Int), lengths: (Int, Int))] = []
            var place = scalars.index(after: scalars.startIndex)
            var length = 1
            while place < scalars.endIndex {
                let (left, right) = (String(scalars[..<place]), String(scalars[place...]))
                if let first = ids[Spelling(left)], let second = ids[Spelling(right)] {
                    splits.append((left, right, (first, second), (length, scalars.count - length)))
                }
                place = scalars.index(after: place)
                length += 1
            }
            for split in splits.sorted(by: { $0.ids < $1.ids }) {
                found.append(((split.left, split.right), (scores[id], split.lengths.0, split.lengths.1)))
            }
        }
        // Swift's sort keeps the order of equals.
        merges = found.sorted { $0.order > $1.order }.map { ($0.merge.0, $0.merge.1) }
    }
}
