import Dispatch
import Glibc
import Synchronization
import TestStage

/// A TCP proxy on 127.0.0.1 that breaks what crosses it by rules of a test, and counts it.
final class BadLink: Sendable {
    /// What becomes of the connections; each has a number, from 0 on.
    struct Rules: Sendable {
        /// After how many bytes towards the server a connection is cut; nil for never.
        var bytesUntilCut: @Sendable (_ connection: Int) -> Int? = { _ in nil }
        /// Whether an answer, known by its first bytes, is swallowed and its connection cut.
        var swallows: @Sendable (_ answer: [UInt8]) -> Bool = { _ in false }
        /// For a link that is an HTTP proxy: what it answers to CONNECT. After a 200 the way is open.
        var answerToConnect: (@Sendable (_ connection: Int) -> String)?
    }

    private struct State {
        var sent = 0
        var connections = 0
        var cuts = 0
    }

    let port: UInt16
    private let listener: Int32
    private let target: UInt16
    private let rules: Rules
    private let state = Mutex(State())

    init(to target: UInt16, rules: Rules) throws {
        self.target = target
        self.rules = rules
        (listener, port) = try Loopback.listener()
        DispatchQueue(label: "link.accept").async { [self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { break }
                let number = state.withLock { state in
                    defer { state.connections += 1 }
                    return state.connections
                }
                DispatchQueue(label: "link.connection").async { self.carry(client, number) }
            }
        }
    }

    deinit { close(listener) }

    /// Bytes that crossed the link towards the server.
    var sent: Int { state.withLock { $0.sent } }
    var cuts: Int { state.withLock { $0.cuts } }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    /// Carries both directions of a connection on one thread, until an end or the rules end it.
    private func carry(_ client: Int32, _ number: Int) {
        defer { close(client) }
        guard let server = Loopback.connection(to: target) else { return }
        defer { close(server) }
        if let answer = rules.answerToConnect?(number) {
            var head: [UInt8] = []
            while !head.suffix(4).elementsEqual([13, 10, 13, 10]) {
                guard let byte = Loopback.receive(client, upTo: 1) else { return }
                head += byte
            }
            guard head.starts(with: Array("CONNECT ".utf8)), Loopback.send(client, Array(answer.utf8)),
                answer.hasPrefix("HTTP/1.1 200 ")
            else { return }
        }
        // What is counted as sent is on its way at once, and not held back for an acknowledgement.
        var on: Int32 = 1
        setsockopt(server, Int32(IPPROTO_TCP), Int32(TCP_NODELAY), &on, socklen_t(MemoryLayout<Int32>.size))
        var room = rules.bytesUntilCut(number) ?? .max
        var ends = [
            pollfd(fd: client, events: Int16(POLLIN), revents: 0),
            pollfd(fd: server, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&ends, 2, -1) > 0 {
            if ends[0].revents != 0 {
                guard let piece = Loopback.receive(client, upTo: min(room, 4096)) else { return }
                state.withLock { $0.sent += piece.count }
                guard Loopback.send(server, piece) else { return }
                room -= piece.count
                if room == 0 { return cut(client, server, resets: number % 2 == 0) }
            }
            if ends[1].revents != 0 {
                guard let piece = Loopback.receive(server, upTo: 65_536) else { return }
                if rules.swallows(piece) { return cut(client, server, resets: false) }
                guard Loopback.send(client, piece) else { return }
            }
        }
    }

    /// Half of the cuts reset both ends, the others close them.
    private func cut(_ client: Int32, _ server: Int32, resets: Bool) {
        state.withLock { $0.cuts += 1 }
        guard resets else { return }
        for end in [client, server] { Loopback.resetWhenClosed(end) }
    }
}
