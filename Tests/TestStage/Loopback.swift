import Glibc

/// Sockets on 127.0.0.1, for tests with something between clients and a server.
package enum Loopback {
    package struct Failure: Error {
        var call: String
        var code = errno
    }

    /// A socket that listens on a free port.
    package static func listener() throws -> (socket: Int32, port: UInt16) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        let port = try bind(listener, to: 0)
        guard listen(listener, 64) == 0 else { throw Failure(call: "listen") }
        return (listener, port)
    }

    /// Binds a socket to a port, or to a free one for 0, and returns the port.
    static func bind(_ descriptor: Int32, to port: UInt16) throws -> UInt16 {
        try withAddress(port: port) { address, length in
            guard Glibc.bind(descriptor, address, length) == 0 else { throw Failure(call: "bind") }
            var length = length
            guard getsockname(descriptor, address, &length) == 0 else { throw Failure(call: "getsockname") }
        }
    }

    /// A socket that is connected to a port; nil where no socket listens.
    package static func connection(to port: UInt16) -> Int32? {
        let end = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        let isConnected = try? withAddress(port: port) { address, length in
            guard connect(end, address, length) == 0 else { throw Failure(call: "connect") }
        }
        if isConnected != nil { return end }
        close(end)
        return nil
    }

    /// The received bytes, at most `most`; nil at the end.
    package static func receive(_ end: Int32, upTo most: Int = 64 << 10) -> [UInt8]? {
        var piece = [UInt8](repeating: 0, count: most)
        let count = recv(end, &piece, most, 0)
        return count > 0 ? Array(piece[..<count]) : nil
    }

    /// Returns whether all bytes were sent.
    @discardableResult
    package static func send(_ end: Int32, _ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                Glibc.send(end, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }

    /// Makes closing the socket reset the connection.
    package static func resetWhenClosed(_ end: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(end, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    /// Passes a port's address to the body, and returns the port in the address afterwards.
    private static func withAddress(
        port: UInt16, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) throws -> Void
    ) throws -> UInt16 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        try withUnsafeMutablePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                try body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }
}
