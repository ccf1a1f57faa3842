/// Values of the metadata by key; an error names the key, what was expected and what came.
extension GGUFFile {
    func refusal(_ key: String, expected: String) -> ModelFileError {
        .gguf(file: path, .metadata(key: key, expected: expected, found: metadata[key]?.summary ?? "missing"))
    }

    package func text(_ key: String) throws(ModelFileError) -> String? {
        guard let value = metadata[key] else { return nil }
        guard case .text(let text) = value else { throw refusal(key, expected: "a string") }
        return text
    }

    package func flag(_ key: String) throws(ModelFileError) -> Bool? {
        guard let value = metadata[key] else { return nil }
        guard case .truth(let flag) = value else { throw refusal(key, expected: "a truth value") }
        return flag
    }

    package func number(_ key: String) throws(ModelFileError) -> Double? {
        switch metadata[key] {
        case nil: return nil
        case .real(let value)?: return value
        case .integer(let value)?: return Double(value)
        default: throw refusal(key, expected: "a number")
        }
    }

    /// The first of some keys that is there: a number above 0.
    func positive(_ keys: String...) throws(ModelFileError) -> Double? {
        for key in keys {
            guard let value = try number(key) else { continue }
            guard value > 0, value.isFinite else { throw refusal(key, expected: "a number above 0") }
            return value
        }
        return nil
    }

    /// A whole number from 0.
    package func count(_ key: String) throws(ModelFileError) -> Int? {
        guard let value = metadata[key] else { return nil }
        guard case .integer(let count) = value, 0...(1 << 32) ~= count else {
            throw refusal(key, expected: "a whole number from 0")
        }
        return count
    }

    func required(_ key: String) throws(ModelFileError) -> Int {
        guard let count = try count(key), count > 0 else { throw refusal(key, expected: "a whole number from 1") }
        return count
    }

    /// A whole number, or an array with the same number for each layer.
    func requiredForAllLayers(_ key: String) throws(ModelFileError) -> Int {
        guard case .array(let array)? = metadata[key] else { return try required(key) }
        guard let values = array.integers(), let first = values.first, first > 0,
            values.allSatisfy({ $0 == first })
        else { throw refusal(key, expected: "one number, or the same for each layer") }
        return first
    }

    package func array(_ key: String) throws(ModelFileError) -> GGUFArray? {
        guard let value = metadata[key] else { return nil }
        guard case .array(let array) = value else { throw refusal(key, expected: "an array") }
        return array
    }
}
