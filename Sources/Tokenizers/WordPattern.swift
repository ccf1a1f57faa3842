/// How a byte-level tokenizer cuts a text into words before it merges bytes: the known patterns, as scanners.
///
/// A scanner finds what the pattern's regular expression finds, alternative by alternative.
package enum WordPattern: Sendable, Hashable, CaseIterable {
    /// GPT-2's.
    case gpt2
    /// GPT-2's after each numeric character was set apart: SmolLM.
    case digitsThenGPT2
    /// Numbers of up to three digits: Llama 3.
    case llama3
    /// Numbers of one digit: Qwen 2.
    case qwen2

    /// The expressions by which `tokenizer.json` spells them.
    static let expressions: [String: WordPattern] = [
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#: .gpt2,
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#:
            .llama3,
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#:
            .qwen2,
    ]

    /// The names by which GGUF's `tokenizer.ggml.pre` calls them.
    static let names: [String: WordPattern] = [
        "gpt-2": .gpt2, "gpt2": .gpt2, "smollm": .digitsThenGPT2, "llama-bpe": .llama3, "llama3": .llama3,
        "llama-v3": .llama3, "qwen2": .qwen2, "deepseek-r1-qwen": .qwen2,
    ]

    /// Calls `body` with the place of each word, in order and without gaps.
    ///
    /// - Precondition: the bytes are sound UTF-8.
    func words(in bytes: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
        ScalarClass.withTable { table in
            let reader = ScalarReader(bytes, table: table)
            var place = 0
            while place < bytes.count {
                let end =
                    switch self {
                    case .gpt2: reader.gpt2Word(from: place, limit: bytes.count)
                    case .digitsThenGPT2: reader.wordBetweenDigits(from: place)
                    case .llama3: reader.llama3Word(from: place, digits: 3)
                    case .qwen2: reader.llama3Word(from: place, digits: 1)
                    }
                body(place..<end)
                place = end
            }
        }
    }
}

extension ScalarReader {
    /// The end of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` at `place`; nil where there is none.
    @inline(__always)
    private func contraction(at place: Int, limit: Int, ignoringCase: Bool) -> Int? {
        guard bytes[place] == UInt8(ascii: "'"), place + 1 < limit else { return nil }
        func letter(_ offset: Int) -> UInt8 {
            guard offset < limit else { return 0 }
            return ignoringCase && UInt8(ascii: "A")...UInt8(ascii: "Z") ~= bytes[offset]
                ? bytes[offset] | 0x20 : bytes[offset]
        }
        let (first, second) = (letter(place + 1), letter(place + 2))
        switch first {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return place + 2
        case UInt8(ascii: "r"), UInt8(ascii: "v"): return second == UInt8(ascii: "e") ? place + 3 : nil
        case UInt8(ascii: "l"): return second == UInt8(ascii: "l") ? place + 3 : nil
        // U+017F, the long s, is an s where case does not count.
        case 0xC5: return ignoringCase && second == 0xBF ? place + 3 : nil
        default: return nil
        }
    }

    /// The end of `\s+(?!\S)|\s+` at `place`, where the run of space ends at `end`: without its last character where
    /// another one than space follows, unless it is the only one.
    @inline(__always)
    private func space(from place: Int, to end: Int, limit: Int) -> Int {
        guard end < limit else { return end }
        var last = end - 1
        while bytes[last] & 0xC0 == 0x80 { last -= 1 }
        return last > place ? last : end
    }

    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    ///
    /// - Parameter limit: the end of the text.
    func gpt2Word(from place: Int, limit: Int) -> Int {
        if let end = contraction(at: place, limit: limit, ignoringCase: false) { return end }
        let first = character(at: place)
        // The character that says what the word is of: the first, or the one after a space.
        var (kind, body) = (first.class, place)
        if bytes[place] == 0x20, place + 1 < limit { (kind, body) = (character(at: place + 1).class, place + 1) }
        func run(while holds: (ScalarClass) -> Bool) -> Int {
            var end = body
            while end < limit {
                let next = character(at: end)
                guard holds(next.class) else { break }
                end += next.length
            }
            return end
        }
        if kind == .letter { return run { $0 == .letter } }
        if kind == .number { return run { $0 == .number } }
        if kind == [] { return run { $0 == [] } }
        body = place
        return space(from: place, to: run { $0.contains(.space) }, limit: limit)
    }

    /// A numeric character, or a word of GPT-2's in the text up to the next one.
    func wordBetweenDigits(from place: Int) -> Int {
        let first = character(at: place)
        if first.class == .number { return place + first.length }
        // A word that ends before the next numeric character cannot see it; a run of space could.
        let end = gpt2Word(from: place, limit: count)
        guard bytes[place] == 0x20 || first.class.contains(.space) else { return end }
        let limit = self.end(from: place) { $0.contains(.space) }
        guard limit < count, character(at: limit).class == .number else { return end }
        return limit
    }

    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
    ///
    /// - Parameter digits: the most numeric characters of a word; Qwen 2 has `\p{N}` in place of `\p{N}{1,3}`.
    func llama3Word(from place: Int, digits: Int) -> Int {
        if let end = contraction(at: place, limit: count, ignoringCase: true) { return end }
        let first = character(at: place)
        let second = place + first.length
        if first.class == .letter { return end(from: second) { $0 == .letter } }
        if first.class == .number {
            var (end, taken) = (second, 1)
            while taken < digits, end < count {
                let next = character(at: end)
                guard next.class == .number else { break }
                (end, taken) = (end + next.length, taken + 1)
            }
            return end
        }
        let following = second < count ? character(at: second).class : .newline
        if !first.class.contains(.newline), following == .letter { return end(from: second) { $0 == .letter } }
        if first.class == [] || (bytes[place] == 0x20 && following == []) {
            let marks = end(from: second) { $0 == [] }
            return end(from: marks) { $0.contains(.newline) }
        }
        // A run of space: up to its last line end, or as in GPT-2's pattern.
        var (end, afterNewline) = (place, place)
        while end < count {
            let next = character(at: end)
            guard next.class.contains(.space) else { break }
            end += next.length
            if next.class.contains(.newline) { afterNewline = end }
        }
        return afterNewline > place ? afterNewline : space(from: place, to: end, limit: count)
    }
}
