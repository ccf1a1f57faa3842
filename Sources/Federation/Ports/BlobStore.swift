/// A local file that the store manages and to which no record refers yet.
package struct SpoolFile: Sendable, Hashable {
    package let path: String
    package init(path: String) { self.path = path }
}

/// A local file with a blob's bytes. It exists, unchanged, as long as this object.
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
/// Bytes are stored before the record that refers to them. A file is staged, then published, then recorded by a step or
/// as a template. Two clients may publish the same bytes. A blob without a record is deleted, but only after a grace
/// period in which its publisher can record it.
package protocol BlobStore: Sendable {
    /// A new local path to which a body can be streamed.
    func stage() -> SpoolFile
    /// Deletes a staged file.
    func discard(_ staged: SpoolFile) async
    /// Whether a staged file's bytes must be on the disk before it is published. They need not where publishing puts
    /// them elsewhere.
    var publishesFilesThemselves: Bool { get }
    /// Publishes a staged file with its bytes as a blob under its digest. The blob is durable on return. The store owns
    /// the file from then on.
    func publish(_ staged: SpoolFile, as digest: ContentDigest) async throws(StoreError)
    /// Withdraws a publication that was not recorded. The blob is deleted unless somebody else publishes it or has
    /// recorded it.
    ///
    /// - Parameter staged: the path at which the bytes are then available again, for another attempt; nil for none.
    func withdraw(_ digest: ContentDigest, backTo staged: SpoolFile?) async
    /// A local file with a blob's bytes; nil where they are lost for good. Blocks: call it on a queue of your own.
    func lend(_ digest: ContentDigest) throws(StoreError) -> LentFile?
    /// Deletes the blobs without a record whose grace period is over.
    func sweepBlobs() async throws(StoreError)
}
