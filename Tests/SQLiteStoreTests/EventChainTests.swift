import Crypto
import Federation
import Foundation
import StoreConformance
import StoredRows
import Testing

@testable import SQLiteStore

/// The hashes of the audit log.
@Suite struct EventChainTests {
    private let event = AuditEvent(
        at: Timestamp(milliseconds: 258), kind: "k", round: 3, client: nil, detail: "ß")

    private func bytes(_ number: UInt8) -> [UInt8] { [0, 0, 0, 0, 0, 0, 0, number] }

    @Test func `a row's hash is over the hash before it and all of its fields`() throws {
        var chain = try EventChain(of: try FederationID("f"))
        let first = Array("rankwise events".utf8) + [1] + bytes(1) + Array("f".utf8)
        #expect(chain.head.bytes == Array(SHA256.hash(data: first)))
        let row: [UInt8] =
            chain.head.bytes + [0, 0, 0, 0, 0, 0, 1, 2] + [1] + bytes(1) + [0x6b] + [1] + bytes(8) + bytes(3) + [0]
            + [1] + bytes(2) + [0xc3, 0x9f]
        #expect(try chain.append(event).bytes == Array(SHA256.hash(data: row)))
    }

    @Test func `no two rows that differ in a field have the same hash`() throws {
        let client = try ClientName("c")
        let events = [
            event, AuditEvent(at: Timestamp(milliseconds: 259), kind: "k", round: 3, detail: "ß"),
            AuditEvent(at: event.at, kind: "l", round: 3, detail: "ß"),
            AuditEvent(at: event.at, kind: "k", round: 4, detail: "ß"),
            AuditEvent(at: event.at, kind: "k", round: nil, detail: "ß"),
            AuditEvent(at: event.at, kind: "k", round: 3, client: client, detail: "ß"),
            AuditEvent(at: event.at, kind: "k", round: 3, client: client),
            AuditEvent(at: event.at, kind: "k", round: 3, detail: "c"),
            AuditEvent(at: event.at, kind: "k", round: 3, detail: ""),
        ]
        let hashes = try events.map { event in
            var chain = try EventChain(of: try FederationID("f"))
            return try chain.append(event)
        }
        #expect(Set(hashes).count == events.count)
        var other = try EventChain(of: try FederationID("g"))
        #expect(try other.append(event) != hashes[0])
    }
}
