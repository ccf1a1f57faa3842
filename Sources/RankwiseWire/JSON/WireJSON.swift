package import FoundationEssentials
import StrictJSON

/// Writes and reads JSON, in the same way on both sides of the wire.
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

    /// Makes any `Decoder` (a YAML one, say) refuse unknown keys.
    package static var strictUserInfo: [CodingUserInfoKey: any Sendable] {
        StrictDecoding.key.map { [$0: true] } ?? [:]
    }

    private static func decode<T: Decodable>(
        _ type: T.Type, from data: Data, userInfo: [CodingUserInfoKey: any Sendable]
    ) throws(WireError) -> T {
        let decoder = JSONDecoder()
        decoder.userInfo = userInfo
        if !userInfo.isEmpty, let name = data.withUnsafeBytes(DuplicateName.find) {
            throw WireError(path: name, reason: "appears twice")
        }
        do {
            return try decoder.decode(type, from: data)
        } catch {
            if data.isEmpty { throw WireError(path: "", reason: "is empty; expected a JSON object") }
            let described = WireError(describing: error)
            guard described.reason == WireError.notJSON, let culprit = misfit(type, in: data, decoder: decoder) else {
                throw described
            }
            throw culprit
        }
    }

    /// Finds the number that made valid JSON undecodable, because the decoder names neither the number nor its place.
    /// It replaces odd numbers (negative, fractional or very large) from the first on, until the document decodes or
    /// fails for another reason. It searches the smallest such count by halving, because bodies come from outside and
    /// may hold very many.
    private static func misfit<T: Decodable>(_ type: T.Type, in data: Data, decoder: JSONDecoder) -> WireError? {
        guard let document = try? decoder.decode(JSONValue.self, from: data) else { return nil }
        func fits(replacing count: Int) -> Bool {
            guard let changed = try? encode(document.replacingOddNumbers(count, by: .integer(1))) else { return false }
            do {
                _ = try decoder.decode(type, from: changed)
                return true
            } catch {
                return WireError(describing: error).reason != WireError.notJSON
            }
        }
        var tooFew = 0
        var enough = document.oddNumberCount
        guard enough > 0, fits(replacing: enough) else { return nil }
        while enough - tooFew > 1 {
            let middle = tooFew + (enough - tooFew) / 2
            if fits(replacing: middle) { enough = middle } else { tooFew = middle }
        }
        return document.oddNumber(at: enough - 1).map { path, found in
            WireError(path: path.joined(separator: "."), reason: "is \(found); expected a whole number in its range")
        }
    }
}
