package import Federation

/// Why bytes of an upload are not taken.
package enum UploadError: Error, Sendable, Hashable {
    /// The bytes do not continue those that are here.
    case mismatchingOffset(expected: Int, found: Int, isComplete: Bool)
    /// `Content-Digest` names other bytes than came; the upload is as it was before.
    case damaged(expected: ContentDigest, found: ContentDigest, offset: Int)
    /// The client said another length before, or sent more or less than it said.
    case inconsistentLength(known: Int, found: Int)
    case tooLong(limit: Int)
    /// The federation's unfinished uploads take up as much as they may.
    case tooManyBytes(limit: Int)
}
