package import Federation
import Foundation
import GRDB
import Logging

/// The files that updates travel in: first in the spool, then as blobs named by digest.
extension SQLiteStore {
    package func makeSpoolFile() -> SpoolFile { SpoolFile(path: directory.makeSpoolPath()) }

    package func discard(_ spool: SpoolFile) async {
        do throws(StoreError) {
            try await run(on: deleting) { () throws(StoreError) in
                do {
                    try self.directory.delete(spool.path)
                } catch {
                    throw self.storeError(error)
                }
            }
        } catch {
            logger.warning("a spool file stays until the next start", metadata: ["error": "\(error)"])
        }
    }

    package func blobPath(of digest: ContentDigest) -> String { directory.blobPath(of: digest) }

    package func sweepBlobs() async throws(StoreError) {
        try await run(on: deleting) { () throws(StoreError) in
            do {
                _ = try Self.deleteUnclaimedBlobs(in: self.directory, of: self.pool)
            } catch {
                throw self.storeError(error)
            }
        }
    }

    /// Deletes the blobs that no row claims, and tells how many.
    ///
    /// A blob goes in a write transaction that sees no claim, so no commit can claim it meanwhile: another client may
    /// send the same bytes at any time. Batches let commits through in between.
    static func deleteUnclaimedBlobs(in directory: DataDirectory, of pool: DatabasePool) throws -> Int {
        let digests = try directory.blobDigests()
        var deleted = 0
        for start in stride(from: 0, to: digests.count, by: 16) {
            let batch = digests[start..<min(start + 16, digests.count)]
            try pool.write { database in
                let claim = try database.cachedStatement(
                    sql: "SELECT 1 FROM updates WHERE digest = ? AND holds_blob = 1 LIMIT 1")
                for digest in batch where try Int.fetchOne(claim, arguments: [digest.data]) == nil {
                    try directory.delete(directory.blobPath(of: digest))
                    deleted += 1
                }
            }
        }
        return deleted
    }
}
