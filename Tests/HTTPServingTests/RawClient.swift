import Foundation

/// A peer on a raw socket, so that tests decide every byte and every half-close.
class RawClient {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private(set) var descriptor: Int32

    /// - Parameter port: on 127.0.0.1.
    init(port: UInt16, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        // A server that never answers fails the test instead of hanging it.
        var limit = timeval(tv_sec: 300, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), Int32(TCP_NODELAY), &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(description: "connect: \(String(cString: strerror(errno)))") }
    }

    deinit { leave() }

    func send(_ text: String) throws {
        try send(Array(text.utf8))
    }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { write($0) }
            guard count > 0 else { throw Failure(description: "send: \(String(cString: strerror(errno)))") }
            sent += count
        }
    }

    /// - Returns: how many bytes the socket took, -1 for a failure.
    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// - Returns: 0 at the server's end, -1 for a failure.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        while true {
            // A receive with a time-out is not taken up again by itself after the process was stopped.
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count >= 0 || errno != EINTR { return count }
        }
    }

    /// Says that nothing more will be sent.
    func finishSending() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Closes the socket at once.
    func leave() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }

    /// Leaves so that the server's end of the connection breaks.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        leave()
    }

    private var buffered: [UInt8] = []

    /// - Returns: false at the server's end.
    private func receiveMore() throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = chunk.withUnsafeMutableBytes { read(into: $0) }
        guard count >= 0 else { throw Failure(description: "recv: \(String(cString: strerror(errno)))") }
        buffered += chunk[..<count]
        return count > 0
    }

    /// Everything up to the server's end.
    func receiveAll() throws -> [UInt8] {
        while try receiveMore() {}
        defer { buffered = [] }
        return buffered
    }

    func receive(_ count: Int) throws -> [UInt8] {
        while buffered.count < count {
            guard try receiveMore() else { throw Failure(description: "closed after \(buffered.count) bytes") }
        }
        defer { buffered.removeFirst(count) }
        return Array(buffered[..<count])
    }

    /// A head, and the body that its Content-Length announces.
    func receiveAnswer(hasBody: Bool = true) throws -> Answer {
        let separator = Array("\r\n\r\n".utf8)
        var searched = 0
        while true {
            let end = buffered[searched...].indices.first {
                $0 + 4 <= buffered.count && buffered[$0..<$0 + 4].elementsEqual(separator)
            }
            if let end {
                let head = try Answer(head: receive(end + 4))
                guard hasBody, let length = head["content-length"].flatMap({ Int($0) }), head.status != 304 else {
                    return head
                }
                return head.with(body: try receive(length))
            }
            searched = max(0, buffered.count - 3)
            guard try receiveMore() else {
                throw Failure(description: "closed within a head: \(String(decoding: buffered, as: UTF8.self))")
            }
        }
    }
}

/// Connects until it is let in and served.
func waitForEntry(port: UInt16) throws {
    while true {
        let client = try RawClient(port: port)
        if (try? client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")) != nil,
            (try? client.receiveAnswer().status) == 200
        {
            return
        }
    }
}

/// What came back for one request.
struct Answer {
    let status: Int
    let lines: [String]
    private(set) var body: [UInt8] = []

    var text: String { String(decoding: body, as: UTF8.self) }

    init(head: [UInt8]) throws {
        lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")
        let parts = lines[0].split(separator: " ", maxSplits: 2)
        guard parts.count >= 2, parts[0] == "HTTP/1.1", let status = Int(parts[1]) else {
            throw RawClient.Failure(description: "not a status line: \(lines[0])")
        }
        self.status = status
    }

    /// The values under a name in lower case.
    func values(_ name: String) -> [String] {
        lines.dropFirst().filter { $0.lowercased().hasPrefix(name + ":") }
            .map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
    }

    subscript(name: String) -> String? { values(name).first }

    func with(body: [UInt8]) -> Answer {
        var answer = self
        answer.body = body
        return answer
    }
}
