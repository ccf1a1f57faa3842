import HTTPServing
import HTTPTypes
import RawStructuredFieldValues

/// Header fields as structured fields (RFC 9651).
extension Request {
    /// The limit on a field, in bytes. The parser searches its maps linearly, so its time grows with the square of the
    /// number of keys.
    private static let structuredFieldLimit = 1 << 10

    /// An item without its parameters, which have no meaning here; nil for a field that is absent or no item.
    func structuredItem(_ name: String) -> RFC9651BareItem? {
        guard let text = HTTPField.Name(name).flatMap({ headerFields[$0] }), var parser = Self.parser(of: text)
        else { return nil }
        return try? parser.parseItemFieldValue().rfc9651BareItem
    }

    /// The value of a key in a dictionary field; nil where either is absent.
    func structuredMember(
        _ key: String, of name: String, expected: String
    ) throws(ArgumentError) -> ItemOrInnerList? {
        guard let text = HTTPField.Name(name).flatMap({ headerFields[$0] }) else { return nil }
        guard var parser = Self.parser(of: text), let dictionary = try? parser.parseDictionaryFieldValue() else {
            throw .invalid(name: name, found: text, expected: expected)
        }
        return dictionary[key]
    }

    private static func parser(of text: String) -> StructuredFieldValueParser<[UInt8]>? {
        text.utf8.count <= structuredFieldLimit ? StructuredFieldValueParser(Array(text.utf8)) : nil
    }
}
