import Crypto
import Federation
import Foundation
import ObjectStorage

/// Where bytes are in the bucket.
struct ObjectPlace: Sendable, Hashable {
    let key: String
    /// The first byte in an object that has others' bytes too; nil where it has these alone.
    let position: Int?
}

/// Puts small files that come at the same time into one object. An object store takes a few hundred objects a second,
/// whatever their length.
final class SmallFiles: Sendable {
    /// A file to be put.
    private struct File: Sendable {
        let staged: SpoolFile
        let digest: ContentDigest
        let byteCount: Int
    }

    /// The longest file that shares an object, in bytes.
    static let limit = 64 << 10

    private let objects: ObjectBucket
    /// An object is made in memory, so it has at most 8 MiB.
    private let files = CollectedQuestions<File, ObjectPlace>(limit: 128)

    init(objects: ObjectBucket) { self.objects = objects }

    /// Puts a file of at most `limit` bytes, and returns once it is durable.
    func put(
        _ staged: SpoolFile, as digest: ContentDigest, byteCount: Int
    ) async throws(StoreError) -> ObjectPlace {
        try await files.answer(to: File(staged: staged, digest: digest, byteCount: byteCount)) {
            [objects] (files: [File]) async throws(StoreError) in
            try await Self.put(files, into: objects)
        }
    }

    private static func put(_ files: [File], into objects: ObjectBucket) async throws(StoreError) -> [ObjectPlace] {
        do {
            if let only = files.first, files.count == 1 {
                let key = PostgresStore.newKey(of: only.digest)
                try await objects.put(
                    key, file: only.staged.path, byteCount: only.byteCount, sha256: only.digest.bytes)
                return [ObjectPlace(key: key, position: nil)]
            }
            var bytes: [UInt8] = []
            var positions: [Int] = []
            for file in files {
                let own = try Data(contentsOf: URL(fileURLWithPath: file.staged.path))
                guard Array(SHA256.hash(data: own)) == file.digest.bytes else {
                    throw StoreError.failed("\(file.staged.path) has other bytes than those that arrived")
                }
                positions.append(bytes.count)
                bytes += own
            }
            guard let digest = ContentDigest(bytes: Array(SHA256.hash(data: bytes))) else {
                throw StoreError.failed("a digest has no 32 bytes")
            }
            let key = PostgresStore.newKey(of: digest)
            try await objects.put(key, bytes)
            return positions.map { ObjectPlace(key: key, position: $0) }
        } catch let error as ObjectError {
            throw error.storeError
        } catch {
            throw error as? StoreError ?? .failed("\(error)")
        }
    }
}
