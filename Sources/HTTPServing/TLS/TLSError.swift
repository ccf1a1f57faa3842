/// Why TLS cannot be used; each error names its file.
package enum TLSError: Error, Sendable, Hashable, CustomStringConvertible {
    case certificate(path: String, reason: String)
    case key(path: String, reason: String)
    case clientCA(path: String, reason: String)
    /// Client certificates are requested, but no CA for them is given.
    case clientCAMissing
    /// OpenSSL itself failed.
    case library(reason: String)

    package var description: String {
        switch self {
        case .certificate(let path, let reason): "tls.certificate \(path): \(reason)"
        case .key(let path, let reason): "tls.key \(path): \(reason)"
        case .clientCA(let path, let reason): "tls.client_ca \(path): \(reason)"
        case .clientCAMissing: "tls.client_ca is missing; it says who signs the certificates asked of clients"
        case .library(let reason): "OpenSSL: \(reason)"
        }
    }
}
