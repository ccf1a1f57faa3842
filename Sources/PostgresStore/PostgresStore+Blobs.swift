import Crypto
package import Federation
import Foundation
import Logging
import ObjectStorage
import StoredRows

/// The bytes of updates and templates: a local file first, then an object with a key of its own.
extension PostgresStore: BlobStore {
    package func stage() -> SpoolFile { SpoolFile(path: scratch.makeSpoolPath()) }

    package func discard(_ staged: SpoolFile) async {
        unlink(staged.path)
        localUploads.forget(staged)
    }

    package func publish(_ staged: SpoolFile, as digest: ContentDigest) async throws(StoreError) {
        guard let size = Self.byteCount(of: staged.path) else {
            throw .failed("\(staged.path) is not there")
        }
        let key = Self.newKey(of: digest)
        do {
            try await objects.put(key, file: staged.path, byteCount: size, sha256: digest.bytes)
        } catch {
            throw error.storeError
        }
        // A repetition of the name takes the same bytes.
        try scratch.blobs.pin(staged, as: digest, byteCount: size)
        publications.add(digest, key: key, at: clock.now())
    }

    package func withdraw(_ digest: ContentDigest, backTo staged: SpoolFile?) async {
        guard let object = publications.take(digest) else { return }
        if let staged { scratch.blobs.copy(digest, to: staged) }
        scratch.blobs.unpin(digest)
        if !object.mayBeRecorded { await delete([object.key]) }
    }

    package func lend(_ digest: ContentDigest) throws(StoreError) -> LentFile? {
        var known: (String, Int?)?
        if let key = publications.key(of: digest) { known = (key, nil) } else { known = try record(of: digest) }
        guard let (key, byteCount) = known else { return nil }
        if let file = scratch.blobs.lend(digest) { return file }
        let path = scratch.makeSpoolPath()
        do {
            let length = try byteCount ?? objects.blocking.head(key).byteCount
            try objects.blocking.get(key, to: path, expecting: length, sha256: digest.bytes)
            return try scratch.blobs.lend(fetched: path, as: digest, byteCount: length)
        } catch let error as ObjectError {
            unlink(path)
            // An object that is gone or altered is lost for good: its client is asked again.
            switch error {
            case .missing: return nil
            case .damaged(let reason):
                logger.error("an object is damaged", metadata: ["object": "\(key)", "reason": "\(reason)"])
                return nil
            default: throw error.storeError
            }
        } catch {
            unlink(path)
            throw error as? StoreError ?? .failed("\(error)")
        }
    }

    /// The object that a row names for these bytes; nil where none does.
    private func record(of digest: ContentDigest) throws(StoreError) -> (String, Int?)? {
        try pool.runBlocking { connection in
            let row = try connection.run(
                """
                SELECT object, bytes FROM updates WHERE digest = $1 AND object IS NOT NULL
                UNION ALL SELECT object, bytes FROM templates WHERE digest = $1 AND object IS NOT NULL
                UNION ALL SELECT object, bytes FROM round_parts WHERE digest = $1 AND object IS NOT NULL LIMIT 1
                """, [digest]
            ).first
            return try row.map { (try $0.value("object"), try $0.value("bytes")) }
        }
    }

    /// Deletes objects that nothing names any more: publications that were not recorded in time, and those whose rows
    /// have gone, a day later. While a pin stands, it deletes nothing.
    package func sweepBlobs() async throws(StoreError) {
        let expired = publications.takeExpired(at: clock.now())
        for (digest, object) in expired {
            scratch.blobs.unpin(digest)
            if !object.mayBeRecorded { await delete([object.key]) }
        }
        if orphans.isDue(at: clock.now()) { try await sweepOrphans() }
        while true {
            let old = try await transact { connection in
                let pinned = try connection.run("SELECT 1 AS one FROM pins WHERE until > now_ms() LIMIT 1")
                guard pinned.first == nil else { return [] as [String] }
                // A copied adapter has the objects of its original.
                try connection.run(
                    """
                    DELETE FROM garbage WHERE since < now_ms() - $1
                      AND EXISTS (SELECT 1 FROM adapter_parts WHERE adapter_parts.object = garbage.object)
                    """, [Self.graceMilliseconds])
                return try connection.run(
                    "SELECT object FROM garbage WHERE since < now_ms() - $1 ORDER BY since LIMIT 500",
                    [Self.graceMilliseconds]
                ).rows.map { try $0.value("object") }
            }
            guard !old.isEmpty else { return }
            do { try await objects.delete(old) } catch { throw error.storeError }
            try await transact { connection in
                _ = try connection.run(old.map { PostgresStatement("DELETE FROM garbage WHERE object = $1", [$0]) })
            }
        }
    }

    /// An object outlives its rows by a day.
    private static let graceMilliseconds = 86_400_000

    /// Deletes objects that no row names; what cannot be deleted now is noted for the sweep.
    private func delete(_ keys: [String]) async {
        do {
            try await objects.delete(keys, patience: .short)
        } catch {
            logger.warning("objects stay for a while", metadata: ["reason": "\(error)"])
            try? await transact { connection in
                for key in keys {
                    try connection.run(
                        "INSERT INTO garbage (object, since) VALUES ($1, 0) ON CONFLICT DO NOTHING", [key])
                }
            }
        }
    }

    /// A key that no other object has, also where another one has the same bytes.
    static func newKey(of digest: ContentDigest) -> String {
        "b/\(digest.hex)-\(String(UInt64.random(in: .min ... .max), radix: 36))"
    }

    static func byteCount(of path: String) -> Int? {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : nil
    }
}

extension ObjectError {
    /// The port's error.
    var storeError: StoreError {
        if case .noRoom = self { .full } else { .failed(description) }
    }
}
