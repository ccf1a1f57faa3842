/// Why there is no complete answer.
package enum FetchError: Error, Sendable, Hashable {
    /// The request cannot be sent, because of its URL or a field of its head.
    case malformedRequest(String)
    /// No connection: the name does not resolve, or nobody listens.
    case unreachable(String)
    /// A certificate is not trusted: the server's by this client, or this client's by the server.
    case untrusted(String)
    case timedOut(String)
    /// The connection broke before the answer was complete.
    case interrupted(String)
    /// The answer is longer than the request allows.
    case tooLarge(limit: Int64)
    /// The received bytes are not HTTP.
    case malformedResponse(String)
    /// The local disk has no space for the answer.
    case noRoom(path: String)
    /// A local file cannot be read or written.
    case file(path: String, reason: String)
    case cancelled

    /// Whether the same request may succeed later.
    package var isWorthRetrying: Bool {
        switch self {
        // A captive portal's certificate and pages are not the server's, and its pages may be too long.
        case .unreachable, .untrusted, .timedOut, .interrupted, .tooLarge, .malformedResponse, .noRoom: true
        case .malformedRequest, .file, .cancelled: false
        }
    }
}

extension FetchError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformedRequest(let reason): "the request cannot be sent: \(reason)"
        case .unreachable(let reason): "the server cannot be reached: \(reason)"
        case .untrusted(let reason): "no trust between client and server: \(reason)"
        case .timedOut(let reason): "the server took too long: \(reason)"
        case .interrupted(let reason): "the connection broke: \(reason)"
        case .tooLarge(let limit): "the answer is longer than the \(limit) bytes that are allowed"
        case .malformedResponse(let reason): "the answer is not HTTP: \(reason)"
        case .noRoom(let path): "\(path): the disk is full"
        case .file(let path, let reason): "\(path): \(reason)"
        case .cancelled: "the transfer was cancelled"
        }
    }
}
