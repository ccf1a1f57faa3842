/// The query of a request target as decoded pairs, in order, with repeated names.
package struct Query: Sendable, Hashable {
    package struct Pair: Sendable, Hashable {
        package let name: String
        package let value: String
    }

    package private(set) var pairs: [Pair] = []

    package init() {}

    /// Reads `name=value&…` in the format of HTML forms: `+` is a space, a pair without `=` has an empty value.
    package init(parsing bytes: Span<UInt8>) throws(HTTPParseError) {
        var start = 0
        while start < bytes.count {
            let rest = bytes.extracting(start...)
            let length = rest.firstIndex(of: UInt8(ascii: "&")) ?? rest.count
            if length > 0 { try append(rest.extracting(..<length)) }
            start += length + 1
        }
    }

    /// The first value with this name.
    package subscript(name: String) -> String? {
        pairs.first { $0.name == name }?.value
    }

    package func values(of name: String) -> [String] {
        pairs.filter { $0.name == name }.map(\.value)
    }

    private mutating func append(_ pair: Span<UInt8>) throws(HTTPParseError) {
        let split = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.count
        let name = try PercentEncoding.decode(pair.extracting(..<split), plusIsSpace: true)
        let value = try PercentEncoding.decode(pair.extracting(min(split + 1, pair.count)...), plusIsSpace: true)
        pairs.append(Pair(name: name, value: value))
    }
}
