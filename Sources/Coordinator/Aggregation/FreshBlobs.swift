import Federation
import Foundation
import Synchronization

/// Blobs whose bytes this process has just hashed and written. The aggregation need not hash them again.
///
/// A blob is fresh for ten minutes, as long as its file still has the noted inode, length and both times. Any other
/// blob is read and compared with its digest (see `BlobCheck`).
final class FreshBlobs: Sendable {
    private struct File: Equatable {
        let inode: UInt64
        let byteCount: Int
        let modified: Int64
        let changed: Int64

        /// nil where there is no such file.
        init?(at path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            inode = UInt64(status.st_ino)
            byteCount = Int(status.st_size)
            modified = Self.nanoseconds(status.st_mtim)
            changed = Self.nanoseconds(status.st_ctim)
        }

        private static func nanoseconds(_ time: timespec) -> Int64 {
            Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
        }
    }

    /// The time for which a blob is fresh, in seconds.
    private static let lifetime = 600.0

    private let files = Mutex<[ContentDigest: (file: File, at: Timestamp)]>([:])

    /// Notes a blob whose bytes were hashed while they were written to its file.
    func note(_ digest: ContentDigest, at path: String, now: Timestamp) {
        guard let file = File(at: path) else { return }
        files.withLock { files in
            files[digest] = (file, now)
            // With so many entries, most are too old.
            guard files.count > 1024, files.count.nonzeroBitCount == 1 else { return }
            files = files.filter { now.seconds(since: $0.value.at) <= Self.lifetime }
        }
    }

    func contains(_ digest: ContentDigest, byteCount: Int, at path: String, now: Timestamp) -> Bool {
        guard let known = files.withLock({ $0[digest] }), now.seconds(since: known.at) <= Self.lifetime,
            let file = File(at: path)
        else { return false }
        return file == known.file && file.byteCount == byteCount
    }

    /// Forgets blobs that no aggregation needs any more.
    func forget(_ digests: some Sequence<ContentDigest>) {
        files.withLock { files in for digest in digests { files[digest] = nil } }
    }
}
