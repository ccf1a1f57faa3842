import Crypto
import Federation
import Foundation

/// The hashes that bind every row of a federation's audit log to all rows before it.
///
/// A row's hash is SHA-256 over the hash before it, the time (8 bytes) and the four other fields. A field is the byte 0
/// where it is absent, else the byte 1, its length (8 bytes) and its bytes; the round is a field of 8 bytes. Numbers are
/// big-endian. The first row follows the SHA-256 of `rankwise events` and the federation's name, so that a log cannot pass
/// for another federation's. Whoever changes, drops or moves a row would have to make every later hash anew, and with them
/// the last one, which an operator can keep elsewhere.
struct EventChain {
    /// The hash of the last row, or what the first row will follow.
    private(set) var head: ContentDigest

    /// The chain of a federation whose log is empty.
    init(of federation: FederationID) throws(StoreError) {
        var hasher = SHA256()
        hasher.update(data: Data("rankwise events".utf8))
        hasher.update(field: Array(federation.rawValue.utf8))
        head = try Self.digest(hasher)
    }

    /// A chain that goes on after a row.
    init(after head: ContentDigest) {
        self.head = head
    }

    /// Appends a row and answers its hash.
    @discardableResult
    mutating func append(_ event: AuditEvent) throws(StoreError) -> ContentDigest {
        var hasher = SHA256()
        hasher.update(data: head.bytes)
        hasher.update(data: event.at.milliseconds.bigEndianBytes)
        hasher.update(field: Array(event.kind.utf8))
        hasher.update(field: event.round.map { Int64($0).bigEndianBytes })
        hasher.update(field: event.client.map { Array($0.rawValue.utf8) })
        hasher.update(field: event.detail.map { Array($0.utf8) })
        head = try Self.digest(hasher)
        return head
    }

    private static func digest(_ hasher: SHA256) throws(StoreError) -> ContentDigest {
        guard let digest = ContentDigest(bytes: Array(hasher.finalize())) else {
            throw .failed("SHA-256 of another length")
        }
        return digest
    }
}

extension SHA256 {
    fileprivate mutating func update(field: [UInt8]?) {
        guard let field else { return update(data: [0]) }
        update(data: [1])
        update(data: Int64(field.count).bigEndianBytes)
        update(data: field)
    }
}

extension Int64 {
    fileprivate var bigEndianBytes: [UInt8] { withUnsafeBytes(of: bigEndian) { Array($0) } }
}
