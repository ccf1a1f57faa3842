import Crypto
import Foundation
import HTTPServing
import HTTPTypes
import TestStage
import Testing

@Suite(.ownThread) struct RequestBodyTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func routes(_ router: inout Router) {
        let folder = folder
        router.on(.put, "/save/{name}") { request in
            let path = folder.file(request.parameters["name"] ?? "")
            let saved = try await request.body.save(
                to: path, upTo: 40_000_000, durably: request.query["durably"] == "yes")
            return .text("\(saved.byteCount) \(EntityTag(digest: saved.sha256))", .created)
        }
        router.on(.put, "/small") { request in
            _ = try await request.body.save(to: folder.file("small"), upTo: 10)
            return .text("saved")
        }
        router.on(.post, "/collect") { request in
            let body = try await request.body.collect(upTo: 100_000)
            return .text("\(body.count) \(EntityTag(digest: SHA256.hash(data: body)))")
        }
        router.on(.post, "/pieces") { request in
            var sum = 0
            while let piece = try await request.body.next() { sum += piece.count }
            return .text(String(sum))
        }
        router.on(.post, "/refuse") { _ in throw RequestFailure.contentTooLarge(limit: 0) }
        router.on(.post, "/ignore") { _ in .text("ignored") }
        router.on(.get, "/hello") { _ in .text("hello") }
    }

    private func summary(_ bytes: [UInt8]) -> String {
        "\(bytes.count) \(EntityTag(digest: SHA256.hash(data: bytes)))"
    }

    private func chunked(_ bytes: [UInt8], by size: Int) -> [UInt8] {
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            let chunk = bytes[start..<min(start + size, bytes.count)]
            result += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + Array("\r\n".utf8)
        }
        return result + Array("0\r\n\r\n".utf8)
    }

    @Test(arguments: [0, 1, 5_000, 300_000, 8 << 20, 20_000_000])
    func `a sized body is saved and hashed`(count: Int) async throws {
        let body = pattern(count)
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send("PUT /save/a?durably=yes HTTP/1.1\r\nHost: h\r\nContent-Length: \(count)\r\n\r\n")
            try client.send(body)
            let answer = try client.receiveAnswer()
            #expect(answer.status == 201)
            #expect(answer.text == summary(body))
            #expect(FileManager.default.contents(atPath: folder.file("a")).map(Array.init) == body)
            let mode = try FileManager.default.attributesOfItem(atPath: folder.file("a"))[.posixPermissions] as? Int
            #expect(mode == 0o600)
            try client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.receiveAnswer().text == "hello")
        }
    }

    @Test(arguments: [(70_000, 1), (3_000_000, 1000), (3_000_000, 1_000_000)])
    func `a chunked body is saved and hashed`(count: Int, chunk: Int) async throws {
        let body = pattern(count)
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send("PUT /save/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            try client.send(chunked(body, by: chunk) + Array("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n".utf8))
            #expect(try client.receiveAnswer().text == summary(body))
            #expect(try client.receiveAnswer().text == "hello")
        }
    }

    @Test func `a body is collected in memory, sized or chunked`() async throws {
        let body = pattern(99_000)
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send(
                Array("POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body)
            #expect(try client.receiveAnswer().text == summary(body))
            try client.send("POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            try client.send(chunked(body, by: 777))
            #expect(try client.receiveAnswer().text == summary(body))
            try client.send("POST /pieces HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.count)\r\n\r\n")
            try client.send(body)
            #expect(try client.receiveAnswer().text == "99000")
            try client.send("POST /collect HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.receiveAnswer().text == summary([]))
        }
    }

    @Test func `100 Continue is sent when the handler begins to read`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send("POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            #expect(try client.receiveAnswer().status == 100)
            try client.send("abc")
            #expect(try client.receiveAnswer().text == summary(Array("abc".utf8)))
        }
    }

    @Test(arguments: ["/refuse", "/small", "/nowhere"])
    func `a body is refused before it is sent`(path: String) async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            let method = path == "/small" ? "PUT" : "POST"
            try client.send(
                "\(method) \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\nExpect: 100-continue\r\n\r\n")
            let answer = try client.receiveAnswer()
            #expect(answer.status == (path == "/nowhere" ? 404 : 413))
            #expect(answer["connection"] == "close")
            #expect(try client.receiveAll().isEmpty)
            #expect(folder.names.isEmpty)
        }
    }

    @Test func `an unknown expectation fails`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send("GET /hello HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n")
            #expect(try client.receiveAnswer().status == 417)
        }
    }

    @Test func `a refused upload reads its answer and not a reset`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send("POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n")
            try client.send(pattern(8_000_000))
            #expect(try client.receiveAnswer().status == 413)
            #expect(try client.receiveAll().isEmpty)
        }
    }

    @Test func `a body that nobody reads is not taken for a request`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            let inner = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"
            try client.send("POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: \(inner.utf8.count)\r\n\r\n" + inner)
            try client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            client.finishSending()
            let answers = String(decoding: try client.receiveAll(), as: UTF8.self)
            #expect(answers.components(separatedBy: "HTTP/1.1 200").count - 1 <= 2)
            #expect(answers.contains("ignored"))
            #expect(answers.components(separatedBy: "hello").count - 1 <= 1)
        }
    }

    @Test(arguments: [
        "Content-Length: 11\r\n\r\nhello world", "Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n",
    ])
    func `a body beyond its handler's limit leaves no file`(rest: String) async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send("PUT /small HTTP/1.1\r\nHost: h\r\n\(rest)")
            client.finishSending()
            let answer = try client.receiveAnswer()
            #expect(answer.status == 413)
            #expect(answer.text == RequestFailure.contentTooLarge(limit: 10).detail)
            #expect(try client.receiveAll().isEmpty)
            #expect(folder.names.isEmpty)
        }
    }

    @Test func `a body beyond the server's limit is refused`() async throws {
        try await serving {
            $0.limits.bodyBytes = 1000
        } routes: {
            routes(&$0)
        } _: { port in
            let sized = try RawClient(port: port)
            try sized.send("POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n")
            #expect(try sized.receiveAnswer().status == 413)
            let chunks = try RawClient(port: port)
            try chunks.send("PUT /save/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            try chunks.send(chunked(pattern(1001), by: 100))
            #expect(try chunks.receiveAnswer().status == 413)
            #expect(folder.names.isEmpty)
        }
    }

    @Test func `a peer that leaves within a body leaves no file`() async throws {
        let (ends, continuation) = AsyncStream<any Error>.makeStream()
        let folder = folder
        try await serving { router in
            router.on(.put, "/") { request in
                do {
                    _ = try await request.body.save(to: folder.file("a"), upTo: 1_000_000)
                } catch {
                    continuation.yield(error)
                    throw error
                }
                return .text("saved")
            }
        } _: { port in
            var end = ends.makeAsyncIterator()
            for leave in [RawClient.leave, RawClient.reset, RawClient.finishSending] {
                let client = try RawClient(port: port)
                try client.send(
                    "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\nExpect: 100-continue\r\n\r\n")
                #expect(try client.receiveAnswer().status == 100)
                try client.send(pattern(100_000))
                leave(client)()
                #expect(await end.next() as? RequestBodyError == .peerGone)
                #expect(folder.names.isEmpty)
            }
        }
    }

    @Test func `a file that exists is neither overwritten nor removed`() async throws {
        try Data("old".utf8).write(to: URL(fileURLWithPath: folder.file("a")))
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send("PUT /save/a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nnew")
            #expect(try client.receiveAnswer().status == 500)
            #expect(FileManager.default.contents(atPath: folder.file("a")) == Data("old".utf8))
        }
    }

    @Test func `many uploads at once are each saved whole`() async throws {
        try await serving(routes: routes) { port in
            let bodies = (0..<24).map { pattern(1_500_000 + $0) }
            let answers = try await withThrowingTaskGroup(of: (Int, String).self) { group in
                for (index, body) in bodies.enumerated() {
                    group.addTask {
                        let client = try RawClient(port: port)
                        try client.send(
                            "PUT /save/\(index) HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.count)\r\n\r\n")
                        try client.send(body)
                        return (index, try client.receiveAnswer().text)
                    }
                }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            for (index, body) in bodies.enumerated() { #expect(answers[index] == summary(body)) }
        }
    }
}
