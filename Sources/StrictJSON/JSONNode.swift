/// A JSON value as a tree, for documents of settings that are read by name. A name that comes twice is an error.
package enum JSONNode: Sendable, Hashable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONNode])
    case object([String: JSONNode])

    /// The value of a whole text.
    package init(parsing text: UnsafeRawBufferPointer) throws(JSONSyntaxError) {
        var scanner = JSONScanner(text)
        self = try scanner.node()
        try scanner.finish()
    }

    /// The member of an object; nil where there is none, where it is null, or where this is no object.
    package subscript(name: String) -> JSONNode? {
        guard case .object(let members) = self, let member = members[name], member != .null else { return nil }
        return member
    }

    /// What the value is, for errors; strings and arrays are not quoted as a whole.
    package var summary: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let value): Int(exactly: value).map(String.init) ?? "\(value)"
        case .string(let value) where value.utf8.count <= 60: value.jsonQuoted
        case .string(let value): "a string of \(value.utf8.count) bytes"
        case .array(let values): "an array of \(values.count)"
        case .object: "an object"
        }
    }
}

extension JSONScanner {
    /// Reads one value of any kind.
    package mutating func node() throws(JSONSyntaxError) -> JSONNode {
        switch try peek(expecting: "a value") {
        case UInt8(ascii: "{"):
            var members: [String: JSONNode] = [:]
            try beginObject()
            while let name = try nextName() {
                guard members.updateValue(try node(), forKey: name) == nil else { throw .duplicate(name) }
            }
            return .object(members)
        case UInt8(ascii: "["):
            var elements: [JSONNode] = []
            try beginArray()
            while try nextElement() { elements.append(try node()) }
            return .array(elements)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool(try bool())
        case UInt8(ascii: "n"):
            _ = try skipNull()
            return .null
        default: return .number(try number())
        }
    }
}
