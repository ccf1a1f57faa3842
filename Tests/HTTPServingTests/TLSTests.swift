import COpenSSL
import Crypto
import Foundation
import HTTPServing
import HTTPTypes
import TestCertificates
import TestStage
import Testing

/// TLS over real sockets, with certificates made for the test.
@Suite(.ownThread) struct TLSTests {
    private let certificates: Certificates
    private let folder: TemporaryFolder
    private let content = pattern(3_000_000)

    init() throws {
        certificates = try Certificates()
        try certificates.makeServer()
        folder = try TemporaryFolder()
        try Data(content).write(to: URL(fileURLWithPath: folder.file("content")))
    }

    private func serving(
        _ asked: HTTPServer.TLS.ClientCertificates = .none,
        _ configure: (inout HTTPServer.Configuration) -> Void = { _ in },
        _ body: (UInt16) async throws -> Void
    ) async throws {
        let file = try OpenFile(path: folder.file("content"))
        let tag = try #require(EntityTag("v1"))
        try await HTTPServingTests.serving {
            $0.tls = HTTPServer.TLS(
                certificate: certificates.certificate("server"), key: certificates.key("server"),
                clientCA: certificates.certificate("ca"), clientCertificates: asked)
            configure(&$0)
        } routes: { [folder] router in
            router.on(.get, "/hello") { _ in .text("hello") }
            router.on(.get, "/big") { _ in Response(status: .ok, body: .bytes(pattern(4_000_000))) }
            router.on(.get, "/file") {
                try Response.file(file, etag: tag, contentType: "application/octet-stream", for: $0)
            }
            router.on(.get, "/names") { .text($0.certificate?.names.sorted().joined(separator: " ") ?? "none") }
            router.on(.post, "/body") { .text(String(try await $0.body.collect(upTo: 1_000_000).count)) }
            router.on(.put, "/save/{name}") { request in
                let path = folder.file(request.parameters["name"] ?? "")
                let saved = try await request.body.save(to: path, upTo: 30_000_000, durably: true)
                return .text("\(saved.byteCount) \(EntityTag(digest: saved.sha256))", .created)
            }
        } _: {
            try await body($0)
        }
    }

    private func client(
        _ port: UInt16, receiveBuffer: Int32? = nil, _ change: (inout TLSClient.Options) -> Void = { _ in }
    ) throws -> TLSClient {
        var options = TLSClient.Options(authority: certificates.certificate("ca"))
        change(&options)
        return try TLSClient(port: port, options, receiveBuffer: receiveBuffer)
    }

    private func get(_ path: String, _ client: RawClient) throws -> Answer {
        try client.send("GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n")
        return try client.receiveAnswer()
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `answers of every kind are served over TLS 1 point 2 and 3`(version: Int32) async throws {
        try await serving { port in
            let client = try client(port) { $0.version = version }
            #expect(client.version == (version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3"))
            for _ in 0..<3 { #expect(try get("/hello", client).text == "hello") }
            #expect(try get("/big", client).body == pattern(4_000_000))
            #expect(try get("/file", client).body == content)
            try client.send("GET /file HTTP/1.1\r\nHost: h\r\nRange: bytes=1000000-1099999\r\n\r\n")
            #expect(try client.receiveAnswer().body == Array(content[1_000_000..<1_100_000]))
            try client.send("HEAD /file HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.receiveAnswer(hasBody: false)["content-length"] == "3000000")
            #expect(try get("/names", client).text == "none")
        }
    }

    @Test func `pipelined requests are answered in their order`() async throws {
        try await serving { port in
            let client = try client(port)
            let request = "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
            try client.send(String(repeating: request, count: 500))
            for _ in 0..<500 { #expect(try client.receiveAnswer().text == "3") }
        }
    }

    @Test(arguments: [0, 1, 16_384, 16_385, 20_000_000], ["sized", "chunked"])
    func `a body is saved whole`(count: Int, framing: String) async throws {
        try await serving { port in
            let client = try client(port)
            let body = pattern(count)
            let digest = EntityTag(digest: SHA256.hash(data: body))
            if framing == "sized" {
                try client.send("PUT /save/a HTTP/1.1\r\nHost: h\r\nContent-Length: \(count)\r\n\r\n")
                try client.send(body)
            } else {
                try client.send("PUT /save/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
                if count > 0 {
                    try client.send(String(count, radix: 16) + "\r\n")
                    try client.send(body)
                    try client.send("\r\n")
                }
                try client.send("0\r\n\r\n")
            }
            #expect(try client.receiveAnswer().text == "\(count) \(digest)")
            #expect(try get("/hello", client).text == "hello")
        }
    }

    @Test(arguments: ["/big", "/file"])
    func `a slow reader gets a big answer whole`(path: String) async throws {
        try await serving { port in
            let client = try client(port, receiveBuffer: 4096)
            try client.send("GET \(path) HTTP/1.1\r\nHost: h\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.receiveAnswer().body == (path == "/big" ? pattern(4_000_000) : content))
            #expect(try client.receiveAnswer().text == "hello")
        }
    }

    @Test func `an answer that closes ends with a goodbye`() async throws {
        try await serving { port in
            let client = try client(port)
            try client.send("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            #expect(try client.receiveAnswer().text == "hello")
            // It throws where the connection is cut off instead.
            #expect(try client.receiveAll().isEmpty)
        }
    }

    @Test func `a peer that says goodbye gets the answers it waits for`() async throws {
        try await serving { port in
            let client = try client(port)
            try client.send("GET /file HTTP/1.1\r\nHost: h\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            client.finishSending()
            #expect(try client.receiveAnswer().body == content)
            #expect(try client.receiveAnswer().text == "hello")
            #expect(try client.receiveAll().isEmpty)
        }
    }

    @Test func `a body that is cut off leaves no file`() async throws {
        try await serving(.none, { $0.limits.bodiesInFlight = 1 }) { port in
            let cut = try client(port)
            try cut.send("PUT /save/a HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n")
            #expect(try cut.receiveAnswer().status == 100)
            try cut.send("abc")
            cut.cutOff()
            // The place in flight is free once the handler is done with the file.
            while true {
                let next = try client(port)
                try next.send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na")
                if try next.receiveAnswer().status == 200 { break }
            }
            #expect(folder.names == ["content"])
        }
    }

    @Test(arguments: [TLS1_VERSION, TLS1_1_VERSION])
    func `an older version is refused`(version: Int32) async throws {
        try await serving { port in
            #expect(throws: RawClient.Failure.self) { try client(port) { $0.version = version } }
        }
    }

    @Test(arguments: ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256"])
    func `a suite without forward secrecy or authenticated encryption is refused`(suite: String) async throws {
        try await serving { port in
            #expect(throws: RawClient.Failure.self) {
                try client(port) {
                    $0.version = TLS1_2_VERSION
                    $0.suites = suite
                }
            }
        }
    }

    @Test func `a second handshake is refused`() async throws {
        try await serving { port in
            let client = try client(port) { $0.version = TLS1_2_VERSION }
            #expect(try get("/hello", client).text == "hello")
            #expect(!client.renegotiates())
        }
    }

    @Test func `one protocol is agreed upon, and another alone is refused`() async throws {
        try await serving { port in
            let both = try client(port) { $0.protocols = Array("\u{2}h2\u{8}http/1.1".utf8) }
            #expect(both.chosenProtocol == "http/1.1")
            #expect(try get("/hello", both).text == "hello")
            #expect(throws: RawClient.Failure.self) { try client(port) { $0.protocols = Array("\u{2}h2".utf8) } }
        }
    }

    @Test func `plain HTTP is told where TLS is spoken, and gets nothing else`() async throws {
        try await serving { port in
            let plain = try RawClient(port: port)
            try plain.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            let received = String(decoding: try plain.receiveAll(), as: UTF8.self)
            #expect(received.hasPrefix("HTTP/1.1 400 ") && received.contains("https://"))
            #expect(!received.contains("hello"))
        }
    }

    @Test(arguments: [[], [0x16], [0x16, 3, 1, 2, 0, 1]] as [[UInt8]])
    func `a handshake that stalls has the time of a head`(bytes: [UInt8]) async throws {
        try await serving(.none, { $0.limits.timeToHeaders = .seconds(2) }) { port in
            let stalled = try RawClient(port: port)
            try stalled.send(bytes)
            #expect(try stalled.receiveAll().isEmpty)
        }
    }

    @Test func `half a head is answered with 408`() async throws {
        try await serving(.none, { $0.limits.timeToHeaders = .seconds(5) }) { port in
            let client = try client(port)
            try client.send("GET /hello HTTP/1.1\r\nHo")
            #expect(try client.receiveAnswer().status == 408)
            #expect(try client.receiveAll().isEmpty)
        }
    }

    @Test func `a connection beyond the limit is told so after its handshake, if that comes in time`() async throws {
        try await serving(
            .none,
            {
                $0.limits.connections = 1
                $0.limits.timeToHeaders = .seconds(5)
            }
        ) { port in
            let inside = try client(port)
            #expect(try get("/hello", inside).text == "hello")
            let refused = try client(port).receiveAnswer()
            #expect(refused.status == 503)
            #expect(refused["retry-after"] == "5")
            let silent = try RawClient(port: port)
            #expect(try silent.receiveAll().isEmpty)
            #expect(try get("/hello", inside).text == "hello")
        }
    }

    @Test func `a stop says goodbye to who is idle and lets others finish`() async throws {
        var configuration = HTTPServer.Configuration.onAnyPort
        configuration.tls = HTTPServer.TLS(
            certificate: certificates.certificate("server"), key: certificates.key("server"))
        let server = HTTPServer.forTest(configuration) {
            $0.on(.get, "/hello") { _ in .text("hello") }
            $0.on(.post, "/body") { .text(String(try await $0.body.collect(upTo: 1000).count)) }
        }
        let port = try server.start().port
        let idle = try client(port)
        #expect(try get("/hello", idle).text == "hello")
        let shaking = try RawClient(port: port)
        let working = try client(port)
        try working.send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        #expect(try working.receiveAnswer().status == 100)
        let stop = server.beginShutdown(within: .seconds(600))
        #expect(try idle.receiveAll().isEmpty)
        #expect(try shaking.receiveAll().isEmpty)
        try working.send("hello")
        let answer = try working.receiveAnswer()
        #expect(answer.text == "5")
        #expect(answer["connection"] == "close")
        #expect(try working.receiveAll().isEmpty)
        working.leave()
        await stop.value
    }
}
