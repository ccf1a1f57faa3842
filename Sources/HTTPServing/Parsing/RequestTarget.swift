package import HTTPTypes

/// The target of a request line: a path in decoded segments and a query, or the server as a whole.
package struct RequestTarget: Sendable, Hashable {
    /// As it was sent, without the query; `*` for the server as a whole.
    package let path: String
    /// Percent-decoded; an encoded slash stays inside its segment. Empty for `*`.
    package let segments: [String]
    package let query: Query

    package var isServerWide: Bool { segments.isEmpty }

    /// Reads origin-form, absolute-form (without its authority, because there is one host here) and `OPTIONS *`.
    package init(parsing bytes: Span<UInt8>, method: HTTPRequest.Method) throws(HTTPParseError) {
        guard bytes.count > 0 else { throw .target }
        if bytes.count == 1, bytes[0] == UInt8(ascii: "*") {
            guard method == .options else { throw .target }
            path = "*"
            segments = []
            query = Query()
            return
        }
        let origin =
            bytes[0] == UInt8(ascii: "/") ? bytes : bytes.extracting(try Self.authorityEnd(of: bytes)...)
        let mark = origin.firstIndex(of: UInt8(ascii: "?")) ?? origin.count
        let path = origin.extracting(..<mark)
        let query = origin.extracting(min(mark + 1, origin.count)...)
        for index in path.indices where !ByteGrammar.isPath(path[index]) && path[index] != ByteGrammar.percent {
            throw .target
        }
        for index in query.indices where !ByteGrammar.isQuery(query[index]) && query[index] != ByteGrammar.percent {
            throw .target
        }
        self.path = path.count == 0 ? "/" : path.text
        segments = try Self.segments(of: path)
        self.query = query.count == 0 ? Query() : try Query(parsing: query)
    }

    private static func segments(of path: Span<UInt8>) throws(HTTPParseError) -> [String] {
        guard path.count > 0 else { return [""] }
        var segments: [String] = []
        segments.reserveCapacity(8)
        var start = 1
        while start <= path.count {
            let rest = path.extracting(start...)
            let length = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.count
            segments.append(try PercentEncoding.decode(rest.extracting(..<length)))
            start += length + 1
        }
        return segments
    }

    /// Where the path begins in `http://authority/path?query`.
    private static func authorityEnd(of bytes: Span<UInt8>) throws(HTTPParseError) -> Int {
        guard let scheme = ["http://", "https://"].first(where: { hasPrefix(bytes, $0) }) else { throw .target }
        let start = scheme.utf8.count
        var end = start
        while end < bytes.count, bytes[end] != UInt8(ascii: "/"), bytes[end] != UInt8(ascii: "?") { end += 1 }
        guard HostField.isValid(bytes.extracting(start..<end)), end > start else { throw .target }
        return end
    }

    private static func hasPrefix(_ bytes: Span<UInt8>, _ prefix: String) -> Bool {
        guard bytes.count >= prefix.utf8.count else { return false }
        for (index, byte) in prefix.utf8.enumerated() where bytes[index] | 0x20 != byte | 0x20 { return false }
        return true
    }
}
