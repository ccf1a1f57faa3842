import AdapterFormat
import Crypto

/// Whose updates a partial sum has: how many, the first and the last, and the digest of the list of all.
package struct PartialClients: Sendable, Hashable {
    package let count: Int
    package let first: String
    package let last: String
    /// SHA-256 of the list.
    package let digest: String

    /// A client in a list, with the digest of its file.
    package struct Entry: Sendable, Hashable {
        package let client: String
        /// SHA-256, 64 hexadecimal digits.
        package let digest: String

        package init(client: String, digest: String) {
            self.client = client
            self.digest = digest
        }

        var line: String { "\(digest) \(client)\n" }
    }

    /// Collects the entries of a list one by one, and keeps none of them.
    package struct Collector {
        private var hasher = SHA256()
        private var count = 0
        private var first = ""
        private var last = ""

        package init() {}

        /// - Throws: where the entry does not come after the one before, or a name or digest is none.
        package mutating func take(_ entry: Entry) throws(PartialSumError) {
            guard Self.isName(entry.client) else {
                throw .clients("has a client without a name, or with a space or control character in it")
            }
            guard entry.digest.utf8.count == 64, entry.digest.utf8.allSatisfy(Self.isDigit) else {
                throw .clients("has \(entry.digest.prefix(80)) for \(entry.client); expected 64 hexadecimal digits")
            }
            guard count == 0 || last.precedes(entry.client) else {
                if last == entry.client { throw .overlap(client: last) }
                throw .clients("is not ascending: \(entry.client) comes after \(last)")
            }
            if count == 0 { first = entry.client }
            last = entry.client
            count += 1
            hasher.update(entry.line)
        }

        package func finish() throws(PartialSumError) -> PartialClients {
            guard count > 0 else { throw .clients("is empty") }
            return PartialClients(count: count, first: first, last: last, digest: hasher.hexadecimal())
        }

        private static func isName(_ text: String) -> Bool {
            !text.isEmpty && text.utf8.count <= 255 && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
        }

        private static func isDigit(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
        }
    }
}
