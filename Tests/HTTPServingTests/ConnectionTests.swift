import Foundation
import HTTPServing
import HTTPTypes
import TestStage
import Testing

@Suite(.ownThread) struct ConnectionTests {
    private func routes(_ router: inout Router) {
        router.on(.get, "/hello") { _ in .text("hello") }
        router.on(.get, "/name/{name}") { .text($0.parameters["name"] ?? "") }
        router.on(.delete, "/gone") { _ in Response(status: .noContent) }
        router.on(.get, "/close") { _ in
            Response(status: .ok, headerFields: [.connection: "close"], body: .bytes(Array("bye".utf8)))
        }
        router.on(.get, "/broken") { _ in throw CocoaError(.fileNoSuchFile) }
        router.on(.get, "/early") { _ in Response(status: .init(code: 103)) }
        router.on(.get, "/big") { _ in Response(status: .ok, body: .bytes(pattern(4_000_000))) }
        router.on(.get, "/later") { _ in
            await Task.yield()
            return .text("later")
        }
        router.on(.post, "/body") { .text(String(decoding: try await $0.body.collect(upTo: 100_000), as: UTF8.self)) }
    }

    @Test func `a connection serves one request after another`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            for name in ["a", "b", "c%20d"] {
                try client.send("GET /name/\(name) HTTP/1.1\r\nHost: h\r\n\r\n")
                let answer = try client.receiveAnswer()
                #expect(answer.status == 200)
                #expect(answer.text == name.removingPercentEncoding)
                #expect(answer["content-type"] == "text/plain")
                #expect(answer["date"]?.hasSuffix("GMT") == true)
                #expect(answer["connection"] == nil)
            }
        }
    }

    @Test func `pipelined requests are answered in their order`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            let count = 2000
            let requests = (0..<count).map { "GET /name/\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }
            try client.send(requests.joined())
            for index in 0..<count {
                #expect(try client.receiveAnswer().text == String(index))
            }
        }
    }

    @Test func `pipelined requests wait for a slow handler and keep bodies apart`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send(
                "GET /later HTTP/1.1\r\nHost: h\r\n\r\n"
                    + "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nfirst"
                    + "POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsecond\r\n0\r\n\r\n"
                    + "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.receiveAnswer().text == "later")
            #expect(try client.receiveAnswer().text == "first")
            #expect(try client.receiveAnswer().text == "second")
            #expect(try client.receiveAnswer().text == "hello")
        }
    }

    @Test func `a request that comes byte by byte is served`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            for byte in "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc".utf8 {
                try client.send([byte])
            }
            #expect(try client.receiveAnswer().text == "abc")
        }
    }

    @Test func `HEAD carries the length but no body`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send("HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            let head = try client.receiveAnswer(hasBody: false)
            #expect(head["content-length"] == "5")
            #expect(try client.receiveAnswer().text == "hello")
        }
    }

    @Test func `an answer without content has no length`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send("DELETE /gone HTTP/1.1\r\nHost: h\r\n\r\n")
            let answer = try client.receiveAnswer()
            #expect(answer.status == 204)
            #expect(answer["content-length"] == nil)
        }
    }

    @Test func `a missing method is answered with what there is`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send("PUT /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            let refusal = try client.receiveAnswer()
            #expect(refusal.status == 405)
            #expect(refusal["allow"] == "GET, HEAD, OPTIONS")
            try client.send("OPTIONS /hello HTTP/1.1\r\nHost: h\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")
            let options = try client.receiveAnswer()
            #expect(options.status == 204)
            #expect(options["allow"] == "GET, HEAD, OPTIONS")
            #expect(try client.receiveAnswer().status == 204)
            try client.send("GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.receiveAnswer().status == 404)
        }
    }

    @Test func `a failing handler tells nothing of the inside`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            for path in ["/broken", "/early"] {
                try client.send("GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n")
                let answer = try client.receiveAnswer()
                #expect(answer.status == 500)
                #expect(answer.text == RequestFailure.internal.detail)
            }
        }
    }

    @Test(arguments: [
        ("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "close"),
        ("GET /close HTTP/1.1\r\nHost: h\r\n\r\n", "close"),
        ("GET /hello HTTP/1.0\r\n\r\n", "close"),
    ])
    func `a connection that should close does`(request: String, connection: String) async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send(request)
            let answer = try client.receiveAnswer()
            #expect(answer.status == 200)
            #expect(answer.values("connection") == [connection])
            #expect(try client.receiveAll().isEmpty)
        }
    }

    @Test func `an HTTP 1.0 peer may keep its connection`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            for _ in 0..<2 {
                try client.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                #expect(try client.receiveAnswer()["connection"] == "keep-alive")
            }
        }
    }

    @Test func `a half-closed peer gets all its answers`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send("GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            client.finishSending()
            #expect(try client.receiveAnswer().text == "later")
            #expect(try client.receiveAnswer().text == "hello")
            #expect(try client.receiveAll().isEmpty)
        }
    }

    @Test func `a slow reader gets a big answer whole`() async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port, receiveBuffer: 4096)
            try client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            let answer = try client.receiveAnswer()
            #expect(answer.body == pattern(4_000_000))
            #expect(try client.receiveAnswer().text == "hello")
        }
    }

    @Test(arguments: HostileRequest.heads + HostileRequest.bodies)
    func `a hostile request is answered and its connection closed`(hostile: HostileRequest) async throws {
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            // What follows must not be taken for a request.
            try client.send(hostile.text + "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            client.finishSending()
            let answer = try client.receiveAnswer()
            #expect(answer.status == hostile.failure.status.code)
            #expect(answer.text == hostile.failure.detail)
            #expect(answer["connection"] == "close")
            #expect(try client.receiveAll().isEmpty)
        }
    }

    @Test func `a handler's header cannot break out of its line`() async throws {
        try await serving { router in
            router.on(.get, "/") { request in
                Response(
                    status: .ok, headerFields: [.location: request.query["to"] ?? "", .eTag: "a\r\nSet-Cookie: b"])
            }
        } _: { port in
            let client = try RawClient(port: port)
            try client.send("GET /?to=x HTTP/1.1\r\nHost: h\r\n\r\n")
            let answer = try client.receiveAnswer()
            #expect(answer["set-cookie"] == nil)
            #expect(answer["location"] == "x")
        }
    }

    @Test(arguments: ["127.0.0.1", "::1", "localhost"])
    func `a server listens on an address or a name`(host: String) async throws {
        var configuration = HTTPServer.Configuration()
        configuration.address = .tcp(host: host, port: 0)
        let server = HTTPServer.forTest(configuration, routes: routes)
        let address = try server.start()
        #expect(address.isLoopback)
        #expect(address.port != 0)
        #expect(throws: HTTPServerError.alreadyStarted) { try server.start() }
        configuration.address = .tcp(host: host, port: Int(address.port))
        let second = HTTPServer.forTest(configuration, routes: routes)
        #expect(throws: HTTPServerError.cannotListen("\(host):\(address.port)", errno: EADDRINUSE)) {
            try second.start()
        }
        await server.shutdown(within: .seconds(1))
    }

    @Test func `an address is written as a URL carries it`() {
        let v6 = SocketAddress(host: .v6(0, UInt64(1).bigEndian), port: 80)
        #expect(v6.description == "[::1]:80")
        #expect(v6.isLoopback)
        let v4 = SocketAddress(host: .v4(UInt32(0x0A00_0001).bigEndian), port: 8080)
        #expect(v4.description == "10.0.0.1:8080")
        #expect(!v4.isLoopback)
    }
}
