package import Federation

/// Why bytes of an upload are refused.
package enum UploadError: Error, Sendable, Hashable {
    /// The bytes do not continue the stored ones.
    case mismatchingOffset(expected: Int, found: Int, isComplete: Bool)
    /// `Content-Digest` does not match the bytes that arrived; the upload is unchanged.
    case damaged(expected: ContentDigest, found: ContentDigest, offset: Int)
    /// The client stated another length before, or the bytes do not fit the stated length.
    case inconsistentLength(known: Int, found: Int)
    case tooLong(limit: Int)
    /// The federation's unfinished uploads have reached their limit of bytes.
    case tooManyBytes(limit: Int)
}
