import HTTPServing
import Testing

/// A request that must be refused, and how.
struct HostileRequest: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let failure: RequestFailure

    var testDescription: String { name }

    private init(_ name: String, _ text: String, _ reason: HTTPParseError) {
        self.init(name, text, .malformed(reason))
    }

    private init(_ name: String, _ text: String, _ failure: RequestFailure) {
        self.name = name
        self.text = text
        self.failure = failure
    }

    private static func get(_ name: String, _ fields: String, _ reason: HTTPParseError) -> HostileRequest {
        HostileRequest(name, "GET / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n", reason)
    }

    private static func target(_ name: String, _ target: String, _ reason: HTTPParseError) -> HostileRequest {
        HostileRequest(name, "GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n", reason)
    }

    private static func chunked(_ name: String, _ body: String, _ reason: HTTPParseError) -> HostileRequest {
        HostileRequest(name, "POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\(body)", reason)
    }

    /// Refused by the head alone.
    static let heads: [HostileRequest] = [
        .init("no target", "GET\r\nHost: h\r\n\r\n", .requestLine),
        .init("no version", "GET /\r\nHost: h\r\n\r\n", .requestLine),
        .init("empty method", " / HTTP/1.1\r\nHost: h\r\n\r\n", .method),
        .init("method with a bracket", "G(T / HTTP/1.1\r\nHost: h\r\n\r\n", .method),
        .init("method with NUL", "G\0T / HTTP/1.1\r\nHost: h\r\n\r\n", .method),
        .init("two spaces before the version", "GET /  HTTP/1.1\r\nHost: h\r\n\r\n", .version),
        .init("space at the end", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", .version),
        .init("lower-case version", "GET / http/1.1\r\nHost: h\r\n\r\n", .version),
        .init("long version", "GET / HTTP/1.10\r\nHost: h\r\n\r\n", .version),
        .init("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .versionNotSupported),
        .init("HTTP/0.9", "GET / HTTP/0.9\r\n\r\n", .versionNotSupported),
        .init("a TLS greeting", "\u{16}\u{3}\u{1}\n", .bareLineFeed),
        .init("LF alone", "GET / HTTP/1.1\nHost: h\n\n", .bareLineFeed),
        .init("LF alone after a field", "GET / HTTP/1.1\r\nHost: h\n\r\n", .bareLineFeed),
        .init("CR in the request line", "GET /\r HTTP/1.1\r\nHost: h\r\n\r\n", .bareCarriageReturn),
        target("control character in the target", "/a\u{1}b", .target),
        target("fragment", "/a#b", .target),
        target("backslash", "/a\\b", .target),
        target("not ASCII", "/ä", .target),
        target("quote in the query", "/?a=\"", .target),
        target("relative", "a/b", .target),
        target("other scheme", "ftp://h/", .target),
        target("user information", "http://user@h/", .target),
        target("no authority", "http:///a", .target),
        target("asterisk with GET", "*", .target),
        .init("CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", .target),
        target("half an escape", "/a%2", .percentEncoding),
        target("an escape that is not hexadecimal", "/%zz", .percentEncoding),
        target("an escaped NUL", "/%00", .percentEncoding),
        target("an escaped line end", "/?a=%0d%0a", .percentEncoding),
        target("escapes that are not UTF-8", "/%ff%fe", .percentEncoding),
        target("a bad escape in a query's name", "/?%g=1", .percentEncoding),
        get("folded header", "A: b\r\n c\r\n", .foldedHeader),
        .init("folded first header", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", .foldedHeader),
        get("space before the colon", "A : b\r\n", .fieldName),
        get("no colon", "A\r\n", .fieldName),
        get("empty name", ": b\r\n", .fieldName),
        get("name that is no token", "A(b): c\r\n", .fieldName),
        get("name not ASCII", "Ä: c\r\n", .fieldName),
        get("NUL in a value", "A: b\0c\r\n", .fieldValue),
        get("DEL in a value", "A: b\u{7f}c\r\n", .fieldValue),
        get("CR in a value", "A: b\rc\r\n", .bareCarriageReturn),
        .init("no Host", "GET / HTTP/1.1\r\nA: b\r\n\r\n", .hostMissing),
        get("two Hosts", "Host: h\r\n", .hostRepeated),
        .init("Host with a path", "GET / HTTP/1.1\r\nHost: h/a\r\n\r\n", .hostInvalid),
        .init("Host with user information", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", .hostInvalid),
        .init("Host with a port that is none", "GET / HTTP/1.1\r\nHost: h:8x\r\n\r\n", .hostInvalid),
        .init("Host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .hostInvalid),
        get("negative length", "Content-Length: -1\r\n", .contentLength),
        get("signed length", "Content-Length: +1\r\n", .contentLength),
        get("empty length", "Content-Length:\r\n", .contentLength),
        get("hexadecimal length", "Content-Length: 0x10\r\n", .contentLength),
        get("length beyond 64 bits", "Content-Length: 99999999999999999999\r\n", .contentLength),
        get("a list of lengths", "Content-Length: 5, 5\r\n", .contentLength),
        get("two lengths that differ", "Content-Length: 5\r\nContent-Length: 6\r\n", .contentLengthRepeated),
        get("two lengths that agree", "Content-Length: 5\r\nContent-Length: 5\r\n", .contentLengthRepeated),
        get("both lengths", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", .bothLengths),
        get("both lengths, swapped", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", .bothLengths),
        get("chunked twice", "Transfer-Encoding: chunked, chunked\r\n", .transferEncoding),
        get("chunked not last", "Transfer-Encoding: chunked, gzip\r\n", .transferEncoding),
        get("chunked in disguise", "Transfer-Encoding: xchunked\r\n", .transferEncoding),
        get("empty coding", "Transfer-Encoding:\r\n", .transferEncoding),
        get("coding with a vertical tab", "Transfer-Encoding: \u{b}chunked\r\n", .fieldValue),
        .init(
            "chunked on HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", .transferEncoding),
        .init(
            "another coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            .unsupportedTransferCoding),
    ]

    /// Refused while the handler of `POST /body` reads.
    static let bodies: [HostileRequest] = [
        chunked("no size", "\r\n", .chunkSize),
        chunked("size not hexadecimal", "g\r\n", .chunkSize),
        chunked("signed size", "+5\r\nhello\r\n", .chunkSize),
        chunked("prefixed size", "0x5\r\nhello\r\n", .chunkSize),
        chunked("size beyond 64 bits", "ffffffffffffffff0\r\n", .chunkSize),
        chunked("negative as 64 bits", "ffffffffffffffff\r\n", .chunkSize),
        chunked("zeros without end", String(repeating: "0", count: 40), .chunkSize),
        chunked("LF alone after the size", "5\nhello\r\n", .chunkSize),
        chunked("CR alone after the size", "5\rhello", .bareCarriageReturn),
        chunked("control character in an extension", "5;a\u{1}\r\nhello", .chunkExtension),
        chunked("LF in an extension", "5;a\nhello", .chunkExtension),
        chunked("endless extension", "5;" + String(repeating: "a", count: 20_000), .chunkExtension),
        chunked("data longer than its size", "3\r\nhello\r\n", .chunkEnd),
        chunked("LF alone after data", "5\r\nhello\n0\r\n", .chunkEnd),
        chunked("CR alone after data", "5\r\nhello\r0\r\n", .chunkEnd),
        chunked("trailer without a colon", "0\r\nabc\r\n\r\n", .fieldName),
        chunked("folded trailer", "0\r\nA: b\r\n c\r\n\r\n", .foldedHeader),
        chunked("LF alone in the trailer", "0\r\n\n", .bareLineFeed),
        chunked("endless trailer", "0\r\nA: " + String(repeating: "a", count: 40_000), .trailer),
    ]
}
