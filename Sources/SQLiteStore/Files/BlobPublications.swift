import Federation
import Synchronization

/// The blobs that somebody has published and nothing has recorded yet, each kept for a grace.
final class BlobPublications: Sendable {
    private struct Publication {
        /// So many publish the same bytes.
        var count: Int
        var expiresAt: Timestamp
    }

    /// So long a publisher has to record what it published.
    static let graceSeconds = 600.0

    private let clock: any WallClock
    private let publications = Mutex<[ContentDigest: Publication]>([:])

    init(clock: any WallClock) { self.clock = clock }

    /// From now on the blob is kept; to be called before it is there.
    func begin(_ digest: ContentDigest) {
        let end = clock.now().adding(seconds: Self.graceSeconds)
        publications.withLock { publications in
            publications[digest] = Publication(count: (publications[digest]?.count ?? 0) + 1, expiresAt: end)
        }
    }

    /// One who has published the blob has recorded it, or will not.
    func end(_ digest: ContentDigest) {
        publications.withLock { publications in
            guard let known = publications[digest] else { return }
            publications[digest]?.count = known.count - 1
            if known.count == 1 { publications[digest] = nil }
        }
    }

    /// Does what deletes a blob, unless it is published and its grace is not over. Nobody publishes it meanwhile.
    ///
    /// - Returns: whether it was done.
    func unlessPublished(_ digest: ContentDigest, _ delete: () throws -> Void) rethrows -> Bool {
        let now = clock.now()
        return try publications.withLock { publications in
            if let known = publications[digest], now < known.expiresAt { return false }
            publications[digest] = nil
            try delete()
            return true
        }
    }

    /// Throws where a blob that is about to be recorded may be gone.
    func require(_ digests: [ContentDigest], in directory: DataDirectory) throws(StoreError) {
        for digest in digests where publications.withLock({ $0[digest] == nil }) {
            guard directory.holds(digest) else {
                throw .failed("the blob \(digest) was not published, or too long ago")
            }
        }
    }
}
