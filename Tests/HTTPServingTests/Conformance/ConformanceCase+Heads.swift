/// Request lines, targets, hosts and fields.
extension ConformanceCase {
    static let requestLines: [ConformanceCase] = [
        .init("9112 2.2 an empty line before", "\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n", .hello, after: .kept),
        .init("9112 2.2 a blank before", " GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", .refused, after: .closed),
        .init("9112 3 a tab between", "GET\t/hello\tHTTP/1.1\r\nHost: h\r\n\r\n", .refused, after: .closed),
        .init("9112 3 blank in the target", "GET /hel lo HTTP/1.1\r\nHost: h\r\n\r\n", .refused, after: .closed),
        .init("9112 2.3 a later minor version", "GET /hello HTTP/1.9\r\nHost: h\r\n\r\n", .hello, after: .kept),
        .init(
            "9110 15.6.6 another major version", "GET /hello HTTP/3.0\r\nHost: h\r\n\r\n",
            .init(505, nil, ["connection": "close"]), after: .closed),
        .init("9112 2.3 a comma in the version", "GET /hello HTTP/1,1\r\nHost: h\r\n\r\n", .refused, after: .closed),
        .init("9112 2.2 CR before CR LF", "GET /hello HTTP/1.1\r\r\nHost: h\r\n\r\n", .refused, after: .closed),
        .init("9112 2.2 CR instead of CR LF", "GET /hello HTTP/1.1\rHost: h\r\n\r\n", .refused, after: .closed),
        .init("9112 2.2 NUL before", "\0GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", .refused, after: .closed),
        .init(
            "9112 3 a request line without end", "GET /" + String(repeating: "a", count: 9000),
            .init(414, nil, ["connection": "close"]), after: .closed),
        .init(
            "9112 3 a method without end", String(repeating: "A", count: 9000),
            .init(414, nil, ["connection": "close"]), after: .closed),
        .init(
            "9110 9.1 methods tell letters' cases apart", "get /hello HTTP/1.1\r\nHost: h\r\n\r\n", .init(405),
            after: .kept),
        .init(
            "9110 15.5.6 a method that the path does not take", "BREW /hello HTTP/1.1\r\nHost: h\r\n\r\n",
            .init(405, nil, ["allow": "GET, HEAD, OPTIONS"]), after: .kept),
        .init("9110 9.3.8 TRACE echoes nothing", "TRACE /hello HTTP/1.1\r\nHost: h\r\n\r\n", .init(405), after: .kept),
    ]

    static let targets: [ConformanceCase] = [
        .target("9112 3.2.2 absolute form", "http://h/hello", .hello, after: .kept),
        .target("9112 3.2.2 absolute form, any scheme's case", "HTTP://h:80/hello?a=b", .hello, after: .kept),
        .target("9112 3.2.2 the target's host goes before Host", "http://other/hello", .hello, after: .kept),
        .target("9112 3.2.2 absolute form without a path", "http://h", .init(404), after: .kept),
        .target("9112 3.2.2 absolute form without a host", "http://", .refused, after: .closed),
        .target("9112 3.2.2 another scheme", "file:///etc/passwd", .refused, after: .closed),
        .target("9112 3.2.3 authority form", "h:443", .refused, after: .closed),
        .init(
            "9112 3.2.3 CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", .refused, after: .closed),
        .target("9112 3.2.4 asterisk form with GET", "*", .refused, after: .closed),
        .target("9112 3.2.4 an asterisk in a path is one", "/name/*", .init(200, "*"), after: .kept),
        .init(
            "9112 3.2.4 asterisk form with OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", .init(204), after: .kept),
        .init(
            "9110 9.3.7 OPTIONS", "OPTIONS /hello HTTP/1.1\r\nHost: h\r\n\r\n",
            .init(204, nil, ["allow": "GET, HEAD, OPTIONS"]), after: .kept),
        .target("9110 4.1 an empty query", "/hello?", .hello, after: .kept),
        .target("9110 4.2.5 a fragment", "/hello#a", .refused, after: .closed),
        .target("3986 2.1 an escape", "/%68ello", .hello, after: .kept),
        .target("3986 2.1 an escaped slash stays in its segment", "/name/a%2Fb", .init(200, "a/b"), after: .kept),
        .target("3986 2.1 an escaped escape is not read twice", "/name/%2541", .init(200, "%41"), after: .kept),
        .target("3986 5.2.4 dots are not climbed", "/name/../hello", .init(404), after: .kept),
        .target("3986 5.2.4 escaped dots are not climbed", "/name/%2e%2e/hello", .init(404), after: .kept),
        .target("3986 3.3 an empty segment is not skipped", "//hello", .init(404), after: .kept),
        .target("3986 2.1 escapes of UTF-8", "/name/%C3%A4", .init(200, "ä"), after: .kept),
        .target("3629 an overlong escape", "/name/%C0%AF", .refused, after: .closed),
        .target("3986 2.1 an escaped NUL", "/name/a%00b", .refused, after: .closed),
        .target("3986 2.1 an escaped line end", "/name/a%0D%0Ab", .refused, after: .closed),
        .target("3986 2.1 an escaped DEL", "/name/%7F", .refused, after: .closed),
        .target("3986 2.1 an escape cut off", "/name/%4", .refused, after: .closed),
        .target("3986 2.1 an escape in other letters", "/name/%u0041", .refused, after: .closed),
        .target("3986 2 a bracket", "/name/[a]", .refused, after: .closed),
        .target("3986 2 a bar", "/name/a|b", .refused, after: .closed),
        .init(
            "3986 2 a byte that is no ASCII",
            bytes: Array("GET /name/".utf8) + [0xFF] + Array(" HTTP/1.1\r\nHost: h\r\n\r\n".utf8), [.refused], .closed),
    ]

    static let hosts: [ConformanceCase] = [
        host("a port", "Host: h:8080", .hello),
        host("an empty port", "Host: h:", .hello),
        host("an empty host", "Host:", .hello),
        host("an IPv6 address", "Host: [::1]:80", .hello),
        host("any name's case", "hOST: h", .hello),
        host("none", "X: h", .refused),
        host("two that agree", "Host: h\r\nHost: h", .refused),
        host("two that differ", "Host: h\r\nX: y\r\nHost: i", .refused),
        host("a blank within", "Host: h i", .refused),
        host("a path", "Host: h/hello", .refused),
        host("user information", "Host: a@h", .refused),
        host("a port of letters", "Host: h:http", .refused),
        host("two ports", "Host: h:1:2", .refused),
        host("an open bracket", "Host: [::1", .refused),
        host("something after the bracket", "Host: [::1]h", .refused),
        host("a byte that is no ASCII", "Host: hä", .refused),
        .init(
            "9112 3.2 absolute form needs Host too", "GET http://h/hello HTTP/1.1\r\n\r\n", .refused, after: .closed),
        .init("9112 3.2 HTTP/1.0 needs none", "GET /hello HTTP/1.0\r\n\r\n", .hello, after: .closed),
        .init(
            "9112 3.2 HTTP/1.0 with two", "GET /hello HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", .refused, after: .closed),
    ]

    private static func host(_ name: String, _ line: String, _ reply: Reply) -> ConformanceCase {
        .init(
            "9112 3.2 Host: \(name)", bytes: Array("GET /hello HTTP/1.1\r\n\(line)\r\n\r\n".utf8), [reply],
            reply.status == 200 ? .kept : .closed)
    }

    static let fields: [ConformanceCase] = [
        .get("9110 5.5 an empty value", "A:", .hello, after: .kept),
        .get("9110 5.5 no blank after the colon", "A:b", .hello, after: .kept),
        .get("9110 5.5 a tab within", "A: b\tc", .hello, after: .kept),
        .get("9110 5.5 bytes beyond ASCII", "A: ä", .hello, after: .kept),
        .get("9110 5.6.2 every letter of a token", "!#$%&'*+-.^_`|~09azAZ: b", .hello, after: .kept),
        .get("9110 5.6.2 a slash in a name", "A/B: c", .refused, after: .closed),
        .get("9110 5.6.2 a name in quotes", "\"A\": b", .refused, after: .closed),
        .get("9112 5.1 a blank before the colon", "A : b", .refused, after: .closed),
        .get("9112 5.1 a tab before the colon", "A\t: b", .refused, after: .closed),
        .get("9112 5.2 folded by a blank", "A: b\r\n c", .refused, after: .closed),
        .get("9112 5.2 folded by a tab", "A: b\r\n\tc", .refused, after: .closed),
        .get("9112 5.2 folded with nothing else", "A: b\r\n ", .refused, after: .closed),
        .get("9110 5.5 NUL", "A: \0", .refused, after: .closed),
        .get("9110 5.5 a vertical tab", "A: b\u{b}c", .refused, after: .closed),
        .get("9110 5.5 an escape character", "A: \u{1b}[0m", .refused, after: .closed),
        .get("9110 5.5 DEL", "A: \u{7f}", .refused, after: .closed),
        .get("9112 2.2 LF alone ends a line", "A: b\nC: d", .refused, after: .closed),
        .get("9112 2.2 CR alone within a line", "A: b\rC: d", .refused, after: .closed),
        .init(
            "9112 2.2 LF alone ends the section", "GET /hello HTTP/1.1\r\nHost: h\r\n\n", .refused, after: .closed),
        .get(
            "9110 5.4 a section without end", "A: " + String(repeating: "b", count: 40_000),
            .init(431, nil, ["connection": "close"]), after: .closed),
        .get(
            "9110 5.4 fields without end", (0..<200).map { "A\($0): b" }.joined(separator: "\r\n"),
            .init(431, nil, ["connection": "close"]), after: .closed),
    ]
}
