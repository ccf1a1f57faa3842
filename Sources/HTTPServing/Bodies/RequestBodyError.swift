import Foundation

/// Why a request's body could not be received whole.
package enum RequestBodyError: Error, Sendable, Hashable {
    /// It is longer than its handler or the server allows.
    case tooLong(limit: Int)
    /// It came slower than `Limits.leastBodyRate`.
    case tooSlow
    /// The peer disconnected before its end, or the server stopped.
    case peerGone
    /// Another part of this server ended it (`RequestBody.stop`).
    case stopped
    /// Its chunks are malformed.
    case malformed(HTTPParseError)
    /// The disk or the quota is full.
    case noSpace
    /// The file could not be created, written or synced, for a reason other than space.
    case fileFailed(errno: Int32)
    /// This body would exceed `Limits.bodyBytesInFlight`.
    case overloaded(retryAfter: Int)
    /// The body was read before, or its request is already answered.
    case alreadyRead

    /// - Parameter code: `errno` after a failed call on the file.
    init(fileError code: Int32) {
        self = code == ENOSPC || code == EDQUOT ? .noSpace : .fileFailed(errno: code)
    }
}
