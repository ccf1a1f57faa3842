/// Where a body ends: every shape by which one server could see another request than the next does.
extension ConformanceCase {
    /// What a smuggler would like to have taken for a request.
    private static let smuggled = "GET /name/smuggled HTTP/1.1\r\nHost: h\r\n\r\n"

    static let lengths: [ConformanceCase] = [
        .post("9112 6.2 a length", "Content-Length: 5\r\n\r\nhello", .hello, after: .kept),
        .post("9112 6.2 a length of nought", "Content-Length: 0\r\n\r\n", .init(200, ""), after: .kept),
        .post("9110 8.6 leading zeros", "Content-Length: 005\r\n\r\nhello", .hello, after: .kept),
        .post("9110 5.5 white space around a length", "Content-Length: \t5 \r\n\r\nhello", .hello, after: .kept),
        .post("9112 6.3 neither length", "\r\n", .init(200, ""), after: .kept),
        .post("9110 8.6 blank within a length", "Content-Length: 1 1\r\n\r\nhello world", .refused, after: .closed),
        .post("9110 8.6 a list of lengths", "Content-Length: 5,5\r\n\r\nhello", .refused, after: .closed),
        .post("9110 8.6 a list that ends in a comma", "Content-Length: 5,\r\n\r\nhello", .refused, after: .closed),
        .post("9110 8.6 a fraction", "Content-Length: 5.0\r\n\r\nhello", .refused, after: .closed),
        .post("9110 8.6 an exponent", "Content-Length: 5e0\r\n\r\nhello", .refused, after: .closed),
        .post("9110 8.6 digits of another script", "Content-Length: ٥\r\n\r\nhello", .refused, after: .closed),
        .post("9110 8.6 a minus", "Content-Length: -5\r\n\r\nhello", .refused, after: .closed),
        .post(
            "9110 8.6 one more than 64 bits", "Content-Length: 9223372036854775808\r\n\r\n", .refused, after: .closed),
        .post(
            "9110 15.5.14 the most that 64 bits hold", "Content-Length: 9223372036854775807\r\n\r\n",
            .init(413, nil, ["connection": "close"]), after: .closed),
        .post(
            "9112 6.3 two lengths, the second in other letters", "Content-Length: 5\r\ncONTENT-lENGTH: 0\r\n\r\nhello",
            .refused, after: .closed),
        .init(
            "9112 6.3 a body with GET is its own", "GET /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd",
            .hello, after: .keptOrClosed),
        .init(
            "9112 6.3 an unread body is no request",
            "POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: \(smuggled.utf8.count)\r\n\r\n\(smuggled)",
            .init(200, "ignored"), after: .keptOrClosed),
        .init(
            "9112 6.3 an unread chunk is no request",
            "POST /ignore HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "\(String(smuggled.utf8.count, radix: 16))\r\n\(smuggled)\r\n0\r\n\r\n",
            .init(200, "ignored"), after: .keptOrClosed),
        .init(
            "9112 6.3 a body under an unknown path is no request",
            "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: \(smuggled.utf8.count)\r\n\r\n\(smuggled)",
            .init(404), after: .keptOrClosed),
    ]

    /// Codings that the next server might read otherwise.
    static let codings: [ConformanceCase] = [
        .post(
            "9112 6.1 any case", "Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n", .hello, after: .kept),
        .post(
            "9110 5.6.1 an empty member of the list", "Transfer-Encoding: , chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            .hello, after: .kept),
        coding("two words", "chunked x"),
        coding("a word before", "x chunked"),
        coding("a Kelvin sign for its k", "chun\u{212a}ed"),
        coding("a combining mark after its blank", " \u{301}chunked"),
        coding("a parameter", "chunked;q=1"),
        coding("quoted", "\"chunked\""),
        coding("identity", "identity"),
        coding("identity after it", "chunked, identity"),
        coding("only a comma", ","),
        coding("a dotted name", "chunked."),
        coding("NUL after it", "chunked\0"),
        coding("a form feed before it", "\u{c}chunked"),
        coding("twice, in two fields", "chunked\r\nTransfer-Encoding: chunked"),
        coding("a second field that is none", "chunked\r\nTransfer-Encoding: cow"),
        coding("with a length", "chunked\r\nContent-Length: 5"),
        coding("with a length of nought", "chunked\r\nContent-Length: 0"),
        coding("with a broken length", "chunked\r\nContent-Length: x"),
        .post(
            "9112 6.3 identity and a length", "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", .refused,
            after: .closed),
        .post(
            "9112 6.1 a coding before it", "Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            .init(501, nil, ["connection": "close"]), after: .closed),
        .post(
            "9112 5.1 a blank before the colon", "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\nhello",
            .refused, after: .closed),
        .post(
            "9112 5.2 folded", "Content-Length: 5\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\nhello", .refused,
            after: .closed),
        .post(
            "9110 5.1 a name that only looks alike", "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
            .hello, after: .kept),
        .init(
            "9112 6.1 with HTTP/1.0",
            "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", .refused,
            after: .closed),
    ]

    private static func coding(_ name: String, _ value: String) -> ConformanceCase {
        .post(
            "9112 6.1 chunked: \(name)", "Transfer-Encoding: \(value)\r\n\r\n5\r\nhello\r\n0\r\n\r\n", .refused,
            after: .closed)
    }

    static let chunks: [ConformanceCase] = [
        .chunked("9112 7.1 two chunks", "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", .hello, after: .kept),
        .chunked("9112 7.1 leading zeros, last-chunk too", "0005\r\nhello\r\n000\r\n\r\n", .hello, after: .kept),
        .chunked(
            "9112 7.1 hexadecimal in either case", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
            .init(200, "01234567890123456789"), after: .kept),
        .chunked("9112 7.1 nothing at all", "0\r\n\r\n", .init(200, ""), after: .kept),
        .chunked("9112 7.1.1 an extension", "5;a=b;c\r\nhello\r\n0;d\r\n\r\n", .hello, after: .kept),
        .chunked("9112 7.1.1 a quoted extension", "5;a=\"b c\"\r\nhello\r\n0\r\n\r\n", .hello, after: .kept),
        .chunked("9112 7.1.1 blanks around an extension", "5 ; a = b\r\nhello\r\n0\r\n\r\n", .hello, after: .kept),
        .chunked("9112 7.1.1 two sizes", "5 6\r\nhello\r\n0\r\n\r\n", .refused, after: .closed),
        .chunked("9112 7.1 a blank after the size", "5 \r\nhello\r\n0\r\n\r\n", .refused, after: .closed),
        .chunked("9112 7.1 a blank before the size", " 5\r\nhello\r\n0\r\n\r\n", .refused, after: .closed),
        .chunked("9112 7.1.1 CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n", .refused, after: .closed),
        .chunked("9112 2.2 LF ends an extension", "5;\nhello\r\n0\r\n\r\n", .refused, after: .closed),
        .chunked("9112 7.1 a size of minus one", "-1\r\n\r\n0\r\n\r\n", .refused, after: .closed),
        .chunked(
            "9112 7.1 a size that wraps to five", "10000000000000005\r\nhello\r\n0\r\n\r\n", .refused, after: .closed),
        .chunked(
            "9112 7.1 a size with an underscore", "1_0\r\n0123456789abcdef\r\n0\r\n\r\n", .refused, after: .closed),
        .chunked("9112 7.1 no CR LF after data", "5\r\nhello0\r\n\r\n", .refused, after: .closed),
        .chunked(
            "9112 7.1.2 trailers are taken and dropped", "5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n", .hello, after: .kept
        ),
        .chunked(
            "9112 7.1.2 a trailer does not frame", "5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n", .hello, after: .kept
        ),
        .chunked("9112 7.1.2 a trailer with a blank before its colon", "0\r\nA : b\r\n\r\n", .refused, after: .closed),
        .chunked("9112 7.1.2 a trailer with NUL", "0\r\nA: b\0\r\n\r\n", .refused, after: .closed),
        .chunked("9112 7.1.2 CR in a trailer", "0\r\nA: b\rc\r\n\r\n", .refused, after: .closed),
    ]
}
