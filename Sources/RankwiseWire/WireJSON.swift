package import Foundation

/// The one way JSON is written and read on both sides of the wire.
package enum WireJSON {
    /// UTF-8 JSON with sorted keys, so that equal values give equal bytes.
    package static func encode(_ value: some Encodable, pretty: Bool = false) throws(WireError) -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
        do {
            return try encoder.encode(value)
        } catch {
            throw WireError(path: "", reason: "holds a value that JSON cannot carry")
        }
    }

    /// Reads an answer; keys that this version does not know are skipped.
    package static func decode<T: Decodable>(_ type: T.Type, from data: Data) throws(WireError) -> T {
        try decode(type, from: data, userInfo: [:])
    }

    /// Reads a request; keys that this version does not know are refused by name.
    package static func decodeStrictly<T: Decodable>(_ type: T.Type, from data: Data) throws(WireError) -> T {
        try decode(type, from: data, userInfo: strictUserInfo)
    }

    /// What makes any `Decoder` (a YAML one, say) refuse unknown keys.
    package static var strictUserInfo: [CodingUserInfoKey: any Sendable] {
        StrictDecoding.key.map { [$0: true] } ?? [:]
    }

    private static func decode<T: Decodable>(
        _ type: T.Type, from data: Data, userInfo: [CodingUserInfoKey: any Sendable]
    ) throws(WireError) -> T {
        let decoder = JSONDecoder()
        decoder.userInfo = userInfo
        do {
            return try decoder.decode(type, from: data)
        } catch {
            throw WireError(describing: error)
        }
    }
}
