import Crypto
package import Federation
import Foundation
import Logging
import ObjectStorage
import StoredRows

/// The bytes of updates and templates: a local file first, then an object with a key of its own.
extension PostgresStore: BlobStore {
    package var publishesFilesThemselves: Bool { false }

    package func stage() -> SpoolFile { SpoolFile(path: scratch.makeSpoolPath()) }

    package func discard(_ staged: SpoolFile) async {
        unlink(staged.path)
        localUploads.forget(staged)
    }

    package func publish(_ staged: SpoolFile, as digest: ContentDigest) async throws(StoreError) {
        guard let size = Self.byteCount(of: staged.path) else {
            throw .failed("\(staged.path) is not there")
        }
        let place: ObjectPlace
        if size <= SmallFiles.limit {
            place = try await smallFiles.put(staged, as: digest, byteCount: size)
        } else {
            place = ObjectPlace(key: Self.newKey(of: digest), position: nil)
            do {
                try await objects.put(place.key, file: staged.path, byteCount: size, sha256: digest.bytes)
            } catch {
                throw error.storeError
            }
        }
        // A repetition of the name takes the same bytes.
        try scratch.blobs.pin(staged, as: digest, byteCount: size)
        publications.add(digest, at: place, now: clock.now())
    }

    package func withdraw(_ digest: ContentDigest, backTo staged: SpoolFile?) async {
        guard let object = publications.take(digest) else { return }
        if let staged { scratch.blobs.copy(digest, to: staged) }
        scratch.blobs.unpin(digest)
        if !object.mayBeRecorded { await delete(object.place) }
    }

    package func lend(_ digest: ContentDigest) throws(StoreError) -> LentFile? {
        var known: (ObjectPlace, Int?)?
        if let place = publications.place(of: digest) { known = (place, nil) } else { known = try record(of: digest) }
        guard let (place, byteCount) = known else { return nil }
        if let file = scratch.blobs.lend(digest) { return file }
        let path = scratch.makeSpoolPath()
        do {
            let length = try fetch(digest, byteCount, at: place, to: path)
            return try scratch.blobs.lend(fetched: path, as: digest, byteCount: length)
        } catch let error as ObjectError {
            unlink(path)
            // An object that is gone or altered is lost for good: its client is asked again.
            switch error {
            case .missing: return nil
            case .damaged(let reason):
                logger.error("an object is damaged", metadata: ["object": "\(place.key)", "reason": "\(reason)"])
                return nil
            default: throw error.storeError
            }
        } catch {
            unlink(path)
            throw error as? StoreError ?? .failed("\(error)")
        }
    }

    /// Writes an object's bytes to a file, checked against their digest, and returns their number.
    ///
    /// - Parameter byteCount: nil where it is not known; the place is then a whole object.
    private func fetch(
        _ digest: ContentDigest, _ byteCount: Int?, at place: ObjectPlace, to path: String
    ) throws -> Int {
        guard let position = place.position, let byteCount else {
            let length = try byteCount ?? objects.blocking.head(place.key).byteCount
            try objects.blocking.get(place.key, to: path, expecting: length, sha256: digest.bytes)
            return length
        }
        let bytes = try objects.blocking.get(place.key, position..<position + byteCount)
        guard Array(SHA256.hash(data: bytes)) == digest.bytes else {
            throw ObjectError.damaged("it has other bytes at \(position) than \(digest)")
        }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return byteCount
    }

    /// Where the bytes are that a row names; nil where none does.
    private func record(of digest: ContentDigest) throws(StoreError) -> (ObjectPlace, Int?)? {
        try pool.runBlocking { connection in
            let row = try connection.run(
                """
                SELECT object, object_position, bytes FROM updates WHERE digest = $1 AND object IS NOT NULL
                UNION ALL SELECT object, object_position, bytes FROM templates
                WHERE digest = $1 AND object IS NOT NULL
                UNION ALL SELECT object, object_position, bytes FROM round_parts
                WHERE digest = $1 AND object IS NOT NULL LIMIT 1
                """, [digest]
            ).first
            return try row.map { row in
                let place = ObjectPlace(key: try row.value("object"), position: try row.optional("object_position"))
                return (place, try row.value("bytes"))
            }
        }
    }

    /// Deletes objects that nothing names any more: publications that were not recorded in time, and those whose rows
    /// have gone, a day later. While a pin stands, it deletes nothing.
    package func sweepBlobs() async throws(StoreError) {
        let expired = publications.takeExpired(at: clock.now())
        for (digest, object) in expired {
            scratch.blobs.unpin(digest)
            if !object.mayBeRecorded { await delete(object.place) }
        }
        if orphans.isDue(at: clock.now()) { try await sweepOrphans() }
        while true {
            let old = try await transact { connection in
                let pinned = try connection.run("SELECT 1 AS one FROM pins WHERE until > now_ms() LIMIT 1")
                guard pinned.first == nil else { return [] as [String] }
                // A copied adapter has the objects of its original, and small files share an object.
                try connection.run(
                    """
                    DELETE FROM garbage WHERE since < now_ms() - $1
                      AND (EXISTS (SELECT 1 FROM adapter_parts WHERE adapter_parts.object = garbage.object)
                        OR EXISTS (SELECT 1 FROM updates WHERE updates.object = garbage.object)
                        OR EXISTS (SELECT 1 FROM templates WHERE templates.object = garbage.object)
                        OR EXISTS (SELECT 1 FROM round_parts WHERE round_parts.object = garbage.object))
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

    /// Deletes an object that no row names. What cannot be deleted now is noted for the sweep, and so is an object that
    /// has others' bytes too.
    private func delete(_ place: ObjectPlace) async {
        do {
            if place.position == nil { return try await objects.delete([place.key], patience: .short) }
        } catch {
            logger.warning("an object stays for a while", metadata: ["reason": "\(error)"])
        }
        try? await transact { connection in
            _ = try connection.run(
                "INSERT INTO garbage (object, since) VALUES ($1, now_ms()) ON CONFLICT DO NOTHING", [place.key])
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
