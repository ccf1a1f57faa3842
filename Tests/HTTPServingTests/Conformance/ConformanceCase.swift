import Testing

/// One row of the table: the bytes that go in, the answers that come out, and what becomes of the connection.
struct ConformanceCase: Sendable, CustomTestStringConvertible {
    /// An answer as far as its case says something about it.
    struct Reply: Sendable {
        let status: Int
        let text: String?
        let fields: [String: String]
        let hasBody: Bool

        init(_ status: Int, _ text: String? = nil, _ fields: [String: String] = [:], hasBody: Bool = true) {
            self.status = status
            self.text = text
            self.fields = fields
            self.hasBody = hasBody
        }

        static let hello = Reply(200, "hello")
        static let refused = Reply(400, nil, ["connection": "close"])
    }

    enum After: Sendable {
        /// The next request on the connection is answered.
        case kept
        /// Nothing more is answered, though a request followed.
        case closed
        /// Either: it depends on what of an unread body has come. But no byte of it is taken for a request.
        case keptOrClosed
    }

    /// The section of RFC 9110 (HTTP) or RFC 9112 (HTTP/1.1) and what the case is about.
    let name: String
    let bytes: [UInt8]
    let replies: [Reply]
    let after: After
    /// Whether the peer says at once that it has no more to send.
    let isHalfClosed: Bool

    var testDescription: String { name }

    init(_ name: String, _ text: String, _ replies: Reply..., after: After, isHalfClosed: Bool = false) {
        self.init(name, bytes: Array(text.utf8), replies, after, isHalfClosed)
    }

    init(_ name: String, bytes: [UInt8], _ replies: [Reply], _ after: After, _ isHalfClosed: Bool = false) {
        self.name = name
        self.bytes = bytes
        self.replies = replies
        self.after = after
        self.isHalfClosed = isHalfClosed
    }

    /// A request for `/hello` with other fields beside Host.
    static func get(_ name: String, _ fields: String, _ replies: Reply..., after: After) -> ConformanceCase {
        ConformanceCase(
            name, bytes: Array("GET /hello HTTP/1.1\r\nHost: h\r\n\(fields)\r\n\r\n".utf8), replies, after)
    }

    /// A request for another target.
    static func target(_ name: String, _ target: String, _ replies: Reply..., after: After) -> ConformanceCase {
        ConformanceCase(name, bytes: Array("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n".utf8), replies, after)
    }

    /// A request whose body is echoed.
    static func post(_ name: String, _ rest: String, _ replies: Reply..., after: After) -> ConformanceCase {
        ConformanceCase(name, bytes: Array("POST /echo HTTP/1.1\r\nHost: h\r\n\(rest)".utf8), replies, after)
    }

    static func chunked(_ name: String, _ body: String, _ replies: Reply..., after: After) -> ConformanceCase {
        ConformanceCase(
            name, bytes: Array("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\(body)".utf8),
            replies, after)
    }

    /// A request for ten digits under the tag `"v1"`.
    static func part(_ name: String, _ fields: String, _ reply: Reply) -> ConformanceCase {
        ConformanceCase(
            name, bytes: Array("GET /digits HTTP/1.1\r\nHost: h\r\n\(fields)\r\n\r\n".utf8), [reply], .kept)
    }
}
