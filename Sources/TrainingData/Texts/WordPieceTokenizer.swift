@_spi(_Unicode) import Swift

/// Converts text to the numbers of WordPiece pieces, as BERT's uncased models do.
///
/// Text loses control characters and accents, is decomposed and lower-cased. Words end at white space, punctuation and
/// Chinese characters. Each word is covered from its beginning by the longest pieces (Devlin et al., 2019). The name of
/// a special piece inside a text is ordinary text.
package struct WordPieceTokenizer: Sendable {
    /// Whether letters are lower-cased and lose their accents.
    package let isUncased: Bool
    package let vocabulary: WordPieceVocabulary

    /// A longer word is unknown as a whole.
    private static let wordLimit = 100

    package init(vocabulary: WordPieceVocabulary, isUncased: Bool = true) {
        self.vocabulary = vocabulary
        self.isUncased = isUncased
    }

    /// The pieces of a text between `[CLS]` and `[SEP]`, truncated to `limit` in all.
    /// - Precondition: `limit` is at least 2.
    package func tokens(of text: String, limit: Int) -> [Int32] {
        precondition(limit >= 2, "a limit of \(limit) leaves no room for [CLS] and [SEP]")
        var tokens = [vocabulary.classification]
        var word: [Unicode.Scalar] = []
        func end(_ word: inout [Unicode.Scalar]) {
            guard !word.isEmpty else { return }
            append(word, to: &tokens)
            word.removeAll(keepingCapacity: true)
        }
        scan: for scalar in normalised(text) {
            if scalar.isBertSpace {
                end(&word)
            } else if scalar.isBertPunctuation || scalar.isChinese {
                end(&word)
                word.append(scalar)
                end(&word)
            } else {
                word.append(scalar)
            }
            if tokens.count >= limit { break scan }
        }
        end(&word)
        if tokens.count >= limit { tokens.removeSubrange((limit - 1)...) }
        tokens.append(vocabulary.separator)
        return tokens
    }

    private func normalised(_ text: String) -> String.UnicodeScalarView {
        var kept = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where !scalar.isDroppedByBert { kept.append(scalar) }
        guard isUncased else { return kept }
        var text = String(kept)
        if !text.utf8.allSatisfy({ $0 < 0x80 }) { text = String(String.UnicodeScalarView(text._nfd)) }
        var lowered = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where scalar.properties.generalCategory != .nonspacingMark {
            if scalar.isASCII {
                let isUpper = UInt32(UInt8(ascii: "A"))...UInt32(UInt8(ascii: "Z")) ~= scalar.value
                lowered.append(isUpper ? Unicode.Scalar(UInt8(scalar.value) | 0x20) : scalar)
            } else {
                lowered.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
            }
        }
        return lowered
    }

    /// Covers one word with pieces, or uses `[UNK]` for the whole word.
    private func append(_ word: [Unicode.Scalar], to tokens: inout [Int32]) {
        guard word.count <= Self.wordLimit else {
            tokens.append(vocabulary.unknown)
            return
        }
        var bytes: [UInt8] = []
        for scalar in word { bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter) }
        let first = tokens.count
        var start = 0
        while start < bytes.count {
            let pieces = start == 0 ? vocabulary.starts : vocabulary.continuations
            var end = min(start + vocabulary.longest, bytes.count)
            while end > start {
                if let piece = pieces[WordPieceVocabulary.Piece(bytes: bytes[start..<end])] {
                    tokens.append(piece)
                    break
                }
                end -= 1
            }
            guard end > start else {
                tokens.removeSubrange(first...)
                tokens.append(vocabulary.unknown)
                return
            }
            start = end
        }
    }
}

extension Unicode.Scalar {
    /// Characters that the tokenizer ignores: NUL, the replacement character, private use, and control and format
    /// characters other than white space.
    fileprivate var isDroppedByBert: Bool {
        if value >= 0x20, value < 0x7F { return false }
        if value == 0 || value == 0xFFFD { return true }
        if value == 0x09 || value == 0x0A || value == 0x0D { return false }
        switch properties.generalCategory {
        case .control, .format, .privateUse, .surrogate: return true
        default: return false
        }
    }

    fileprivate var isBertSpace: Bool {
        value < 0x80
            ? value == 0x20 || value == 0x09 || value == 0x0A || value == 0x0D : properties.isWhitespace
    }

    /// ASCII characters other than letters, digits, space and controls, and Unicode's punctuation.
    fileprivate var isBertPunctuation: Bool {
        switch value {
        case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: return true
        case 0..<0x80: return false
        default: break
        }
        switch properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation, .otherPunctuation:
            return true
        default: return false
        }
    }

    /// Characters of the CJK blocks, each of which is a word of its own.
    fileprivate var isChinese: Bool {
        switch value {
        case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
            0x2B820...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
            return true
        default: return false
        }
    }
}
