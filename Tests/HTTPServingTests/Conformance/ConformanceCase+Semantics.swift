/// Connections, expectations, ranges and conditions.
extension ConformanceCase {
    static let connections: [ConformanceCase] = [
        .get("9112 9.6 close", "Connection: close", .init(200, "hello", ["connection": "close"]), after: .closed),
        .get("9112 9.6 close in any case, in a list", "Connection: x, Close", .hello, after: .closed),
        .get("9112 9.6 close in a second field", "Connection: x\r\nConnection: close", .hello, after: .closed),
        .get("9112 9.6 close goes before keep-alive", "Connection: keep-alive, close", .hello, after: .closed),
        .get("9112 9.6 a word that only begins so", "Connection: closed", .hello, after: .kept),
        .get("9112 9.3 keep-alive says nothing new", "Connection: keep-alive", .hello, after: .kept),
        .get("9110 7.8 an upgrade is not taken up", "Connection: upgrade\r\nUpgrade: h2c", .hello, after: .kept),
        .init("9112 9.3 HTTP/1.0 closes", "GET /hello HTTP/1.0\r\nHost: h\r\n\r\n", .hello, after: .closed),
        .init(
            "9112 9.3 HTTP/1.0 keeps where asked", "GET /hello HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            .init(200, "hello", ["connection": "keep-alive"]), after: .kept),
        .init(
            "9112 9.3 HTTP/1.0 with a body", "POST /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", .hello,
            after: .closed),
        .init(
            "9112 9.3.2 pipelined", "GET /name/a HTTP/1.1\r\nHost: h\r\n\r\nGET /name/b HTTP/1.1\r\nHost: h\r\n\r\n",
            .init(200, "a"), .init(200, "b"), after: .kept),
        .init(
            "9112 9.3.2 pipelined behind bodies",
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na"
                + "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n"
                + "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", .init(200, "a"), .init(200, "b"), .hello, after: .kept),
        .init(
            "9112 9.3.2 what follows a refusal is not served",
            "GET /hello HTTP/1.1\r\nHost: h\r\n\r\nGET /hello\r\n\r\n", .hello, .refused, after: .closed),
        .init(
            "9112 9.6 half-closed after a request", "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", .hello, after: .closed,
            isHalfClosed: true),
        .init(
            "9112 9.6 half-closed after two requests",
            "GET /hello HTTP/1.1\r\nHost: h\r\n\r\nGET /name/a HTTP/1.1\r\nHost: h\r\n\r\n", .hello, .init(200, "a"),
            after: .closed, isHalfClosed: true),
        .init("9112 8 half-closed before a request", "", after: .closed, isHalfClosed: true),
        .init("9112 8 half-closed within a head", "GET /hello HTTP/1.1\r\nHo", after: .closed, isHalfClosed: true),
        .init(
            "9112 8 half-closed within a sized body",
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell", after: .closed, isHalfClosed: true),
        .init(
            "9112 8 half-closed within a chunked body",
            "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", after: .closed,
            isHalfClosed: true),
    ]

    static let methods: [ConformanceCase] = [
        .init(
            "9110 9.3.2 HEAD", "HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n",
            .init(200, nil, ["content-length": "5"], hasBody: false), after: .kept),
        .init(
            "9110 9.3.2 HEAD of what is not there", "HEAD /nowhere HTTP/1.1\r\nHost: h\r\n\r\n",
            .init(404, hasBody: false), after: .kept),
        .init(
            "9110 9.3.2 HEAD of what takes POST", "HEAD /echo HTTP/1.1\r\nHost: h\r\n\r\n",
            .init(405, hasBody: false), after: .kept),
        .init(
            "9110 15.3.5 no content, no length", "DELETE /gone HTTP/1.1\r\nHost: h\r\n\r\n",
            .init(204, nil, ["content-length": ""]), after: .kept),
        .init(
            "9110 10.1.1 an expectation is met",
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
            .init(100), after: .keptOrClosed, isHalfClosed: true),
        .init(
            "9110 10.1.1 an expectation without a body",
            "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
            .init(200, ""), after: .kept),
        .init(
            "9110 10.1.1 an expectation of HTTP/1.0",
            "POST /echo HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello", .hello, after: .closed),
        .get("9110 10.1.1 another expectation", "Expect: 200-ok", .init(417), after: .kept),
        .get("9110 10.1.1 two expectations", "Expect: 100-continue, x", .init(417), after: .kept),
        .init(
            "9110 10.1.1 a refusal instead of 100",
            "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
            .init(404, nil, ["connection": "close"]), after: .closed),
    ]

    static let ranges: [ConformanceCase] = [
        .part("9110 14.2 the first byte", "Range: bytes=0-0", .init(206, "0", ["content-range": "bytes 0-0/10"])),
        .part("9110 14.2 the middle", "Range: bytes=2-4", .init(206, "234", ["content-range": "bytes 2-4/10"])),
        .part("9110 14.2 the end", "Range: bytes=8-", .init(206, "89", ["content-range": "bytes 8-9/10"])),
        .part("9110 14.2 the last two", "Range: bytes=-2", .init(206, "89", ["content-range": "bytes 8-9/10"])),
        .part("9110 14.1.2 beyond the end", "Range: bytes=5-99", .init(206, "56789")),
        .part("9110 14.1.2 a suffix longer than all", "Range: bytes=-99", .init(206, "0123456789")),
        .part("9110 14.1.2 an end beyond 64 bits", "Range: bytes=9-99999999999999999999", .init(206, "9")),
        .part(
            "9110 15.5.17 a start beyond 64 bits", "Range: bytes=99999999999999999999-",
            .init(416, nil, ["content-range": "bytes */10"])),
        .part(
            "9110 15.5.17 a start at the end", "Range: bytes=10-", .init(416, nil, ["content-range": "bytes */10"])),
        .part("9110 14.1.2 the last nought", "Range: bytes=-0", .init(416)),
        .part("9110 14.1 any unit's case", "Range: Bytes=0-0", .init(206, "0")),
        .part("9110 14.2 another unit", "Range: rows=0-0", .init(200, "0123456789")),
        .part("9110 14.1.1 backwards", "Range: bytes=4-2", .init(200, "0123456789")),
        .part("9110 14.1.1 no numbers", "Range: bytes=-", .init(200, "0123456789")),
        .part("9110 14.1.1 letters", "Range: bytes=a-b", .init(200, "0123456789")),
        .part("9110 14.2 several are answered with the whole", "Range: bytes=0-0,2-2", .init(200, "0123456789")),
        .part(
            "9110 14.2 twice is answered with the whole", "Range: bytes=0-0\r\nRange: bytes=1-1",
            .init(200, "0123456789")),
        .part("9110 13.1.5 of the same", "Range: bytes=0-0\r\nIf-Range: \"v1\"", .init(206, "0")),
        .part("9110 13.1.5 of another", "Range: bytes=0-0\r\nIf-Range: \"v2\"", .init(200, "0123456789")),
        .part("9110 13.1.5 a weak tag", "Range: bytes=0-0\r\nIf-Range: W/\"v1\"", .init(200, "0123456789")),
        .part(
            "9110 13.1.5 a date", "Range: bytes=0-0\r\nIf-Range: Sat, 29 Oct 1994 19:43:31 GMT",
            .init(200, "0123456789")),
        .init(
            "9110 14.2 only GET has parts", "HEAD /digits HTTP/1.1\r\nHost: h\r\nRange: bytes=0-0\r\n\r\n",
            .init(200, nil, ["content-length": "10"], hasBody: false), after: .kept),
    ]

    static let conditions: [ConformanceCase] = [
        .part("9110 13.1.2 the same tag", "If-None-Match: \"v1\"", .init(304, nil, ["etag": "\"v1\""])),
        .part("9110 13.1.2 among others", "If-None-Match: \"v0\", \"v1\"", .init(304)),
        .part("9110 13.1.2 in a second field", "If-None-Match: \"v0\"\r\nIf-None-Match: \"v1\"", .init(304)),
        .part("9110 13.1.2 a weak tag", "If-None-Match: W/\"v1\"", .init(304)),
        .part("9110 13.1.2 any", "If-None-Match: *", .init(304)),
        .part("9110 13.1.2 another", "If-None-Match: \"v2\"", .init(200, "0123456789")),
        .part("9110 13.1.2 without quotes", "If-None-Match: v1", .init(200, "0123456789")),
        .part("9110 13.2.2 before the range", "If-None-Match: \"v1\"\r\nRange: bytes=0-0", .init(304)),
        .part("9110 13.1.1 the same tag", "If-Match: \"v1\"", .init(200, "0123456789")),
        .part("9110 13.1.1 any", "If-Match: *", .init(200, "0123456789")),
        .part("9110 13.1.1 another", "If-Match: \"v2\"", .init(412)),
        .part("9110 13.1.1 a weak tag is not the same", "If-Match: W/\"v1\"", .init(412)),
        .part("9110 13.2.2 If-Match goes first", "If-Match: \"v2\"\r\nIf-None-Match: \"v1\"", .init(412)),
        .part("9110 13.1.3 dates say nothing here", "If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT", .init(200)),
    ]
}
