/// Turns token ids into text as they come: a character whose bytes have not all come is kept back.
///
/// Ids that have no token are refused by `decode`'s precondition; a model gives none.
package struct TokenDecoder {
    private let tokenizer: Tokenizer
    private let skipsSpecial: Bool
    /// Bytes that may go on with the next token.
    private var pending: [UInt8] = []
    private var isAtStart = true

    /// - Parameter skipsSpecial: whether tokens that mark places, such as `<|im_end|>`, give no text.
    package init(_ tokenizer: Tokenizer, skipsSpecial: Bool = false) {
        self.tokenizer = tokenizer
        self.skipsSpecial = skipsSpecial
    }

    /// The text that a token completes; often empty.
    ///
    /// - Precondition: the id is below the tokenizer's count.
    package mutating func append(_ id: Int32) -> String {
        precondition(0 <= id && Int(id) < tokenizer.count, "token \(id) of \(tokenizer.count)")
        if skipsSpecial, tokenizer.isSpecial[Int(id)] { return "" }
        let piece = tokenizer.pieces[Int(id)]
        guard case .sentencePiece = tokenizer.definition.kind else {
            pending.append(contentsOf: piece)
            return take(isFallback: false)
        }
        if tokenizer.definition.fallsBackToBytes, let byte = Self.byte(piece) {
            pending.append(byte)
            return strip(take(isFallback: true))
        }
        let text = String(decoding: piece, as: UTF8.self)
        return finishBytes()
            + strip(String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == Tokenizer.mark ? " " : $0 })))
    }

    /// The text of what was kept back: a character for each byte that is not sound.
    package mutating func finish() -> String { finishBytes() }

    private mutating func finishBytes() -> String {
        defer { pending.removeAll() }
        guard !pending.isEmpty else { return "" }
        if case .sentencePiece = tokenizer.definition.kind {
            return strip(String(repeating: "\u{FFFD}", count: pending.count))
        }
        return String(decoding: pending, as: UTF8.self)
    }

    /// SentencePiece puts a space before the first word.
    private mutating func strip(_ text: String) -> String {
        guard isAtStart, !text.isEmpty else { return text }
        isAtStart = false
        return tokenizer.definition.stripsFirstSpace && text.utf8.first == 0x20
            ? String(text.unicodeScalars.dropFirst()) : text
    }

    /// The text of all complete characters; an incomplete one at the end stays.
    private mutating func take(isFallback: Bool) -> String {
        var kept = 0
        // A character has at most four bytes: look for the first byte of the last one.
        for back in 1...max(1, min(3, pending.count)) where back <= pending.count {
            let byte = pending[pending.count - back]
            guard byte & 0xC0 != 0x80 else { continue }
            let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1
            kept = length > back ? back : 0
            break
        }
        let ready = pending.dropLast(kept)
        if isFallback, String(validating: ready, as: UTF8.self) == nil { return "" }
        defer { pending.removeFirst(ready.count) }
        return String(decoding: ready, as: UTF8.self)
    }

    /// The byte of a token such as `<0x0A>`.
    private static func byte(_ piece: ArraySlice<UInt8>) -> UInt8? {
        guard piece.count == 6, piece.starts(with: Array("<0x".utf8)), piece.last == UInt8(ascii: ">") else {
            return nil
        }
        return UInt8(String(decoding: piece.dropFirst(3).dropLast(), as: UTF8.self), radix: 16)
    }
}

extension Tokenizer {
    /// The text of some ids.
    ///
    /// - Precondition: all ids are below `count`.
    package func decode(_ ids: some Sequence<Int32>, skipsSpecial: Bool = false) -> String {
        var decoder = TokenDecoder(self, skipsSpecial: skipsSpecial)
        var text = ""
        for id in ids { text += decoder.append(id) }
        return text + decoder.finish()
    }
}
