import Dispatch
import Glibc
import Synchronization
import TestStage

/// What may stand between clients and their server: it passes most requests on, and does something else with the others.
///
/// Every connection carries one request. What becomes of the n-th request is drawn from a seed.
final class ChaoticFront: Sendable {
    enum Mischief: CaseIterable {
        case page, redirect, tooLarge, empty, created, reset, stall, truncate, swallow
    }

    private struct State {
        var generator: Draws
        var counts: [Mischief: Int] = [:]
        var passed = 0
    }

    /// A linear congruential generator.
    private struct Draws: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state
        }
    }

    let port: UInt16
    private let target: UInt16
    private let listener: Int32
    private let share: Double
    private let state: Mutex<State>

    /// - Parameter share: of the requests that are not passed on as they are, 0 to 1.
    init(to target: UInt16, share: Double, seed: UInt64) throws {
        self.target = target
        self.share = share
        state = Mutex(State(generator: Draws(state: seed)))
        (listener, port) = try Loopback.listener()
        DispatchQueue(label: "front.accept").async { [self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { break }
                DispatchQueue(label: "front.connection").async {
                    self.serve(client)
                    close(client)
                }
            }
        }
    }

    deinit { close(listener) }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    /// How often each was done.
    var counts: [Mischief: Int] { state.withLock { $0.counts } }
    var passed: Int { state.withLock { $0.passed } }

    private func draw() -> (mischief: Mischief?, stall: Int32) {
        state.withLock { state in
            let isMeant = Double.random(in: 0..<1, using: &state.generator) < share
            guard isMeant, let mischief = Mischief.allCases.randomElement(using: &state.generator) else {
                state.passed += 1
                return (nil, 0)
            }
            state.counts[mischief, default: 0] += 1
            return (mischief, Int32.random(in: 10...600, using: &state.generator))
        }
    }

    private func serve(_ client: Int32) {
        guard let request = Self.request(client) else { return }
        let (mischief, stall) = draw()
        let page = "<html>something else</html>"
        func answer(_ head: String, _ body: String = "<html>something else</html>") {
            Loopback.send(
                client,
                Array("HTTP/1.1 \(head)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)".utf8)
            )
        }
        switch mischief {
        case .page:
            let statuses = ["200 OK", "400 Bad", "401 Who", "403 No", "404 default backend", "410 Gone", "502 Bad"]
            answer(statuses[Int(stall) % statuses.count] + "\r\nServer: front", page)
        case .redirect: answer("302 Elsewhere\r\nLocation: http://127.0.0.1:9/login", "")
        case .tooLarge: answer("413 Too Large")
        case .empty: Loopback.send(client, Array("HTTP/1.1 204 None\r\nConnection: close\r\n\r\n".utf8))
        case .created: answer("201 Created\r\nContent-Type: application/json", #"{"digest":"sha256:0"}"#)
        case .reset: Loopback.resetWhenClosed(client)
        case .stall: poll(nil, 0, stall)
        case .truncate:
            let whole = forward(request)
            Loopback.send(client, Array(whole.prefix(whole.count * Int(stall) / 1000)))
            if stall % 2 == 0 { Loopback.resetWhenClosed(client) }
        // The server has heard it, and nobody hears the server.
        case .swallow: _ = forward(request)
        case nil: Loopback.send(client, forward(request))
        }
    }

    /// What the server answers.
    private func forward(_ request: [UInt8]) -> [UInt8] {
        guard let server = Loopback.connection(to: target) else { return [] }
        defer { close(server) }
        Loopback.send(server, request)
        var answer: [UInt8] = []
        while let piece = Loopback.receive(server) { answer += piece }
        return answer
    }

    /// A whole request, marked as the last one of its connection; nil where none comes.
    private static func request(_ client: Int32) -> [UInt8]? {
        var bytes: [UInt8] = []
        let end: [UInt8] = [13, 10, 13, 10]
        while true {
            if let place = bytes.firstRange(of: end) {
                let lines = String(decoding: bytes[..<place.lowerBound], as: UTF8.self).split(separator: "\r\n")
                let length =
                    lines.first { $0.lowercased().hasPrefix("content-length:") }
                    .flatMap { Int($0.split(separator: ":")[1].drop { $0 == " " }) } ?? 0
                if lines.contains(where: { $0.lowercased().hasPrefix("expect:") }) {
                    Loopback.send(client, Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
                }
                var body = Array(bytes[place.upperBound...])
                while body.count < length {
                    guard let piece = Loopback.receive(client) else { return nil }
                    body += piece
                }
                let head = lines.filter { !$0.lowercased().hasPrefix("expect:") } + ["Connection: close"]
                return Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
            }
            guard let piece = Loopback.receive(client) else { return nil }
            bytes += piece
        }
    }
}
