import CLinux
import Foundation

/// A socket's own address or its peer's: an IPv4 or IPv6 address and a port, or a Unix socket.
package struct SocketAddress: Sendable, Hashable {
    package enum Host: Sendable, Hashable {
        /// In network byte order.
        case v4(UInt32)
        /// The sixteen bytes as two words in network byte order.
        case v6(UInt64, UInt64)
        /// A Unix socket; its peer has no path.
        case unix(path: String)
    }

    package let host: Host
    package let port: UInt16

    package var isLoopback: Bool {
        switch host {
        case .v4(let address): UInt32(bigEndian: address) >> 24 == 127
        case .v6(let high, let low): high == 0 && UInt64(bigEndian: low) == 1
        case .unix: true
        }
    }

    /// The unit that limits count as one peer: an IPv4 address, or the /64 of one IPv6 subscriber.
    var subscriber: Host {
        switch host {
        case .v4, .unix: host
        case .v6(let high, _): .v6(high, 0)
        }
    }

    /// The address that a socket is bound to.
    init?(boundTo descriptor: Int32) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let code = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard code == 0 else { return nil }
        self.init(storage)
    }

    /// - Returns: nil for a family other than IPv4, IPv6 and Unix sockets.
    init?(_ storage: sockaddr_storage) {
        switch Int32(storage.ss_family) {
        case AF_UNIX:
            let path = withUnsafeBytes(of: storage) { bytes in
                let path = bytes.dropFirst(MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2)
                return String(decoding: path.prefix { $0 != 0 }, as: UTF8.self)
            }
            self.init(host: .unix(path: path), port: 0)
        case AF_INET:
            let address = withUnsafeBytes(of: storage) { $0.loadUnaligned(as: sockaddr_in.self) }
            self.init(host: .v4(address.sin_addr.s_addr), port: UInt16(bigEndian: address.sin_port))
        case AF_INET6:
            let address = withUnsafeBytes(of: storage) { $0.loadUnaligned(as: sockaddr_in6.self) }
            self.init(host: Host(address.sin6_addr), port: UInt16(bigEndian: address.sin6_port))
        default:
            return nil
        }
    }

    package init(host: Host, port: UInt16) {
        self.host = host
        self.port = port
    }
}

extension SocketAddress: CustomStringConvertible {
    /// In the form of a URL: `127.0.0.1:8080`, `[::1]:8080`.
    package var description: String {
        switch host {
        case .v4(var address):
            return "\(Self.text(AF_INET, &address)):\(port)"
        case .v6(let high, let low):
            var words = (high, low)
            return "[\(Self.text(AF_INET6, &words))]:\(port)"
        case .unix(let path):
            return "unix:\(path)"
        }
    }

    private static func text(_ family: Int32, _ address: UnsafeRawPointer) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            guard let start = buffer.baseAddress,
                inet_ntop(family, address, start, socklen_t(buffer.count)) != nil
            else { return "?" }
            return String(cString: start)
        }
    }
}
