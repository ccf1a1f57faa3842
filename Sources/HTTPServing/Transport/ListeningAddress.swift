import CLinux
import Foundation

/// The address that a server listens on.
package enum ListeningAddress: Sendable, Hashable {
    /// An address or a name; with port 0 the system chooses one.
    case tcp(host: String, port: Int)
    /// A Unix socket.
    case unix(path: String)
    /// The first socket that systemd has handed to this process (`LISTEN_FDS`).
    case inherited

    /// The first descriptor that systemd hands over (sd_listen_fds(3)).
    static let firstInherited: Int32 = 3

    /// Whether other machines cannot reach the socket that was handed over.
    package static var inheritedIsLocal: Bool { SocketAddress(boundTo: firstInherited)?.isLoopback ?? false }

    /// Whether systemd has handed over sockets to this process.
    package static func isHandedOver(in environment: [String: String]) -> Bool {
        environment["LISTEN_PID"] == "\(getpid())" && (environment["LISTEN_FDS"].flatMap(Int.init) ?? 0) > 0
    }
}
