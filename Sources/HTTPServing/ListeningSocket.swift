import CLinux
import Foundation

/// Opens the socket that a server listens on.
enum ListeningSocket {
    private static let backlog: Int32 = 4096

    /// - Parameter host: an IPv4 or IPv6 address, or a name, of whose addresses the first that can be had is taken,
    ///   IPv4 before IPv6.
    static func open(host: String, port: Int) throws(HTTPServerError) -> (descriptor: Int32, address: SocketAddress) {
        guard let port = UInt16(exactly: port) else { throw .cannotListen("\(host):\(port)", errno: EINVAL) }
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host.isEmpty ? nil : host, String(port), &hints, &list)
        guard code == 0 else { throw .unknownHost(host, reason: String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(list) }
        let candidates = Array(sequence(first: list) { $0?.pointee.ai_next }.prefix { $0 != nil }.compactMap(\.self))
        let preferred = candidates.filter { $0.pointee.ai_family == AF_INET }
        var failure = HTTPServerError.cannotListen("\(host):\(port)", errno: EADDRNOTAVAIL)
        for candidate in preferred + candidates.filter({ $0.pointee.ai_family != AF_INET }) {
            do throws(HTTPServerError) {
                return try open(candidate.pointee, named: "\(host):\(port)")
            } catch {
                failure = error
            }
        }
        throw failure
    }

    private static func open(
        _ candidate: addrinfo, named name: String
    ) throws(HTTPServerError) -> (descriptor: Int32, address: SocketAddress) {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(candidate.ai_family, type, 0)
        guard descriptor >= 0 else { throw .cannotListen(name, errno: errno) }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isBound =
            bind(descriptor, candidate.ai_addr, candidate.ai_addrlen) == 0 && listen(descriptor, backlog) == 0
            && withUnsafeMutablePointer(to: &storage) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
            } == 0
        let code = errno
        guard isBound, let address = SocketAddress(storage) else {
            close(descriptor)
            throw .cannotListen(name, errno: code)
        }
        return (descriptor, address)
    }
}
