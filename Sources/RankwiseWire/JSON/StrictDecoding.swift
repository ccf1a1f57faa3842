/// Refuses unknown keys in a request's object, by name.
///
/// Servers decode requests strictly (`WireDecoder.strict`). Clients decode answers leniently, so that an old client
/// understands a newer server.
enum StrictDecoding {
    /// Set in a decoder's `userInfo` to refuse unknown keys.
    static let key = CodingUserInfoKey(rawValue: "rankwise.refuses-unknown-keys")

}

/// Any key of an object.
struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

extension Decoder {
    /// A keyed container with exactly `Keys`; under strict decoding any other key throws an error that names it.
    package func knownKeys<Keys: CodingKey & CaseIterable>(_ keys: Keys.Type) throws -> KeyedDecodingContainer<Keys> {
        let known = try container(keyedBy: keys)
        guard let flag = StrictDecoding.key, userInfo[flag] as? Bool == true else { return known }
        let names = Set(Keys.allCases.map(\.stringValue))
        for key in try container(keyedBy: AnyKey.self).allKeys.map(\.stringValue).sorted()
        where !names.contains(key) {
            throw WireError(
                path: (codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue } + [key])
                    .joined(separator: "."),
                reason: "is not a known key; expected one of \(names.sorted().joined(separator: ", "))"
            )
        }
        return known
    }
}

extension KeyedDecodingContainer {
    /// The value of `key`, or `fallback` where it is missing or null.
    package func value<T: Decodable>(_ key: Key, default fallback: @autoclosure () -> T) throws -> T {
        try decodeIfPresent(T.self, forKey: key) ?? fallback()
    }
}
