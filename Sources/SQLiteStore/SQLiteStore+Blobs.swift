import DurableFiles
package import Federation
import Foundation
import GRDB
import Logging
import Synchronization

/// The files of updates and templates: first in the spool, then as blobs named by digest.
extension SQLiteStore: BlobStore {
    package var publishesFilesThemselves: Bool { true }

    package func stage() -> SpoolFile { SpoolFile(path: directory.makeSpoolPath()) }

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

    package func publish(_ staged: SpoolFile, as digest: ContentDigest) async throws(StoreError) {
        guard directory.isInPlace else { throw .gone }
        publications.begin(digest)
        do throws(FileError) {
            try await publisher.publish(staged, as: digest)
        } catch {
            await withdraw(digest, backTo: staged)
            throw storeError(error)
        }
    }

    package func withdraw(_ digest: ContentDigest, backTo staged: SpoolFile?) async {
        do throws(StoreError) {
            try await run(on: deleting) { () throws(StoreError) in
                do {
                    if let staged { try self.directory.copy(digest, backTo: staged) }
                    self.publications.end(digest)
                    _ = try self.directory.deletingBlobs { try self.deleteUnclaimed([digest]) }
                } catch {
                    self.publications.end(digest)
                    throw self.storeError(error)
                }
            }
        } catch {
            logger.warning("a blob that nothing refers to stays for a while", metadata: ["error": "\(error)"])
        }
    }

    package func lend(_ digest: ContentDigest) throws(StoreError) -> LentFile? {
        let path = directory.blobPath(of: digest)
        guard access(path, F_OK) == 0 || errno != ENOENT else { return nil }
        return LentFile(path: path)
    }

    package func sweepBlobs() async throws(StoreError) {
        try await run(on: deleting) { () throws(StoreError) in
            do {
                let sweep = try self.deleteUnclaimedBlobs()
                if sweep.isCutShort { self.sweepLater() }
            } catch {
                throw self.storeError(error)
            }
        }
    }

    /// Sweeps again later, because another process reads beside the server now. Runs on the queue for deleting.
    func sweepLater() {
        deleting.asyncAfter(deadline: .now() + .seconds(1)) { [weak self] in
            guard let self, !self.isClosed.load(ordering: .acquiring) else { return }
            do {
                let sweep = try self.deleteUnclaimedBlobs()
                if sweep.isCutShort { self.sweepLater() }
            } catch {
                self.logger.warning("blobs stay until the next sweep", metadata: ["error": "\(error)"])
            }
        }
    }

    /// The result of a sweep.
    struct Sweep {
        var deleted = 0
        /// Whether it stopped because another process reads beside the server.
        var isCutShort = false
    }

    /// Deletes the blobs that no row claims and whose grace period is over.
    ///
    /// It works in batches, so that commits can run in between.
    func deleteUnclaimedBlobs() throws -> Sweep {
        let digests = try directory.blobDigests()
        var sweep = Sweep()
        for start in stride(from: 0, to: digests.count, by: 16) {
            let batch = digests[start..<min(start + 16, digests.count)]
            guard let deleted = try directory.deletingBlobs({ try deleteUnclaimed(batch) }) else {
                sweep.isCutShort = true
                break
            }
            sweep.deleted += deleted
        }
        return sweep
    }

    /// Deletes those of the blobs that no row claims; needs the lock on the blobs' folder.
    ///
    /// A blob is deleted in a write transaction that sees no claim, so no commit can claim it meanwhile. This is
    /// necessary because another client may send the same bytes at any time.
    private func deleteUnclaimed(_ digests: some Sequence<ContentDigest>) throws -> Int {
        try pool.write { database in
            var deleted = 0
            for digest in digests where try !HeldBlob.isHeld(digest, in: database) {
                let isGone = try publications.unlessPublished(digest) {
                    try directory.delete(directory.blobPath(of: digest))
                }
                if isGone { deleted += 1 }
            }
            return deleted
        }
    }

    /// Reports blobs that differ from their records: wrong lengths at once, wrong bytes later.
    ///
    /// A round that needs such an update detects the damage itself; this report informs the operator earlier.
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
