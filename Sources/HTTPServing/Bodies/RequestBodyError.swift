import Foundation

/// Why a request's body could not be taken whole.
package enum RequestBodyError: Error, Sendable, Hashable {
    /// It is longer than the reader or the server allows.
    case tooLong(limit: Int)
    /// It came slower than `Limits.leastBodyRate`.
    case tooSlow
    /// The peer left before its end, or the server stopped.
    case peerGone
    /// Somebody else on this server ended it (`RequestBody.stop`).
    case stopped
    /// Its chunks are not chunks.
    case malformed(HTTPParseError)
    /// The disk or the quota is full.
    case noSpace
    /// The file could not be made, written or synced, for a reason other than room.
    case fileFailed(errno: Int32)
    /// With it, more bytes would be in flight than `Limits.bodyBytesInFlight`.
    case overloaded(retryAfter: Int)
    /// The body was read before, or its request is answered.
    case alreadyRead

    /// - Parameter code: `errno` after a failed call on the file.
    init(fileError code: Int32) {
        self = code == ENOSPC || code == EDQUOT ? .noSpace : .fileFailed(errno: code)
    }
}
