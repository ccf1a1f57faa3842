// The standard library's own composition; Foundation's joins U+1113 and U+1176 to syllables, which is wrong.
@_spi(_Unicode) import Swift

/// Encodes many texts with one memory.
package struct TokenEncoder {
    private let tokenizer: Tokenizer
    private var merger: PairMerger
    private var ids: [Int32] = []
    /// A text of SentencePiece with its marks.
    private var marked: [UInt8] = []

    package init(_ tokenizer: Tokenizer) {
        self.tokenizer = tokenizer
        merger = PairMerger(tokenizer.merges)
    }

    /// - Parameters:
    ///   - marksEnds: whether the tokens come around it that the file asks for, such as Llama's `<s>` before it.
    ///   - isStart: whether the text begins a whole one; SentencePiece may put a space before that alone.
    package mutating func encode(_ text: String, marksEnds: Bool = false, isStart: Bool = true) -> [Int32] {
        ids.removeAll(keepingCapacity: true)
        if marksEnds { ids.append(contentsOf: tokenizer.definition.start) }
        var text = text
        text.withUTF8 { bytes in
            tokenizer.added.parts(of: bytes) { range, id in
                if let id {
                    ids.append(id)
                } else {
                    appendNormalised(
                        UnsafeBufferPointer(rebasing: bytes[range]), isFirst: isStart && range.lowerBound == 0)
                }
            }
        }
        if marksEnds { ids.append(contentsOf: tokenizer.definition.end) }
        return ids
    }

    private mutating func appendNormalised(_ bytes: UnsafeBufferPointer<UInt8>, isFirst: Bool) {
        // What is below U+0300 is composed already.
        guard tokenizer.definition.composes, bytes.contains(where: { $0 >= 0xCC }) else {
            appendParts(bytes, isFirst: isFirst)
            return
        }
        var composed = String(decoding: bytes, as: UTF8.self).composed
        composed.withUTF8 { appendParts($0, isFirst: isFirst) }
    }

    private mutating func appendParts(_ bytes: UnsafeBufferPointer<UInt8>, isFirst: Bool) {
        tokenizer.normalisedAdded.parts(of: bytes) { range, id in
            if let id {
                ids.append(id)
                return
            }
            let part = UnsafeBufferPointer(rebasing: bytes[range])
            switch tokenizer.definition.kind {
            case .byteLevel(let pattern):
                pattern.words(in: part) { appendBytes(UnsafeBufferPointer(rebasing: part[$0])) }
            case .sentencePiece(let prefix):
                appendMarked(part, prefix: prefix, isFirst: isFirst && range.lowerBound == 0)
            }
        }
    }

    private mutating func appendBytes(_ word: UnsafeBufferPointer<UInt8>) {
        if tokenizer.definition.ignoresMerges, let id = tokenizer.pieces.id(of: word) {
            ids.append(id)
            return
        }
        merger.tokens.removeAll(keepingCapacity: true)
        for byte in word {
            let token = tokenizer.byteTokens[Int(byte)]
            if token != Tokenizer.noToken { merger.tokens.append(token) }
        }
        merger.merge()
        ids.append(contentsOf: merger.tokens)
    }

    private mutating func appendMarked(
        _ bytes: UnsafeBufferPointer<UInt8>, prefix: TokenizerDefinition.SpacePrefix, isFirst: Bool
    ) {
        let mark = Array(Tokenizer.mark.utf8)
        marked.removeAll(keepingCapacity: true)
        let hasSpace = bytes[0] == 0x20 || bytes.starts(with: mark)
        switch prefix {
        case .never: break
        case .first: if isFirst, !hasSpace { marked.append(contentsOf: mark) }
        case .each: if !hasSpace { marked.append(contentsOf: mark) }
        case .eachAlways: marked.append(contentsOf: mark)
        }
        for byte in bytes {
            if byte == 0x20 { marked.append(contentsOf: mark) } else { marked.append(byte) }
        }
        let splits = tokenizer.definition.splitsAtSpaces
        guard splits || tokenizer.marksBeginWords else {
            appendCharacters(0..<marked.count)
            return
        }
        // Words begin at a mark: at each one, or at the first of a run.
        var (start, place, afterMark) = (0, 0, false)
        while place < marked.count {
            let isMark = marked[place] == mark[0] && marked[place...].starts(with: mark)
            if isMark, place > start, splits || !afterMark {
                appendCharacters(start..<place)
                start = place
            }
            place += isMark ? mark.count : 1
            afterMark = isMark
        }
        appendCharacters(start..<marked.count)
    }

    /// A word of SentencePiece: its characters become tokens, which then merge.
    private mutating func appendCharacters(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        let definition = tokenizer.definition
        merger.tokens.removeAll(keepingCapacity: true)
        marked.withUnsafeBufferPointer { marked in
            var place = range.lowerBound
            var followsUnknown = false
            while place < range.upperBound {
                var end = place + 1
                while end < range.upperBound, marked[end] & 0xC0 == 0x80 { end += 1 }
                let character = UnsafeBufferPointer(rebasing: marked[place..<end])
                place = end
                if let id = tokenizer.pieces.id(of: character) {
                    merger.tokens.append(id)
                    followsUnknown = false
                } else if definition.fallsBackToBytes {
                    for byte in character { merger.tokens.append(tokenizer.byteTokens[Int(byte)]) }
                    followsUnknown = false
                } else if let unknown = definition.unknown {
                    if !(followsUnknown && definition.fusesUnknown) { merger.tokens.append(unknown) }
                    followsUnknown = true
                }
            }
        }
        merger.merge()
        ids.append(contentsOf: merger.tokens)
    }
}

extension String {
    /// In Unicode's form NFC.
    var composed: String {
        var result = String.UnicodeScalarView()
        result.append(contentsOf: _nfc)
        return String(result)
    }
}
