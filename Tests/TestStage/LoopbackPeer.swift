import Dispatch
import Glibc
import Synchronization

/// A server on 127.0.0.1 whose every byte a test decides. Each connection runs `serve` on its own thread.
package final class LoopbackPeer: Sendable {
    /// The state that the threads share. No thread keeps the peer alive, because the peer's end stops the threads.
    private final class Connections: Sendable {
        private let open = Mutex<(all: [PeerConnection], isStopped: Bool)>(([], false))

        var count: Int { open.withLock { $0.all.count } }

        /// Returns whether the connection is accepted.
        func add(_ connection: PeerConnection) -> Bool {
            open.withLock { open in
                guard !open.isStopped else { return false }
                open.all.append(connection)
                return true
            }
        }

        /// Refuses new connections and ends the open ones; false where it was called before.
        func end() -> Bool {
            let (connections, isFirst) = open.withLock { open in
                defer { open.isStopped = true }
                return (open.all, !open.isStopped)
            }
            for connection in connections { connection.end() }
            return isFirst
        }
    }

    package let port: UInt16
    private let listener: Int32
    /// A socket that is bound to the port but never listens. After `stop` it refuses connections, and nobody else gets
    /// the port.
    private let reservation: Int32
    private let connections = Connections()

    package init(port wanted: UInt16 = 0, serve: @escaping @Sendable (PeerConnection) -> Void) throws {
        (reservation, port) = try Self.bound(to: wanted)
        let listener = try Self.bound(to: port).socket
        self.listener = listener
        guard listen(listener, 64) == 0 else { throw Loopback.Failure(call: "listen") }
        DispatchQueue(label: "peer.accept").async { [connections] in
            defer { close(listener) }
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { break }
                let connection = PeerConnection(descriptor)
                guard connections.add(connection) else { continue }
                DispatchQueue(label: "peer.connection").async {
                    serve(connection)
                    connection.end()
                }
            }
        }
    }

    deinit {
        stop()
        close(reservation)
    }

    /// A new socket on the port, or on a free one for 0, with its port. Several sockets may share a port while at most
    /// one listens.
    private static func bound(to port: UInt16) throws -> (socket: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        return (descriptor, try Loopback.bind(descriptor, to: port))
    }

    package var url: String { "http://127.0.0.1:\(port)" }
    package var accepted: Int { connections.count }

    /// Closes the listener and every connection, like a server that was killed. The port stays reserved while this peer
    /// lives, and `init(port:)` can serve it again.
    package func stop() {
        // At a second call, another socket may have the listener's number.
        if connections.end() { shutdown(listener, Int32(SHUT_RDWR)) }
    }
}

package struct PeerRequest: Sendable {
    package var method: String
    /// Path and query as received.
    package var target: String
    package var fields: [String: String]
    package var body: [UInt8]

    package var path: String { target.split(separator: "?", maxSplits: 1).first.map(String.init) ?? "" }
    package var query: [String: String] {
        let pairs = target.split(separator: "?", maxSplits: 1).dropFirst().first?.split(separator: "&") ?? []
        return Dictionary(
            pairs.map { pair in
                let halves = pair.split(separator: "=", maxSplits: 1).map(String.init)
                return (halves[0], halves.count > 1 ? halves[1] : "")
            }, uniquingKeysWith: { first, _ in first })
    }
}

/// One connection, used on its own thread. Only `end` is called from other threads, and it only shuts the socket down.
package final class PeerConnection: @unchecked Sendable {
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    package init(_ descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }

    package func end() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// The next request with its body; nil once the peer has closed.
    package func request() -> PeerRequest? {
        guard var request = head() else { return nil }
        if request.fields["expect"] == "100-continue" { send("HTTP/1.1 100 Continue\r\n\r\n") }
        let length = Int(request.fields["content-length"] ?? "0") ?? 0
        while buffer.count < length {
            guard more() else { return nil }
        }
        request.body = Array(buffer[..<length])
        buffer.removeFirst(length)
        return request
    }

    /// The next request without its body.
    package func head() -> PeerRequest? {
        let end: [UInt8] = [13, 10, 13, 10]
        while true {
            if buffer.count >= 4, let at = (0...(buffer.count - 4)).first(where: { Array(buffer[$0..<$0 + 4]) == end })
            {
                let lines = String(decoding: buffer[..<at], as: UTF8.self).split(separator: "\r\n").map(String.init)
                buffer.removeFirst(at + 4)
                let words = lines[0].split(separator: " ").map(String.init)
                var fields: [String: String] = [:]
                for line in lines.dropFirst() {
                    let halves = line.split(separator: ":", maxSplits: 1).map(String.init)
                    fields[halves[0].lowercased()] = halves.count > 1 ? String(halves[1].drop { $0 == " " }) : ""
                }
                return PeerRequest(method: words[0], target: words[1], fields: fields, body: [])
            }
            guard more() else { return nil }
        }
    }

    /// Returns whether the peer accepts it.
    @discardableResult
    package func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool { Loopback.send(descriptor, bytes) }

    /// A complete response with its length.
    package func answer(_ status: String, _ fields: [String] = [], body: [UInt8] = []) {
        let head = (["HTTP/1.1 \(status)", "Content-Length: \(body.count)"] + fields).joined(separator: "\r\n")
        send(Array((head + "\r\n\r\n").utf8) + body)
    }

    private func more() -> Bool {
        guard let piece = Loopback.receive(descriptor) else { return false }
        buffer += piece
        return true
    }
}
