import AdapterFormat
import Glibc

/// The list of a partial sum's clients, in a file of its own or within the sum's: one line each, a digest, a space and a
/// name, ascending by name.
///
/// It is mapped, and its lines are read one by one, so a long list takes no memory of its own.
package struct PartialClientList: Sendable {
    private let storage: TensorStorage
    private let range: Range<Int>

    package init(path: String) throws(PartialSumError) {
        do throws(SystemError) { storage = try TensorStorage(mapping: path) } catch { throw .system(error) }
        range = 0..<storage.count
    }

    /// The list within a sum's file.
    init(_ bytes: IntegerFile.Bytes) {
        storage = bytes.storage
        range = bytes.range
    }

    /// Calls the body with every client, ascending by name.
    package func forEach(_ body: (PartialClients.Entry) throws -> Void) throws {
        var reader = Reader(self)
        while let entry = try reader.next() { try body(entry) }
    }

    /// Checks the whole list against what a sum says of it.
    package func check(against clients: PartialClients) throws(PartialSumError) {
        var reader = Reader(self)
        var collector = PartialClients.Collector()
        while let entry = try reader.next() { try collector.take(entry) }
        let found = try collector.finish()
        guard found.count == clients.count else {
            throw .clients("has \(found.count) clients; the sum has \(clients.count)")
        }
        guard found.first == clients.first, found.last == clients.last else {
            throw .clients(
                "goes from \(found.first) to \(found.last); the sum's from \(clients.first) to \(clients.last)")
        }
        guard found.digest == clients.digest else {
            throw .clients("has the digest \(found.digest); the sum names \(clients.digest)")
        }
    }

    /// Reads a list from its start.
    struct Reader {
        private let list: PartialClientList
        private var place: Int

        init(_ list: PartialClientList) {
            self.list = list
            place = list.range.lowerBound
        }

        mutating func next() throws(PartialSumError) -> PartialClients.Entry? {
            guard place < list.range.upperBound else { return nil }
            let start = place
            // The longest line has 64 digits, a space, 255 bytes of a name and its end.
            let text = list.storage.withBytes { bytes -> String? in
                let rest = bytes[start..<list.range.upperBound].prefix(64 + 1 + 255 + 1)
                guard let end = rest.firstIndex(of: 0x0A) else { return nil }
                return String(validating: bytes[start..<end], as: UTF8.self)
            }
            guard let text else { throw .clients("has a line that is too long, has no end or is no UTF-8") }
            place += text.utf8.count + 1
            let words = text.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 2 else { throw .clients("has the line \(text); expected a digest and a name") }
            return PartialClients.Entry(client: String(words[1]), digest: String(words[0]))
        }
    }

    /// Calls the body with the entries of all lists and the index of each one's list, ascending by name.
    static func merge(
        _ lists: [PartialClientList], _ body: (Int, PartialClients.Entry) throws -> Void
    ) throws {
        var readers = lists.map(Reader.init)
        var heads = try readers.indices.map { try readers[$0].next() }
        while true {
            var least: Int?
            for (index, head) in heads.enumerated() {
                guard let head else { continue }
                if let known = least, let other = heads[known], !head.client.precedes(other.client) { continue }
                least = index
            }
            guard let least, let entry = heads[least] else { return }
            try body(least, entry)
            heads[least] = try readers[least].next()
        }
    }
}
