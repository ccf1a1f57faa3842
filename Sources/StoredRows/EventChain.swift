import Crypto
package import Federation
import Foundation

/// A hash chain over a federation's audit log: every hash depends on all earlier rows.
///
/// A row's hash is SHA-256 over the previous hash, the time (8 bytes) and the four other fields. An absent field is the
/// byte 0. Any other field is the byte 1, its length (8 bytes) and its bytes; the round is a field of 8 bytes. Numbers
/// are big-endian. The first row follows the SHA-256 of `rankwise events` and the federation's name, so that one
/// federation's log cannot replace another's.
///
/// To change, drop or move a row, an attacker must recompute every later hash. The last hash changes too, and an
/// operator can keep it elsewhere.
package struct EventChain {
    /// The hash of the last row; for an empty log, the hash that the first row follows.
    package private(set) var head: ContentDigest

    /// The chain of a federation with an empty log.
    package init(of federation: FederationID) throws(StoreError) {
        var hasher = SHA256()
        hasher.update(data: Data("rankwise events".utf8))
        hasher.update(field: Array(federation.rawValue.utf8))
        head = try Self.digest(hasher)
    }

    /// A chain that continues after a row.
    package init(after head: ContentDigest) {
        self.head = head
    }

    /// Appends a row and returns its hash.
    @discardableResult
    package mutating func append(_ event: AuditEvent) throws(StoreError) -> ContentDigest {
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
