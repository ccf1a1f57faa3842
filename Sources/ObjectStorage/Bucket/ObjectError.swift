/// Why a call on the object store failed.
package enum ObjectError: Error, Sendable, Hashable {
    /// There is no object with this key.
    case missing
    /// The store understood the request and will not do it: any 4xx but a missing object. `code` is the store's name
    /// for the reason, such as `AccessDenied`; it is empty where the answer names none.
    case refused(status: Int, code: String, message: String)
    /// The store is away, overloaded or too slow, or its answer broke off, until the patience was used up.
    /// - Parameter retryAfter: the seconds that the store asked to wait, if it did.
    case unavailable(reason: String, retryAfter: Int?)
    /// The store's certificate is not one of the authority, is not for its host, or is out of date; or the store does not
    /// trust this client.
    case untrusted(String)
    /// The bytes are not those that the caller expects: their length or their SHA-256 differs.
    case damaged(String)
    /// There are no credentials to sign with. The text never has a secret.
    case credentials(String)
    /// The request cannot be sent as it is asked for: a key, a range or a setting is not valid.
    case invalid(String)
    /// The local disk has no space for the object.
    case noRoom(path: String)
    /// A local file cannot be read or written.
    case file(path: String, reason: String)
    /// The caller's task was cancelled.
    case cancelled

    /// Whether the same call may succeed later without anybody changing a setting.
    package var isWorthRetrying: Bool {
        switch self {
        case .unavailable, .noRoom: true
        case .missing, .refused, .untrusted, .damaged, .credentials, .invalid, .file, .cancelled: false
        }
    }
}

extension ObjectError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .missing: "there is no such object"
        case .refused(let status, let code, let message):
            "the object store refused with \(status)\(code.isEmpty ? "" : " \(code)")\(message.isEmpty ? "" : ": \(message)")"
        case .unavailable(let reason, let seconds):
            "the object store is unavailable: \(reason)\(seconds.map { "; it asks to come back in \($0) s" } ?? "")"
        case .untrusted(let reason): "the object store is not trusted: \(reason)"
        case .damaged(let reason): "the object's bytes are damaged: \(reason)"
        case .credentials(let reason): "no credentials for the object store: \(reason)"
        case .invalid(let reason): "the object store cannot be asked this: \(reason)"
        case .noRoom(let path): "\(path): the disk is full"
        case .file(let path, let reason): "\(path): \(reason)"
        case .cancelled: "the call on the object store was cancelled"
        }
    }
}
