import Foundation
import RankwiseWire

extension WireJSON {
    static func decode<T: Decodable>(_ type: T.Type, bytes: [UInt8]) throws(WireError) -> T {
        try decode(type, from: Data(bytes))
    }

    static func bytes(_ value: some Encodable) throws(WireError) -> [UInt8] {
        Array(try encode(value))
    }
}
