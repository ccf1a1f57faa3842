import Foundation

/// Why a server could not start.
package enum HTTPServerError: Error, Sendable, Hashable, CustomStringConvertible {
    case unknownHost(String, reason: String)
    case cannotListen(String, errno: Int32)
    case alreadyStarted
    case tls(TLSError)
    /// - Parameter call: the system call that failed.
    case system(_ call: String, errno: Int32)

    package var description: String {
        switch self {
        case .unknownHost(let host, let reason): "no address for \(host): \(reason)"
        case .cannotListen(let address, let code): "cannot listen on \(address): \(String(cString: strerror(code)))"
        case .tls(let error): error.description
        case .alreadyStarted: "this server was started before"
        case .system(let call, let code): "\(call) failed: \(String(cString: strerror(code)))"
        }
    }
}
