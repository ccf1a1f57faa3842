import Crypto
import DurableFiles
package import Federation
import Foundation
import ObjectStorage
import StoredRows
import Synchronization

/// Uploads that have not arrived completely: a local file on the server that takes the bytes, and an object for each
/// run of bytes that was acknowledged. Any server can go on with an upload; its epoch keeps an earlier one out.
extension PostgresStore: UploadStore {
    /// None: uploads are found when their clients call.
    package func partialUploads() async throws(StoreError) -> [PartialUpload] { [] }

    package func beginUpload(
        _ key: UploadKey, length: Int?, sureLength: Int?
    ) async throws(StoreError) -> SpoolFile {
        let now = clock.now()
        try await transact { connection in
            let row = try connection.run(
                """
                INSERT INTO uploads (federation, subject, epoch, length, changed_at)
                SELECT key, $2, 1, $3, $4 FROM federations WHERE id = $1 ON CONFLICT DO NOTHING RETURNING epoch
                """, [key.federation, key.subjectColumn, length, now])
            guard row.first != nil else {
                throw StoreError.failed("an upload of \(key.subjectColumn) has begun already")
            }
        }
        return try localFile(key, epoch: 1, holding: 0)
    }

    package func note(
        length: Int?, sureLength: Int?, of key: UploadKey, in file: SpoolFile
    ) async throws(StoreError) -> SpoolFile {
        let epoch = localUploads.epoch(of: file)
        let now = clock.now()
        try await transact { connection in
            let changed = try connection.run(
                """
                UPDATE uploads SET length = $4, changed_at = $5 WHERE epoch = $3 AND subject = $2
                  AND federation = (SELECT key FROM federations WHERE id = $1)
                """, [key.federation, key.subjectColumn, epoch, length, now])
            guard changed.changedCount == 1 else { throw StoreError.fenced }
        }
        return file
    }

    package func truncate(_ file: SpoolFile, to offset: Int) async throws(StoreError) {
        do throws(FileError) {
            try OwnedFile(file.path, for: .writing).truncate(to: offset)
        } catch {
            throw error.storeError
        }
    }

    package func keep(_ range: Range<Int>, of key: UploadKey, in file: SpoolFile) async throws(StoreError) {
        guard !range.isEmpty else { return }
        let epoch = localUploads.epoch(of: file)
        let digest = try Self.digest(of: file, from: range.lowerBound)
        let object = "p/\(key.federation)/\(key.subjectColumn)/\(epoch)-\(range.lowerBound)-\(range.count)"
        do {
            try await objects.put(
                object, file: file.path, from: range.lowerBound, byteCount: range.count, sha256: digest.bytes)
        } catch {
            throw error.storeError
        }
        let now = clock.now()
        try await transact { connection in
            let changed = try connection.run(
                """
                UPDATE uploads SET changed_at = $4 WHERE epoch = $3 AND subject = $2
                  AND federation = (SELECT key FROM federations WHERE id = $1) RETURNING federation
                """, [key.federation, key.subjectColumn, epoch, now])
            guard let row = changed.first else { throw StoreError.fenced }
            try connection.run(
                """
                INSERT INTO segments (federation, subject, first, bytes, object, digest) VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (federation, subject, first) DO NOTHING
                """,
                [
                    try row.value("federation") as Int64, key.subjectColumn, range.lowerBound, range.count, object,
                    digest,
                ])
        }
    }

    package func refreshed(
        _ known: PartialUpload?, of key: UploadKey
    ) async throws(StoreError) -> PartialUpload? {
        let epoch = known.map { localUploads.epoch(of: $0.file) }
        let found: StoredUpload? = try await transact { connection in
            guard
                let row = try connection.run(
                    """
                    SELECT federation, epoch, length, changed_at FROM uploads WHERE subject = $2
                      AND federation = (SELECT key FROM federations WHERE id = $1) FOR UPDATE
                    """, [key.federation, key.subjectColumn]
                ).first
            else { return nil }
            let federation: Int64 = try row.value("federation")
            var upload = StoredUpload(
                epoch: try row.value("epoch"), length: try row.optional("length"),
                changedAt: try row.instant("changed_at"), offset: 0)
            if upload.epoch == epoch { return upload }
            for segment in try Self.segments(federation, key, connection) { upload.offset = segment.end }
            upload.epoch += 1
            try connection.run(
                "UPDATE uploads SET epoch = $3 WHERE federation = $1 AND subject = $2",
                [federation, key.subjectColumn, upload.epoch])
            return upload
        }
        guard let found else { return nil }
        if found.epoch == epoch { return known }
        return PartialUpload(
            key: key, file: try localFile(key, epoch: found.epoch, holding: found.offset), length: found.length,
            offset: found.offset, sureLength: nil, changedAt: found.changedAt)
    }

    package func gather(_ key: UploadKey, into file: SpoolFile) async throws(StoreError) {
        let missing = localUploads.missing(of: file)
        guard missing > 0 else { return }
        let segments = try await read { connection in
            guard let reader = try PostgresReader(key.federation, on: connection) else { return [] as [Segment] }
            return try Self.segments(reader.key, key, connection)
        }
        for segment in segments where segment.first < missing {
            let path = scratch.makeSpoolPath()
            defer { unlink(path) }
            do {
                try await objects.get(
                    segment.object, to: path, expecting: segment.byteCount, sha256: segment.digest.bytes)
            } catch {
                throw error.storeError
            }
            try Self.copy(path, into: file, at: segment.first)
        }
        localUploads.setWhole(file)
    }

    package func endUpload(_ key: UploadKey) async throws(StoreError) {
        try await transact { connection in
            try connection.run(
                """
                INSERT INTO garbage (object, since) SELECT object, now_ms() FROM segments WHERE subject = $2
                  AND federation = (SELECT key FROM federations WHERE id = $1) ON CONFLICT DO NOTHING
                """, [key.federation, key.subjectColumn])
            try connection.run(
                "DELETE FROM uploads WHERE subject = $2 AND federation = (SELECT key FROM federations WHERE id = $1)",
                [key.federation, key.subjectColumn])
        }
    }

    package func endUploads(idleFor seconds: Double) async throws(StoreError) {
        try await transact { connection in
            let limit = Int64(seconds * 1000)
            try connection.run(
                """
                INSERT INTO garbage (object, since) SELECT object, now_ms() FROM segments
                JOIN uploads USING (federation, subject) WHERE changed_at < now_ms() - $1 ON CONFLICT DO NOTHING
                """, [limit])
            try connection.run("DELETE FROM uploads WHERE changed_at < now_ms() - $1", [limit])
        }
    }
}

extension PostgresStore {
    private struct StoredUpload {
        var epoch: Int
        let length: Int?
        let changedAt: Timestamp
        var offset: Int
    }

    /// A run of acknowledged bytes.
    private struct Segment {
        let first: Int
        let byteCount: Int
        let object: String
        let digest: ContentDigest
        var end: Int { first + byteCount }
    }

    /// The unbroken run of segments from the first byte on.
    private static func segments(
        _ federation: Int64, _ key: UploadKey, _ connection: PostgresConnection
    ) throws -> [Segment] {
        var segments: [Segment] = []
        for row in try connection.run(
            "SELECT * FROM segments WHERE federation = $1 AND subject = $2 ORDER BY first",
            [federation, key.subjectColumn]
        ).rows {
            let segment = Segment(
                first: try row.value("first"), byteCount: try row.value("bytes"), object: try row.value("object"),
                digest: try row.digest("digest"))
            guard segment.first == segments.last?.end ?? 0 else { break }
            segments.append(segment)
        }
        return segments
    }

    /// A new local file whose first bytes are still to be gathered.
    private func localFile(_ key: UploadKey, epoch: Int, holding offset: Int) throws(StoreError) -> SpoolFile {
        let file = SpoolFile(path: scratch.makeUploadPath())
        do throws(FileError) {
            try OwnedFile(file.path, for: .creating).truncate(to: offset)
        } catch {
            throw error.storeError
        }
        localUploads.add(file, epoch: epoch, missing: offset)
        return file
    }

    private static func digest(of file: SpoolFile, from offset: Int) throws(StoreError) -> ContentDigest {
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: file.path))
            defer { try? handle.close() }
            try handle.seek(toOffset: UInt64(offset))
            var hasher = SHA256()
            while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty { hasher.update(data: piece) }
            guard let digest = ContentDigest(bytes: Array(hasher.finalize())) else {
                throw StoreError.failed("SHA-256 of another length")
            }
            return digest
        } catch {
            throw error as? StoreError ?? .failed("\(error)")
        }
    }

    private static func copy(_ source: String, into file: SpoolFile, at offset: Int) throws(StoreError) {
        do {
            let input = try FileHandle(forReadingFrom: URL(fileURLWithPath: source))
            let output = try FileHandle(forWritingTo: URL(fileURLWithPath: file.path))
            defer {
                try? input.close()
                try? output.close()
            }
            try output.seek(toOffset: UInt64(offset))
            while let piece = try input.read(upToCount: 1 << 20), !piece.isEmpty { try output.write(contentsOf: piece) }
        } catch {
            throw .failed("an upload's file cannot be completed: \(error)")
        }
    }
}

/// The local files of uploads that this server takes.
final class LocalUploads: Sendable {
    private struct File {
        let epoch: Int
        /// The first bytes that only objects have.
        var missing: Int
    }

    private let files = Mutex<[SpoolFile: File]>([:])

    func add(_ file: SpoolFile, epoch: Int, missing: Int) {
        files.withLock { $0[file] = File(epoch: epoch, missing: missing) }
    }

    /// 0 for a file that is none of an upload.
    func epoch(of file: SpoolFile) -> Int { files.withLock { $0[file]?.epoch ?? 0 } }
    func missing(of file: SpoolFile) -> Int { files.withLock { $0[file]?.missing ?? 0 } }
    func setWhole(_ file: SpoolFile) { files.withLock { $0[file]?.missing = 0 } }
    func forget(_ file: SpoolFile) { files.withLock { $0[file] = nil } }
}

extension UploadKey {
    /// The stored form of the subject. Neither part can contain a `~`.
    fileprivate var subjectColumn: String {
        switch subject {
        case .update(let round, let client): "\(round)~\(client)"
        case .template: "template"
        }
    }
}
