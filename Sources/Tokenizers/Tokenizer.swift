package import ModelFiles
import StrictJSON

/// A byte-pair tokenizer of a language model: texts to token ids, as transformers' tokenizer of the same file, and back.
///
/// Byte-level (GPT-2, Llama 3, Qwen 2, SmolLM2) and SentencePiece's kind with byte fallback (Llama 2, TinyLlama, Mistral).
package struct Tokenizer: Sendable {
    let definition: TokenizerDefinition
    let pieces: PieceTable
    let merges: MergeTable
    /// The token of each byte.
    let byteTokens: [Int32]
    let added: AddedTokens
    let normalisedAdded: AddedTokens
    /// By id: whether the token marks a place, and is no text.
    let isSpecial: [Bool]
    /// SentencePiece: whether no merge joins what stands before `▁` with it, so that words can be merged one by one.
    let marksBeginWords: Bool

    /// The tokens that the file asks for before a text, such as Llama's `<s>`.
    package var start: [Int32] { definition.start }
    /// The tokens that the file asks for after a text.
    package var end: [Int32] { definition.end }

    /// The number of ids; some may have no token.
    package var count: Int { pieces.count }

    /// The tokenizer of a model: of GGUF's metadata, or of the folder's `tokenizer.json`.
    package init(_ model: ModelFile) throws(TokenizerError) {
        switch model.tokenizer {
        case .gguf(let file): try self.init(file)
        case .json(let path): try self.init(path: path)
        }
    }

    /// The tokenizer of GGUF's metadata.
    package init(_ file: GGUFFile) throws(TokenizerError) { try self.init(try TokenizerDefinition(file)) }

    /// - Parameters:
    ///   - json: the content of a `tokenizer.json`.
    ///   - file: its name for errors.
    package init(json: UnsafeRawBufferPointer, file: String) throws(TokenizerError) {
        try self.init(try TokenizerDefinition(json: json, file: file))
    }

    /// - Parameter path: a `tokenizer.json`.
    package init(path: String) throws(TokenizerError) {
        try self.init(try TokenizerDefinition(path: path))
    }

    init(_ definition: TokenizerDefinition) throws(TokenizerError) {
        let isByteLevel = if case .byteLevel = definition.kind { true } else { false }
        var isFound = [Bool](repeating: false, count: definition.tokens.count)
        var spellings: [Spelling: Int32] = [:]
        let contents = Dictionary(definition.added.map { ($0.id, $0.content) }) { first, _ in first }
        let pieces = definition.tokens.enumerated().map { id, token -> [UInt8] in
            guard let token else { return Array((contents[Int32(id)] ?? "").utf8) }
            spellings[Spelling(token)] = Int32(id)
            guard isByteLevel else {
                isFound[id] = true
                return Array(token.utf8)
            }
            // A token of other characters, which no merge gives, stands for its own text.
            guard let bytes = ByteAlphabet.bytes(of: token) else { return Array(token.utf8) }
            isFound[id] = true
            return bytes
        }
        self.pieces = PieceTable(pieces) { isFound[$0] }
        merges = try Self.merges(definition, spellings)
        byteTokens = try Self.byteTokens(definition, spellings)
        var isSpecial = [Bool](repeating: false, count: pieces.count)
        for token in definition.added where token.isSpecial { isSpecial[Int(token.id)] = true }
        self.isSpecial = isSpecial
        added = AddedTokens(definition.added.filter { !$0.isNormalised }.map { (Array($0.content.utf8), $0.id) })
        normalisedAdded = AddedTokens(
            definition.added.filter { $0.isNormalised }.map { token in
                (Array((definition.composes ? token.content.composed : token.content).utf8), token.id)
            })
        marksBeginWords = definition.merges.allSatisfy { left, right in
            let joined = (left + right).unicodeScalars.drop { $0 == Self.mark }
            return !joined.contains(Self.mark)
        }
        self.definition = definition
    }

    /// `▁`, which SentencePiece has in place of a space.
    static let mark: Unicode.Scalar = "\u{2581}"

    private static func merges(
        _ definition: TokenizerDefinition, _ spellings: [Spelling: Int32]
    ) throws(TokenizerError) -> MergeTable {
        var merges: [(left: Int32, right: Int32, result: Int32)] = []
        merges.reserveCapacity(definition.merges.count)
        for (left, right) in definition.merges {
            guard let first = spellings[Spelling(left)], let second = spellings[Spelling(right)],
                let result = spellings[Spelling(left + right)]
            else {
                let missing = [left, right, left + right].first { spellings[Spelling($0)] == nil } ?? ""
                throw .vocabulary(
                    file: definition.file,
                    reason: "the merge of \(left.jsonQuoted) and \(right.jsonQuoted) needs a token "
                        + "\(missing.jsonQuoted), which the vocabulary lacks")
            }
            merges.append((first, second, result))
        }
        return MergeTable(merges)
    }

    /// In place of the token of a byte that the vocabulary lacks.
    static let noToken: Int32 = -1

    /// The tokens of the 256 bytes; empty where the tokenizer does not use them.
    private static func byteTokens(
        _ definition: TokenizerDefinition, _ spellings: [Spelling: Int32]
    ) throws(TokenizerError) -> [Int32] {
        let names: [String]
        switch definition.kind {
        case .byteLevel: names = ByteAlphabet.scalars.map { String($0) }
        case .sentencePiece:
            guard definition.fallsBackToBytes else {
                guard definition.unknown != nil else {
                    throw .vocabulary(
                        file: definition.file, reason: "it has neither tokens of bytes nor a token of the unknown")
                }
                return []
            }
            names = (0..<256).map { byte in
                let digits = String(byte, radix: 16, uppercase: true)
                return "<0x\(digits.count == 1 ? "0" : "")\(digits)>"
            }
        }
        var tokens: [Int32] = []
        for (byte, name) in names.enumerated() {
            guard let token = spellings[Spelling(name)] else {
                // SmolLM2 lacks some control characters. Without a token of the unknown, transformers leaves them out too.
                if case .byteLevel = definition.kind, definition.unknown == nil {
                    tokens.append(noToken)
                    continue
                }
                throw .vocabulary(
                    file: definition.file, reason: "it lacks a token \(name.jsonQuoted), which stands for byte \(byte)")
            }
            tokens.append(token)
        }
        return tokens
    }
}

extension Tokenizer {
    /// The ids of a text.
    ///
    /// - Parameter marksEnds: whether the tokens come around it that the file asks for, such as Llama's `<s>` before it.
    package func encode(_ text: String, marksEnds: Bool = false) -> [Int32] {
        var encoder = TokenEncoder(self)
        return encoder.encode(text, marksEnds: marksEnds)
    }

    /// The id of a token by its text in the file, such as `<|im_end|>`; nil where there is none.
    package func id(of token: String) -> Int32? {
        let spelling = Spelling(token)
        if let added = definition.added.first(where: { Spelling($0.content) == spelling }) { return added.id }
        return definition.tokens.firstIndex { $0.map { Spelling($0) } == spelling }.map { Int32($0) }
    }
}
