/// Finds tokens that stay whole in a text, such as `<|im_end|>`: at each place the longest one.
struct AddedTokens: Sendable {
    private struct Entry: Sendable {
        let content: [UInt8]
        let id: Int32
    }

    /// By their first byte, the longest first.
    private var entries: [[Entry]] = Array(repeating: [], count: 256)
    private(set) var isEmpty = true

    init(_ tokens: [(content: [UInt8], id: Int32)]) {
        for token in tokens where !token.content.isEmpty {
            entries[Int(token.content[0])].append(Entry(content: token.content, id: token.id))
            isEmpty = false
        }
        for index in entries.indices { entries[index].sort { $0.content.count > $1.content.count } }
    }

    /// The parts of a text, in order and without gaps: an added token's place with its id, or a text between two of them.
    func parts(of bytes: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>, Int32?) -> Void) {
        var (start, place) = (0, 0)
        while place < bytes.count, !isEmpty {
            guard let entry = entries[Int(bytes[place])].first(where: { Self.matches($0.content, bytes, place) }) else {
                place += 1
                continue
            }
            if start < place { body(start..<place, nil) }
            body(place..<place + entry.content.count, entry.id)
            place += entry.content.count
            start = place
        }
        if start < bytes.count { body(start..<bytes.count, nil) }
    }

    private static func matches(_ content: [UInt8], _ bytes: UnsafeBufferPointer<UInt8>, _ place: Int) -> Bool {
        guard content.count <= bytes.count - place else { return false }
        for index in content.indices where bytes[place + index] != content[index] { return false }
        return true
    }
}
