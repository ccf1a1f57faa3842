import Federation
import Synchronization

/// Blobs that were published and are not recorded yet. Each is kept for a grace period.
final class BlobPublications: Sendable {
    private struct Publication {
        /// The number of publishers of the same bytes.
        var count: Int
        var expiresAt: Timestamp
    }

    /// The time in which a publisher must record its blob.
    static let graceSeconds = 600.0

    private let clock: any WallClock
    private let publications = Mutex<[ContentDigest: Publication]>([:])

    init(clock: any WallClock) { self.clock = clock }

    /// Keeps the blob from now on. Call it before the blob exists.
    func begin(_ digest: ContentDigest) {
        let end = clock.now().adding(seconds: Self.graceSeconds)
        publications.withLock { publications in
            publications[digest] = Publication(count: (publications[digest]?.count ?? 0) + 1, expiresAt: end)
        }
    }

    /// One publisher of the blob has recorded it or will not.
    func end(_ digest: ContentDigest) {
        publications.withLock { publications in
            guard let known = publications[digest] else { return }
            publications[digest]?.count = known.count - 1
            if known.count == 1 { publications[digest] = nil }
        }
    }

    /// Runs `delete` for a blob, unless the blob is published and its grace period is not over. Nobody can publish it
    /// meanwhile.
    ///
    /// - Returns: whether `delete` ran.
    func unlessPublished(_ digest: ContentDigest, _ delete: () throws -> Void) rethrows -> Bool {
        let now = clock.now()
        return try publications.withLock { publications in
            if let known = publications[digest], now < known.expiresAt { return false }
            publications[digest] = nil
            try delete()
            return true
        }
    }

    /// Throws where a blob that will be recorded may have been deleted.
    func require(_ digests: [ContentDigest], in directory: DataDirectory) throws(StoreError) {
        for digest in digests where publications.withLock({ $0[digest] == nil }) {
            guard directory.holds(digest) else {
                throw .failed("the blob \(digest) was not published, or too long ago")
            }
        }
    }
}
