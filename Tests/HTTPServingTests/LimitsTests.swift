import Foundation
import HTTPServing
import HTTPTypes
import TestStage
import Testing

/// Every time-out that a test is about is short, and a peer learns of it by reading: no test waits for a clock. Where a peer
/// has to do something before it strikes, it leaves the time that a busy machine takes.
@Suite(.ownThread) struct LimitsTests {
    private func routes(_ router: inout Router) {
        router.on(.get, "/hello") { _ in .text("hello") }
        router.on(.post, "/body") { .text(String(try await $0.body.collect(upTo: 1_000_000).count)) }
        router.on(.get, "/big") { _ in Response(status: .ok, body: .bytes(pattern(30_000_000))) }
    }

    @Test func `half a head is answered with 408 and closed`() async throws {
        try await serving {
            $0.limits.timeToHeaders = .seconds(3)
        } routes: {
            routes(&$0)
        } _: { port in
            let client = try RawClient(port: port)
            try client.send("GET /hello HTTP/1.1\r\nHo")
            let answer = try client.receiveAnswer()
            #expect(answer.status == 408)
            #expect(answer["connection"] == "close")
            #expect(try client.receiveAll().isEmpty)
        }
    }

    @Test func `a second head has its own time`() async throws {
        try await serving {
            $0.limits.timeToHeaders = .seconds(3)
        } routes: {
            routes(&$0)
        } _: { port in
            let client = try RawClient(port: port)
            try client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\nGET /hel")
            #expect(try client.receiveAnswer().status == 200)
            #expect(try client.receiveAnswer().status == 408)
        }
    }

    @Test func `a silent connection is closed without a word`() async throws {
        try await serving {
            $0.limits.timeToHeaders = .milliseconds(50)
        } routes: {
            routes(&$0)
        } _: { port in
            let received = try RawClient(port: port).receiveAll()
            #expect(received.isEmpty)
        }
    }

    @Test func `an idle connection is closed without a word`() async throws {
        try await serving {
            $0.limits.idleTime = .milliseconds(50)
        } routes: {
            routes(&$0)
        } _: { port in
            let client = try RawClient(port: port)
            try client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.receiveAnswer().text == "hello")
            #expect(try client.receiveAll().isEmpty)
        }
    }

    @Test(arguments: [0, 10])
    func `a stalled body is answered with 408 and closed`(sent: Int) async throws {
        try await serving {
            $0.limits.bodyRateWindow = .milliseconds(60)
        } routes: {
            routes(&$0)
        } _: { port in
            let client = try RawClient(port: port)
            let begun = String(repeating: "A", count: sent)
            try client.send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n\(begun)")
            #expect(try client.receiveAnswer().status == 408)
            #expect(try client.receiveAll().isEmpty)
        }
    }

    @Test func `a body that only drips is too slow though it never stops`() async throws {
        try await serving {
            $0.limits.bodyRateWindow = .milliseconds(100)
            $0.limits.lingerTime = .milliseconds(100)
            $0.limits.leastBodyRate = 1_000_000_000
        } routes: {
            routes(&$0)
        } _: { port in
            let client = try RawClient(port: port)
            try client.send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
            var pause = timespec(tv_sec: 0, tv_nsec: 5_000_000)
            // The drip: it ends when the server has shut the connection.
            while (try? client.send([65])) != nil { nanosleep(&pause, nil) }
            #expect(try String(decoding: client.receiveAll(), as: UTF8.self).hasPrefix("HTTP/1.1 408"))
        }
    }

    @Test func `a stalled upload leaves no file`() async throws {
        let folder = try TemporaryFolder()
        try await serving {
            $0.limits.bodyRateWindow = .milliseconds(60)
        } routes: {
            $0.on(.put, "/") { request in
                _ = try await request.body.save(to: folder.file("a"), upTo: 1_000_000)
                return .text("saved")
            }
        } _: { port in
            let client = try RawClient(port: port)
            try client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n0123456789")
            #expect(try client.receiveAnswer().status == 408)
            #expect(folder.names.isEmpty)
        }
    }

    @Test func `an answer that nobody takes gives its place away`() async throws {
        try await serving {
            $0.limits.writeStallTime = .milliseconds(100)
            $0.limits.connections = 1
        } routes: {
            routes(&$0)
        } _: { port in
            let stalled = try RawClient(port: port, receiveBuffer: 4096)
            try stalled.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try stalled.receiveAnswer().text == "hello")
            #expect(try RawClient(port: port).receiveAnswer().status == 503)
            try stalled.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
            // Only the end of the stalled connection lets another one in.
            try waitForEntry(port: port)
            #expect(throws: RawClient.Failure.self) { try stalled.receive(30_000_000) }
        }
    }

    @Test func `a connection beyond the limit is told to come back`() async throws {
        try await serving {
            $0.limits.connections = 2
            $0.limits.retryAfterSeconds = 7
        } routes: {
            routes(&$0)
        } _: { port in
            let first = try RawClient(port: port)
            let second = try RawClient(port: port)
            for client in [first, second] {
                try client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try client.receiveAnswer().status == 200)
            }
            let third = try RawClient(port: port)
            let answer = try third.receiveAnswer()
            #expect(answer.status == 503)
            #expect(answer["retry-after"] == "7")
            #expect(try third.receiveAll().isEmpty)
            first.leave()
            try waitForEntry(port: port)
        }
    }

    @Test func `one address is held to its own limit, loopback only where asked`() async throws {
        for counts in [true, false] {
            try await serving {
                $0.limits.connectionsPerAddress = 1
                $0.limits.countsLoopbackAddresses = counts
            } routes: {
                routes(&$0)
            } _: { port in
                let first = try RawClient(port: port)
                try first.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try first.receiveAnswer().status == 200)
                let second = try RawClient(port: port)
                try second.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try second.receiveAnswer().status == (counts ? 503 : 200))
            }
        }
    }

    @Test func `others are served while a hundred heads and a hundred bodies stall`() async throws {
        let folder = try TemporaryFolder()
        try await serving {
            $0.limits.timeToHeaders = .seconds(3)
            $0.limits.bodyRateWindow = .seconds(1)
        } routes: {
            routes(&$0)
            $0.on(.put, "/{name}") { request in
                let path = folder.file(request.parameters["name"] ?? "")
                _ = try await request.body.save(to: path, upTo: 1_000_000)
                return .text("saved")
            }
        } _: { port in
            let heads = try (0..<100).map { _ in
                let client = try RawClient(port: port)
                try client.send("GET /hello HTTP/1.1\r\nHos")
                return client
            }
            let bodies = try (0..<100).map { index in
                let client = try RawClient(port: port)
                try client.send("PUT /\(index) HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc")
                return client
            }
            let served = try RawClient(port: port)
            for _ in 0..<100 {
                try served.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try served.receiveAnswer().text == "hello")
            }
            for client in heads + bodies { #expect(try client.receiveAnswer().status == 408) }
            #expect(folder.names.isEmpty)
        }
    }

}
