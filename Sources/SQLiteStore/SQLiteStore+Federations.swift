import DurableFiles
package import Federation
import Foundation
import GRDB

extension SQLiteStore: FederationStore {
    package func federations() async throws(StoreError) -> StoredFederations {
        try await fetch { try FederationReader.federations(in: $0) }
    }

    package func federation(_ federation: FederationID) async throws(StoreError) -> StoredFederation? {
        try await fetch { try FederationReader.federation(federation, in: $0) }
    }

    package func create(_ federation: StoredFederation) async throws(StoreError) {
        try await commit { try FederationWriter.insert(federation, into: $0) }
    }

    package func commit(
        _ changes: [Change], to machine: FederationMachine, from revision: Int64
    ) async throws(StoreError) {
        try await commit { [directory] database in
            let writer = try FederationWriter(moving: machine, from: revision, in: database)
            for change in changes { try writer.store(change) }
            try directory.keepBlobs(of: changes)
        }
    }

    package func discard(_ federation: FederationID) async throws(StoreError) {
        try await commit { database in
            try database.execute(sql: "DELETE FROM federations WHERE id = ?", arguments: [federation.rawValue])
        }
    }

    package func round(_ number: Int, of federation: FederationID) async throws(StoreError) -> RoundMachine? {
        try await fetch { try FederationReader(federation, in: $0)?.round(number) }
    }

    package func rounds(
        before: Int, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [ListedRound] {
        try await fetch { try FederationReader(federation, in: $0)?.rounds(before: before, limit: limit) ?? [] }
    }

    package func events(
        after id: Int64, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [StoredEvent] {
        try await fetch { try FederationReader(federation, in: $0)?.events(after: id, limit: limit) ?? [] }
    }

    package func list(
        _ digest: ContentDigest, of federation: FederationID
    ) async throws(StoreError) -> ClientList? {
        try await fetch { try FederationReader(federation, in: $0)?.list(digest) }
    }

    package func probe() async throws(StoreError) {
        try await run(on: writing) { () throws(StoreError) in
            guard self.directory.isInPlace else { throw .gone }
            guard !self.directory.isFull else { throw .full }
            try self.write { database in
                try database.execute(
                    sql: """
                        INSERT INTO probes (id, count) VALUES (1, 1) ON CONFLICT DO UPDATE SET count = count + 1
                        """)
            }
        }
    }
}

extension DataDirectory {
    /// Names the blobs that came with a step and makes the names durable; to be called as a transaction's last act, so
    /// that little can still fail that would leave a blob without a row.
    fileprivate func keepBlobs(of changes: [Change]) throws(FileError) {
        var hasBlobs = false
        for case .update(let update, _, let spool) in changes {
            try keep(spool, as: update.digest)
            hasBlobs = true
        }
        if hasBlobs { try syncBlobs() }
    }
}
