import CLinux
import Foundation

/// Opens the socket that a server listens on.
enum ListeningSocket {
    private static let backlog: Int32 = 4096

    static func open(
        _ address: ListeningAddress
    ) throws(HTTPServerError) -> (descriptor: Int32, address: SocketAddress) {
        switch address {
        case .tcp(let host, let port): try open(host: host, port: port)
        case .unix(let path): try open(path: path)
        case .inherited: try adopt(ListeningAddress.firstInherited)
        }
    }

    /// Opens a Unix socket for the owner and the group; replaces one on which nobody listens any more.
    private static func open(path: String) throws(HTTPServerError) -> (descriptor: Int32, address: SocketAddress) {
        let name = "unix:\(path)"
        guard var address = sockaddr_un(path: path) else { throw .cannotListen(name, errno: ENAMETOOLONG) }
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw .cannotListen(name, errno: errno) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        // A socket whose connect was refused cannot be bound, so this one is only for the check.
        let isTaken =
            withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
            } == 0
        let code = errno
        close(descriptor)
        guard !isTaken else { throw .cannotListen(name, errno: EADDRINUSE) }
        if code == ECONNREFUSED { unlink(path) }
        let fresh = socket(AF_UNIX, type, 0)
        guard fresh >= 0 else { throw .cannotListen(name, errno: errno) }
        let isBound =
            withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fresh, $0, length) }
            } == 0 && chmod(path, 0o660) == 0 && listen(fresh, backlog) == 0
        guard isBound else {
            let code = errno
            close(fresh)
            throw .cannotListen(name, errno: code)
        }
        return (fresh, SocketAddress(host: .unix(path: path), port: 0))
    }

    /// Adopts a socket that another process has opened and that listens already.
    static func adopt(_ descriptor: Int32) throws(HTTPServerError) -> (
        descriptor: Int32, address: SocketAddress
    ) {
        let name = "the socket that was handed over"
        var listens: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 else {
            throw .cannotListen(name, errno: errno)
        }
        guard listens == 1 else { throw .cannotListen(name, errno: EINVAL) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        guard let address = SocketAddress(boundTo: descriptor) else { throw .cannotListen(name, errno: EAFNOSUPPORT) }
        return (descriptor, address)
    }

    /// - Parameter host: an IPv4 or IPv6 address, or a name. For a name it uses the first address that can be bound,
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
        let isBound = bind(descriptor, candidate.ai_addr, candidate.ai_addrlen) == 0 && listen(descriptor, backlog) == 0
        let code = errno
        guard isBound, let address = SocketAddress(boundTo: descriptor) else {
            close(descriptor)
            throw .cannotListen(name, errno: code)
        }
        return (descriptor, address)
    }
}

extension sockaddr_un {
    /// - Returns: nil for a path that does not fit.
    fileprivate init?(path: String) {
        self.init()
        sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: sun_path)
        guard !bytes.isEmpty, bytes.count < room, !bytes.contains(0) else { return nil }
        withUnsafeMutableBytes(of: &sun_path) { $0.copyBytes(from: bytes) }
    }
}
