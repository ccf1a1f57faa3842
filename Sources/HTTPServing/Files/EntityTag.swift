/// An entity tag, which identifies the bytes of a representation (`ETag`).
package struct EntityTag: Sendable, Hashable, CustomStringConvertible {
    /// The text between the quotes.
    package let opaque: String
    package let isWeak: Bool

    /// - Returns: nil where the text contains what an entity tag cannot: quotes, spaces, control characters.
    package init?(_ opaque: String, isWeak: Bool = false) {
        guard opaque.utf8.allSatisfy(Self.isTagCharacter) else { return nil }
        self.opaque = opaque
        self.isWeak = isWeak
    }

    /// The strong tag of a digest, in hexadecimal.
    package init(digest: some Sequence<UInt8>) {
        let digits = Array("0123456789abcdef".utf8)
        opaque = String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
        isWeak = false
    }

    package var description: String { isWeak ? "W/\"\(opaque)\"" : "\"\(opaque)\"" }

    /// Whether `If-None-Match` contains this tag by weak comparison; entries that are no tags are ignored.
    package func isNamed(inNoneMatch value: String) -> Bool {
        isNamed(in: value) { $0.opaque == opaque }
    }

    /// Whether `If-Match` contains this tag by strong comparison; entries that are no tags are ignored.
    package func isNamed(inMatch value: String) -> Bool {
        isNamed(in: value) { !$0.isWeak && !isWeak && $0.opaque == opaque }
    }

    private func isNamed(in list: String, by isSame: (EntityTag) -> Bool) -> Bool {
        var rest = Substring(list).utf8
        while let first = rest.first {
            if first == UInt8(ascii: ",") || ByteGrammar.isBlank(first) {
                rest = rest.dropFirst()
            } else if first == UInt8(ascii: "*") {
                return true
            } else {
                guard let tag = Self.read(&rest) else { return false }
                if isSame(tag) { return true }
            }
        }
        return false
    }

    /// Whether `If-Range` has exactly this tag. A date never matches, because representations here have no date.
    package func isNamed(inRange value: String) -> Bool {
        var rest = Substring(value).utf8
        guard let tag = Self.read(&rest), rest.isEmpty else { return false }
        return !tag.isWeak && !isWeak && tag.opaque == opaque
    }

    /// Reads one tag from the start of the text.
    private static func read(_ text: inout Substring.UTF8View) -> EntityTag? {
        let isWeak = text.starts(with: "W/".utf8)
        var rest = isWeak ? text.dropFirst(2) : text
        guard rest.popFirst() == UInt8(ascii: "\"") else { return nil }
        let opaque = rest.prefix(while: isTagCharacter)
        rest = rest.dropFirst(opaque.count)
        guard rest.popFirst() == UInt8(ascii: "\"") else { return nil }
        text = rest
        return EntityTag(String(Substring(opaque)), isWeak: isWeak)
    }

    private static func isTagCharacter(_ byte: UInt8) -> Bool {
        byte == 0x21 || (byte >= 0x23 && byte != 0x7F)
    }
}
