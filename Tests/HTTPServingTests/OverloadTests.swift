import Foundation
import HTTPServing
import HTTPTypes
import TestStage
import Testing

/// Each limit driven past: who is beyond it is told to come back, others are served, and room that is given back is
/// room again.
@Suite(.ownThread) struct OverloadTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func routes(_ router: inout Router) {
        let folder = folder
        router.on(.get, "/hello") { _ in .text("hello") }
        router.on(.post, "/body") { .text(String(try await $0.body.collect(upTo: 1_000_000).count)) }
        router.on(.put, "/file/{name}") { request in
            let path = folder.file(request.parameters["name"] ?? "")
            return .text(String(try await request.body.save(to: path, upTo: 1_000_000).byteCount))
        }
        router.on(.post, "/ignore") { _ in .text("ignored") }
    }

    private func serving(
        _ configure: (inout Limits) -> Void, _ body: (UInt16) async throws -> Void
    ) async throws {
        try await HTTPServingTests.serving {
            configure(&$0.limits)
        } routes: {
            routes(&$0)
        } _: {
            try await body($0)
        }
    }

    /// A body that its handler waits for, known to be under way as the handler has asked for it.
    private func beginBody(_ port: UInt16, path: String = "/body", length: Int = 1000) throws -> RawClient {
        let client = try RawClient(port: port)
        let method = path.hasPrefix("/file") ? "PUT" : "POST"
        try client.send(
            "\(method) \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: \(length)\r\nExpect: 100-continue\r\n\r\n")
        #expect(try client.receiveAnswer().status == 100)
        return client
    }

    private func finish(_ client: RawClient, length: Int = 1000) throws {
        try client.send([UInt8](repeating: 65, count: length))
        #expect(try client.receiveAnswer().text == String(length))
    }

    private func expectRefusal(_ client: RawClient) throws {
        let answer = try client.receiveAnswer()
        #expect(answer.status == 503)
        #expect(answer["retry-after"] == "7")
        #expect(answer.text == RequestFailure.overloaded(retryAfter: 7).detail)
    }

    @Test func `one address has so many bodies under way, and others have theirs`() async throws {
        try await serving {
            $0.bodiesPerAddress = 2
            $0.countsLoopbackAddresses = true
            $0.retryAfterSeconds = 7
        } _: { port in
            let (first, second) = (try beginBody(port), try beginBody(port))
            let third = try RawClient(port: port)
            try third.send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n")
            try expectRefusal(third)
            try finish(first)
            try finish(try beginBody(port))
            try finish(second)
        }
    }

    private func expectRefusal(_ port: UInt16, _ head: String) throws {
        let client = try RawClient(port: port)
        try client.send(head)
        try expectRefusal(client)
        client.finishSending()
        #expect(try client.receiveAll().isEmpty)
    }

    private func expectService(_ port: UInt16) throws {
        let client = try RawClient(port: port)
        try client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.receiveAnswer().text == "hello")
    }

    @Test(arguments: ["/body", "/file/a"])
    func `a body beyond the number of bodies is told to come back`(path: String) async throws {
        try await serving {
            $0.bodiesInFlight = 2
            $0.retryAfterSeconds = 7
        } _: { port in
            let first = try beginBody(port, path: path)
            let second = try beginBody(port, path: path == "/body" ? path : "/file/b")
            for _ in 0..<20 {
                try expectRefusal(port, "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n")
            }
            // A body that is refused before it is sent need not be sent.
            try expectRefusal(
                port, "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
            try expectRefusal(port, "POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            try expectService(port)
            try finish(first)
            try finish(try beginBody(port))
            try finish(second)
        }
    }

    @Test func `bodies beyond the bytes in flight are told to come back`() async throws {
        try await serving {
            $0.bodyBytesInFlight = 2500
            $0.retryAfterSeconds = 7
        } _: { port in
            let first = try beginBody(port)
            let second = try beginBody(port)
            try expectRefusal(port, "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 501\r\n\r\n")
            try finish(try beginBody(port, length: 500), length: 500)
            try expectService(port)
            try finish(first)
            try finish(try beginBody(port))
            try finish(second)
        }
    }

    @Test func `a lone body is let in though it has more bytes than may be in flight`() async throws {
        try await serving {
            $0.bodyBytesInFlight = 10
        } _: { port in
            try finish(try beginBody(port))
            let client = try RawClient(port: port)
            try client.send("POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n")
            try client.send("01234567890123456789\r\n0\r\n\r\n")
            #expect(try client.receiveAnswer().text == "20")
        }
    }

    @Test(arguments: ["POST /body", "PUT /file/c"])
    func `a body of unknown length counts as it comes`(line: String) async throws {
        try await serving {
            $0.bodyBytesInFlight = 1500
            $0.retryAfterSeconds = 7
        } _: { port in
            let other = try beginBody(port)
            let client = try RawClient(port: port)
            try client.send("\(line) HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<6 { try client.send("64\r\n" + String(repeating: "a", count: 100) + "\r\n") }
            try expectRefusal(client)
            #expect(try client.receiveAll().isEmpty)
            #expect(folder.names.isEmpty)
            try finish(other)
            try finish(try beginBody(port))
        }
    }

    @Test func `a body whose peer leaves or that nobody reads gives its place back`() async throws {
        try await serving {
            $0.bodiesInFlight = 1
            $0.retryAfterSeconds = 7
        } _: { port in
            try beginBody(port).reset()
            try waitForRoom(port)
            try beginBody(port, path: "/file/d").leave()
            try waitForRoom(port)
            let unread = try RawClient(port: port)
            try unread.send("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
            #expect(try unread.receiveAnswer().text == "ignored")
            try finish(try beginBody(port))
        }
    }

    /// Asks until a body is let in: a peer's leaving is noticed when it is.
    private func waitForRoom(_ port: UInt16) throws {
        while true {
            let client = try RawClient(port: port)
            try client.send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na")
            if try client.receiveAnswer().status == 200 { return }
        }
    }

    @Test func `an address at its limit is let in again when it leaves a connection`() async throws {
        try await serving {
            $0.connectionsPerAddress = 2
            $0.countsLoopbackAddresses = true
            $0.retryAfterSeconds = 7
        } _: { port in
            let clients = try (0..<2).map { _ in try RawClient(port: port) }
            for client in clients {
                try client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try client.receiveAnswer().text == "hello")
            }
            for _ in 0..<20 {
                let refused = try RawClient(port: port)
                try expectRefusal(refused)
                #expect(try refused.receiveAll().isEmpty)
            }
            try clients[0].send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try clients[0].receiveAnswer().text == "hello")
            clients[1].leave()
            try waitForEntry(port: port)
        }
    }

    @Test func `a flood of connections beyond the limit keeps nobody from being served`() async throws {
        try await serving {
            $0.connections = 1
        } _: { port in
            let inside = try RawClient(port: port)
            try inside.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try inside.receiveAnswer().text == "hello")
            // More than are answered at once: the last ones are closed without a word.
            let flood = try (0..<300).map { _ in try RawClient(port: port) }
            try inside.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try inside.receiveAnswer().text == "hello")
            let answered = flood.filter { (try? $0.receiveAnswer().status) == 503 }
            #expect(answered.count >= 256 && answered.count < 300)
            for client in flood { client.leave() }
            inside.leave()
            try waitForEntry(port: port)
        }
    }
}
