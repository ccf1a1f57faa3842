import CLinux
import Foundation

/// Where a server listens.
package enum ListeningAddress: Sendable, Hashable {
    /// An address or a name; port 0 lets the system pick one.
    case tcp(host: String, port: Int)
    /// A socket in the file system.
    case unix(path: String)
    /// The first socket that systemd has handed to this process (`LISTEN_FDS`).
    case inherited

    /// What systemd hands over begins here (sd_listen_fds(3)).
    static let firstInherited: Int32 = 3

    /// Whether nobody from another machine reaches the socket that was handed over.
    package static var inheritedIsLocal: Bool { SocketAddress(boundTo: firstInherited)?.isLoopback ?? false }

    /// Whether systemd has handed over sockets to this process.
    package static func isHandedOver(in environment: [String: String]) -> Bool {
        environment["LISTEN_PID"] == "\(getpid())" && (environment["LISTEN_FDS"].flatMap(Int.init) ?? 0) > 0
    }
}
