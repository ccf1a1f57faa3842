import FoundationEssentials
package import RankwiseWire

extension WireJSON {
    /// Reads an answer; keys that this version does not know are skipped.
    package static func decode<T: Decodable>(_ type: T.Type, bytes: [UInt8]) throws(WireError) -> T {
        try decode(type, from: Data(bytes))
    }

    /// UTF-8 JSON with sorted keys.
    package static func bytes(_ value: some Encodable) throws(WireError) -> [UInt8] {
        Array(try encode(value))
    }
}
