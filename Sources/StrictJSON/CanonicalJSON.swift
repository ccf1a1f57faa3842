extension JSONScanner {
    /// Reads one value of any kind as canonical text: equal values give the same text. It has no white space, names in
    /// byte order, and whole numbers without a decimal point.
    ///
    /// - Throws: also where an object has a name twice; the error names it.
    package mutating func canonicalValue() throws(JSONSyntaxError) -> String {
        switch try peek(expecting: "a value") {
        case UInt8(ascii: "{"):
            var members: [String: String] = [:]
            try beginObject()
            while let name = try nextName() {
                guard members.updateValue(try canonicalValue(), forKey: name) == nil else { throw .duplicate(name) }
            }
            let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            return "{" + sorted.map { "\($0.key.jsonQuoted):\($0.value)" }.joined(separator: ",") + "}"
        case UInt8(ascii: "["):
            var elements: [String] = []
            try beginArray()
            while try nextElement() { elements.append(try canonicalValue()) }
            return "[" + elements.joined(separator: ",") + "]"
        case UInt8(ascii: "\""): return try string().jsonQuoted
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return String(try bool())
        case UInt8(ascii: "n"):
            _ = try skipNull()
            return "null"
        default:
            let value = try number()
            return Int(exactly: value).map(String.init) ?? "\(value)"
        }
    }
}
