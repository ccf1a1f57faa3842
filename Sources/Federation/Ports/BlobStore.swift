/// A local file in the store's care that no record refers to yet.
package struct SpoolFile: Sendable, Hashable {
    package let path: String
    package init(path: String) { self.path = path }
}

/// A local file with a blob's bytes. It stays, unchanged, while somebody holds this.
package final class LentFile: Sendable {
    package let path: String
    private let release: @Sendable () -> Void

    package init(path: String, release: @escaping @Sendable () -> Void = {}) {
        self.path = path
        self.release = release
    }

    deinit { release() }
}

/// Keeps the bytes of updates and templates, each under its SHA-256.
///
/// Bytes come before the record that refers to them: a file is staged, published, and recorded by a step or as a
/// template. Two clients may publish the same bytes. What no record refers to is deleted, but not within the grace that
/// a publisher has to record it.
package protocol BlobStore: Sendable {
    /// A fresh local path for a body to be streamed to.
    func stage() -> SpoolFile
    /// Forgets a staged file.
    func discard(_ staged: SpoolFile) async
    /// Makes a staged file, whose bytes are durable, a blob under its digest; the name is durable on return. The file is
    /// the store's from then on.
    func publish(_ staged: SpoolFile, as digest: ContentDigest) async throws(StoreError)
    /// Takes a publication back that nothing recorded: the blob goes unless somebody else publishes or has recorded it.
    ///
    /// - Parameter staged: where the bytes are to be again, for another try; nil for nowhere.
    func withdraw(_ digest: ContentDigest, backTo staged: SpoolFile?) async
    /// A local file with a blob's bytes; nil where they are gone for good. Blocks: call it on a queue of your own.
    func lend(_ digest: ContentDigest) throws(StoreError) -> LentFile?
    /// Deletes the blobs that no record refers to and whose grace is over.
    func sweepBlobs() async throws(StoreError)
}
