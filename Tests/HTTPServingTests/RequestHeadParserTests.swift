import HTTPServing
import HTTPTypes
import Testing

@Suite struct RequestHeadParserTests {
    private func parse(_ text: String, pieces: Int = .max, limits: Limits = Limits()) throws -> (RequestHead, Int)? {
        var parser = RequestHeadParser()
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let end = start + min(pieces, bytes.count - start)
            let piece = Array(bytes[start..<end])
            if case .complete(let head, let consumed) = try parser.consume(piece.span, limits: limits) {
                return (head, start + consumed)
            }
            start = end
        }
        return nil
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func `a head is read alike in whatever pieces it comes`(pieces: Int) throws {
        let text = "PUT /v1/a%20b?x=1&y= HTTP/1.1\r\nHost: h:80\r\nX-Two:  a b \t\r\nContent-Length: 5\r\n\r\nhello"
        let (head, consumed) = try #require(try parse(text, pieces: pieces))
        #expect(consumed == text.utf8.count - 5)
        #expect(head.method == .put)
        #expect(head.target.path == "/v1/a%20b")
        #expect(head.target.segments == ["v1", "a b"])
        #expect(head.target.query["x"] == "1")
        #expect(head.target.query["y"] == "")
        #expect(head.headerFields[HTTPField.Name("x-two")!] == "a b")
        #expect(head.framing == .sized(5))
        #expect(head.keepsAlive)
    }

    @Test func `one empty line before a request is skipped and a second is refused`() throws {
        #expect(try parse("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n") != nil)
        #expect(throws: RequestFailure.malformed(.requestLine)) { try parse("\r\n\r\nGET / HTTP/1.1\r\n") }
    }

    @Test func `an absolute target is read as its path`() throws {
        let (head, _) = try #require(try parse("GET http://[::1]:80/a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"))
        #expect(head.target.segments == ["a"])
        #expect(head.target.query["b"] == "c")
        let (bare, _) = try #require(try parse("GET HTTPS://example.org HTTP/1.1\r\nHost: x\r\n\r\n"))
        #expect(bare.target.path == "/")
    }

    @Test func `an asterisk asks about the server as a whole`() throws {
        let (head, _) = try #require(try parse("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"))
        #expect(head.target.isServerWide)
    }

    @Test(arguments: [
        ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: x, close\r\n", false), ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: Keep-Alive\r\n", true), ("HTTP/1.3", "", true),
    ])
    func `version and Connection decide whether the connection stays`(
        version: String, fields: String, keeps: Bool
    ) throws {
        let (head, _) = try #require(try parse("GET / \(version)\r\nHost: h\r\n\(fields)\r\n"))
        #expect(head.keepsAlive == keeps)
    }

    @Test func `chunked and the expectation are recognised in any case`() throws {
        let text = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\nExpect: 100-Continue\r\n\r\n"
        let (head, _) = try #require(try parse(text))
        #expect(head.framing == .chunked)
        #expect(head.expectation == .continue)
    }

    @Test func `HTTP 1.0 needs no Host`() throws {
        #expect(try parse("GET / HTTP/1.0\r\n\r\n") != nil)
    }

    @Test(arguments: HostileRequest.heads)
    func `a hostile head is refused with its reason`(hostile: HostileRequest) {
        for pieces in [1, 5, 4096] {
            #expect(throws: hostile.failure) { try parse(hostile.text, pieces: pieces) }
        }
    }

    @Test func `a request line beyond its bound is refused before it ends`() {
        var limits = Limits()
        limits.requestLineBytes = 64
        let text = "GET /" + String(repeating: "a", count: 60)
        #expect(throws: RequestFailure.uriTooLong(limit: 64)) { try parse(text, pieces: 8, limits: limits) }
    }

    @Test func `a header section beyond its bounds is refused before it ends`() {
        var limits = Limits()
        limits.headerBytes = 64
        let failure = RequestFailure.headerTooLarge(bytes: 64, fields: 100)
        let long = "GET / HTTP/1.1\r\nA: " + String(repeating: "a", count: 64)
        #expect(throws: failure) { try parse(long, pieces: 8, limits: limits) }
        let many = "GET / HTTP/1.1\r\n" + String(repeating: "A: bcdefg\r\n", count: 8)
        #expect(throws: failure) { try parse(many, limits: limits) }
        limits.headerBytes = 1 << 20
        limits.headerFields = 3
        let fields = "GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 4)
        #expect(throws: RequestFailure.headerTooLarge(bytes: 1 << 20, fields: 3)) {
            try parse(fields, limits: limits)
        }
    }
}
