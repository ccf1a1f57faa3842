import HTTPServing
import HTTPTypes
import Testing

@Suite struct ConditionalRequestTests {
    @Test(arguments: [
        ("bytes=0-0", ByteRange.part(0..<1)), ("bytes=2-5", .part(2..<6)), ("Bytes=2-", .part(2..<10)),
        ("bytes=-3", .part(7..<10)), ("bytes=-30", .part(0..<10)), ("bytes=5-99", .part(5..<10)),
        ("bytes=9-99999999999999999999999", .part(9..<10)), ("bytes=-99999999999999999999999", .part(0..<10)),
        ("bytes=10-", .unsatisfiable), ("bytes=-0", .unsatisfiable), ("bytes=99999999999999999999999-", .unsatisfiable),
        ("bytes=--10", .whole), ("bytes=5-2", .whole), ("bytes=", .whole), ("bytes=-", .whole), ("bytes", .whole),
        ("bytes=a-b", .whole), ("bytes=1-2,4-5", .whole), ("bytes= 1-2", .whole), ("lines=1-2", .whole), ("", .whole),
        ("bytes=1-2-3", .whole), ("bytes=+1-2", .whole), ("bytes=1-2 ", .whole),
    ])
    func `a range is honoured, refused or ignored`(value: String, expected: ByteRange) {
        #expect(ByteRange(parsing: value, length: 10) == expected)
    }

    @Test func `an empty representation has no part`() {
        #expect(ByteRange(parsing: "bytes=0-", length: 0) == .unsatisfiable)
        #expect(ByteRange(parsing: "bytes=-5", length: 0) == .whole)
    }

    @Test(arguments: [
        ("\"a\"", true), ("W/\"a\"", true), ("\"x\", \"a\"", true), ("\"x\",W/\"a\" ,\"y\"", true), ("*", true),
        ("\"x\"", false), ("a", false), ("\"a", false), ("", false), (", ,", false), ("w/\"a\"", false),
        ("\"x\" junk \"a\"", false), ("\"A\"", false),
    ])
    func `If-None-Match compares weakly over a list`(value: String, isNamed: Bool) throws {
        #expect(try #require(EntityTag("a")).isNamed(inNoneMatch: value) == isNamed)
        #expect(try #require(EntityTag("a", isWeak: true)).isNamed(inNoneMatch: value) == isNamed)
    }

    @Test(arguments: [
        ("\"a\"", true), ("W/\"a\"", false), ("\"x\"", false), ("\"a\", \"b\"", false),
        ("Sat, 29 Oct 1994 19:43:31 GMT", false),
    ])
    func `If-Range compares strongly`(value: String, isNamed: Bool) throws {
        #expect(try #require(EntityTag("a")).isNamed(inRange: value) == isNamed)
        #expect(try !#require(EntityTag("a", isWeak: true)).isNamed(inRange: value))
    }

    @Test func `a tag is what a header field can carry`() {
        #expect(EntityTag("a\"b") == nil)
        #expect(EntityTag("a b") == nil)
        #expect(EntityTag(digest: [0, 0xAB]).description == "\"00ab\"")
    }

    @Test(
        arguments: [
            (.get, [:], .whole),
            (.get, [.range: "bytes=0-1"], .part(0..<2)),
            (.head, [.range: "bytes=0-1"], .whole),
            (.get, [.range: "bytes=20-"], .unsatisfiable),
            (.get, [.range: "bytes=0-1", .ifRange: "\"a\""], .part(0..<2)),
            (.get, [.range: "bytes=0-1", .ifRange: "\"b\""], .whole),
            (.get, [.range: "bytes=20-", .ifRange: "\"b\""], .whole),
            (.get, [.range: "bytes=0-1", .ifNoneMatch: "\"a\""], .notModified),
            (.head, [.ifNoneMatch: "*"], .notModified),
            (.put, [.ifNoneMatch: "*"], .preconditionFailed),
            (.get, [.ifNoneMatch: "\"b\""], .whole),
        ] as [(HTTPRequest.Method, HTTPFields, ConditionalRequest)])
    func `preconditions come before the range`(
        method: HTTPRequest.Method, fields: HTTPFields, expected: ConditionalRequest
    ) throws {
        let etag = try #require(EntityTag("a"))
        #expect(ConditionalRequest(method: method, headerFields: fields, etag: etag, length: 10) == expected)
    }
}
