package import Federation
import Foundation
import GRDB
import Logging
import Synchronization

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
                let sweep = try Self.deleteUnclaimedBlobs(in: self.directory, of: self.pool)
                if sweep.isCutShort { self.sweepLater() }
            } catch {
                throw self.storeError(error)
            }
        }
    }

    /// Sweeps again in a while, for somebody reads beside the server now; on the queue for deleting.
    func sweepLater() {
        deleting.asyncAfter(deadline: .now() + .seconds(1)) { [weak self] in
            guard let self, !self.isClosed.load(ordering: .acquiring) else { return }
            do {
                let sweep = try Self.deleteUnclaimedBlobs(in: self.directory, of: self.pool)
                if sweep.isCutShort { self.sweepLater() }
            } catch {
                self.logger.warning("blobs stay until the next sweep", metadata: ["error": "\(error)"])
            }
        }
    }

    /// How far a sweep came.
    struct Sweep {
        var deleted = 0
        /// Whether it stopped because somebody reads beside the server.
        var isCutShort = false
    }

    /// Deletes the blobs that no row claims.
    ///
    /// A blob goes in a write transaction that sees no claim, so no commit can claim it meanwhile: another client may
    /// send the same bytes at any time. Batches let commits through in between.
    static func deleteUnclaimedBlobs(in directory: DataDirectory, of pool: DatabasePool) throws -> Sweep {
        let digests = try directory.blobDigests()
        var sweep = Sweep()
        for start in stride(from: 0, to: digests.count, by: 16) {
            let batch = digests[start..<min(start + 16, digests.count)]
            let deleted = try directory.deletingBlobs {
                try pool.write { database in
                    var deleted = 0
                    for digest in batch where try !HeldBlob.isHeld(digest, in: database) {
                        try directory.delete(directory.blobPath(of: digest))
                        deleted += 1
                    }
                    return deleted
                }
            }
            guard let deleted else {
                sweep.isCutShort = true
                break
            }
            sweep.deleted += deleted
        }
        return sweep
    }

    /// Reports blobs that are not what was acknowledged: at once where the length tells, later where only the bytes do.
    ///
    /// A round that needs such an update finds out by itself; this tells the operator as early as can be.
    func reportDamage(to blobs: [HeldBlob]) {
        let (directory, logger) = (directory, logger)
        var whole: [HeldBlob] = []
        for blob in blobs {
            if let damage = blob.lengthDamage(in: directory) {
                logger.error("a stored file is damaged", metadata: ["blob": "\(blob)", "reason": "\(damage)"])
            } else {
                whole.append(blob)
            }
        }
        for blob in whole {
            checking.async { [weak self] in
                guard let self, !self.isClosed.load(ordering: .acquiring) else { return }
                do {
                    guard let damage = try blob.damage(in: directory), try self.isHeld(blob) else { return }
                    logger.error("a stored file is damaged", metadata: ["blob": "\(blob)", "reason": "\(damage)"])
                } catch {
                    logger.error(
                        "a stored file cannot be checked", metadata: ["blob": "\(blob)", "reason": "\(error)"])
                }
            }
        }
    }

    /// Whether a record still needs the blob.
    private func isHeld(_ blob: HeldBlob) throws -> Bool {
        try pool.read { try HeldBlob.isHeld(blob.digest, in: $0) }
    }
}
