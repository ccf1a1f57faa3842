import Foundation
import HTTPServing
import HTTPTypes
import TestStage
import Testing

/// Handlers that wait long, peers that leave meanwhile, and servers that stop.
@Suite(.ownThread) struct ParkingTests {
    /// A long-poll's wait: it begins, and it ends when opened or cancelled.
    private struct Wait: Sendable {
        let began: AsyncStream<Void>
        let ended: AsyncStream<Bool>
        let open: AsyncStream<Void>.Continuation
        let handler: Handler

        init() {
            let (began, begin) = AsyncStream<Void>.makeStream()
            let (ended, end) = AsyncStream<Bool>.makeStream()
            let (opened, open) = AsyncStream<Void>.makeStream()
            self.began = began
            self.ended = ended
            self.open = open
            handler = { request in
                await request.park {
                    begin.yield()
                    for await _ in opened { break }
                }
                end.yield(Task.isCancelled)
                return .text(Task.isCancelled ? "cancelled" : "opened")
            }
        }

        func begins() async { for await _ in began { return } }

        /// Whether by cancellation.
        func ends() async -> Bool? {
            for await isCancelled in ended { return isCancelled }
            return nil
        }
    }

    private let wait = Wait()

    @Test func `a parked handler outlasts every time-out`() async throws {
        try await serving {
            // The time that a busy machine may take between connecting and asking.
            $0.limits.timeToHeaders = .seconds(3)
            $0.limits.idleTime = .milliseconds(20)
            $0.limits.bodyRateWindow = .milliseconds(20)
            $0.limits.writeStallTime = .milliseconds(20)
        } routes: {
            $0.on(.get, "/wait", wait.handler)
        } _: { port in
            let client = try RawClient(port: port)
            try client.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            await wait.begins()
            // The silent one's end shows that the time-outs have struck meanwhile.
            #expect(try RawClient(port: port).receiveAll().isEmpty)
            wait.open.yield()
            #expect(try client.receiveAnswer().text == "opened")
        }
    }

    @Test(arguments: [false, true])
    func `a peer that sends no more is answered at once, and its place is free`(_ isEarly: Bool) async throws {
        try await serving {
            $0.on(.get, "/wait", wait.handler)
        } _: { port in
            let client = try RawClient(port: port)
            try client.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            if isEarly { client.finishSending() }
            await wait.begins()
            client.finishSending()
            #expect(await wait.ends() == true)
            #expect(try client.receiveAnswer().text == "cancelled")
            #expect(try client.receiveAll().isEmpty)
        }
    }

    @Test func `waits that are abandoned leave room for others`() async throws {
        let (begun, begin) = AsyncStream<Void>.makeStream()
        let (ended, end) = AsyncStream<Bool>.makeStream()
        try await serving {
            $0.limits.connections = 4
        } routes: {
            $0.on(.get, "/wait") { request in
                await request.park {
                    begin.yield()
                    // Nothing is ever sent: only being cancelled ends this.
                    let (nothing, sender) = AsyncStream<Never>.makeStream()
                    for await _ in nothing {}
                    sender.finish()
                }
                end.yield(Task.isCancelled)
                return .text("")
            }
            $0.on(.get, "/hello") { _ in .text("hello") }
        } _: { port in
            var (begins, ends) = (begun.makeAsyncIterator(), ended.makeAsyncIterator())
            for _ in 0..<50 {
                do {
                    let client = try RawClient(port: port)
                    try client.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
                    await begins.next()
                }
                #expect(await ends.next() == true)
            }
            let client = try RawClient(port: port)
            try client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.receiveAnswer().text == "hello")
        }
    }

    @Test func `a request that is ended from outside neither reads nor waits on`() async throws {
        let (requests, arrived) = AsyncStream<Request>.makeStream()
        let (failures, failed) = AsyncStream<RequestBodyError>.makeStream()
        try await serving {
            $0.on(.get, "/wait") { request in
                arrived.yield(request)
                return try await wait.handler(request)
            }
            $0.on(.post, "/body") { request in
                arrived.yield(request)
                do throws(RequestBodyError) {
                    _ = try await request.body.collect(upTo: 100)
                } catch {
                    failed.yield(error)
                    throw error
                }
                return .text("whole")
            }
        } _: { port in
            let waiting = try RawClient(port: port)
            try waiting.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            await wait.begins()
            let sending = try RawClient(port: port)
            try sending.send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf")
            var pending = requests.makeAsyncIterator()
            for _ in 0..<2 { await pending.next()?.end() }
            #expect(await wait.ends() == true)
            for await failure in failures {
                #expect(failure == .stopped)
                break
            }
            #expect(try waiting.receiveAnswer().text == "cancelled")
            #expect(try sending.receiveAll().isEmpty)
        }
    }

    @Test func `a parked handler is cancelled when its peer breaks off`() async throws {
        try await serving {
            $0.on(.get, "/wait", wait.handler)
        } _: { port in
            let client = try RawClient(port: port)
            try client.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            await wait.begins()
            client.reset()
            #expect(await wait.ends() == true)
        }
    }

    @Test func `a handler that works is not cancelled when its peer breaks off`() async throws {
        let (begun, begin) = AsyncStream<Void>.makeStream()
        let (opened, open) = AsyncStream<Void>.makeStream()
        let (ended, end) = AsyncStream<Bool>.makeStream()
        try await serving {
            $0.on(.get, "/work") { _ in
                begin.yield()
                for await _ in opened { break }
                end.yield(Task.isCancelled)
                return .text("done")
            }
            $0.on(.get, "/hello") { _ in .text("hello") }
        } _: { port in
            let client = try RawClient(port: port)
            try client.send("GET /work HTTP/1.1\r\nHost: h\r\n\r\n")
            for await _ in begun { break }
            client.reset()
            // Both shards have taken an event since, so the break-off is known.
            for _ in 0..<8 {
                let other = try RawClient(port: port)
                try other.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try other.receiveAnswer().text == "hello")
            }
            open.yield()
            for await isCancelled in ended {
                #expect(!isCancelled)
                break
            }
        }
    }

    @Test func `a stop cancels who is parked and lets others finish`() async throws {
        let (begun, begin) = AsyncStream<Void>.makeStream()
        let (opened, open) = AsyncStream<Void>.makeStream()
        let server = HTTPServer.forTest(.onAnyPort) {
            $0.on(.get, "/wait", wait.handler)
            $0.on(.get, "/work") { _ in
                begin.yield()
                for await _ in opened { break }
                return .text("finished")
            }
            $0.on(.get, "/hello") { _ in .text("hello") }
        }
        let port = try server.start().port
        let idle = try RawClient(port: port)
        try idle.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try idle.receiveAnswer().text == "hello")
        let parked = try RawClient(port: port)
        try parked.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
        await wait.begins()
        let working = try RawClient(port: port)
        try working.send("GET /work HTTP/1.1\r\nHost: h\r\n\r\n")
        for await _ in begun { break }
        let stop = server.beginShutdown(within: .seconds(600))
        let answer = try parked.receiveAnswer()
        #expect(answer.text == "cancelled")
        #expect(answer["connection"] == "close")
        #expect(try idle.receiveAll().isEmpty)
        open.yield()
        #expect(try working.receiveAnswer().text == "finished")
        #expect(try working.receiveAll().isEmpty)
        await stop.value
    }

    @Test func `a stop waits for a slow body and for half a head, and serves nothing behind them`() async throws {
        var configuration = HTTPServer.Configuration.onAnyPort
        // With one shard, who hears of the stop on one connection knows that all have.
        configuration.shards = 1
        let server = HTTPServer.forTest(configuration) {
            $0.on(.get, "/wait", wait.handler)
            $0.on(.get, "/hello") { _ in .text("hello") }
            $0.on(.post, "/body") { .text(String(try await $0.body.collect(upTo: 1000).count)) }
        }
        let port = try server.start().port
        let slow = try RawClient(port: port)
        try slow.send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        #expect(try slow.receiveAnswer().status == 100)
        let half = try RawClient(port: port)
        // What was answered before shows that the half behind it has come.
        try half.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\nGET /hello HTTP/1.1\r\nHo")
        #expect(try half.receiveAnswer().text == "hello")
        let parked = try RawClient(port: port)
        try parked.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
        await wait.begins()
        let stop = server.beginShutdown(within: .seconds(600))
        #expect(try parked.receiveAnswer().text == "cancelled")
        for byte in ["a", "b"] { try slow.send(byte) }
        try half.send("st: h\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
        let last = try half.receiveAnswer()
        #expect(last.text == "hello")
        #expect(last["connection"] == "close")
        half.finishSending()
        #expect(try half.receiveAll().isEmpty)
        try slow.send("cGET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
        let answer = try slow.receiveAnswer()
        #expect(answer.text == "3")
        #expect(answer["connection"] == "close")
        slow.finishSending()
        #expect(try slow.receiveAll().isEmpty)
        await stop.value
    }

    @Test func `a stop ends by force what does not finish in time`() async throws {
        let server = HTTPServer.forTest(.onAnyPort) {
            $0.on(.post, "/body") { .text(String(try await $0.body.collect(upTo: 1000).count)) }
        }
        let port = try server.start().port
        let client = try RawClient(port: port)
        try client.send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
        #expect(try client.receiveAnswer().status == 100)
        await server.beginShutdown(within: .milliseconds(50)).value
        #expect(try client.receiveAll().isEmpty)
        await server.shutdown(within: .zero)
    }
}
