extension JSONValue {
    /// Where numbers stand that are negative, broken or very large, and what they are; in ascending order of keys.
    var oddNumbers: [(path: [String], found: String)] {
        switch self {
        case .integer(let value): value < 0 ? [([], "\(value)")] : []
        case .number(let value): [([], "\(value)")]
        case .object(let members):
            members.sorted { $0.key < $1.key }.flatMap { key, value in
                value.oddNumbers.map { ([key] + $0.path, $0.found) }
            }
        case .array(let items):
            items.enumerated().flatMap { index, value in
                value.oddNumbers.map { (["\(index)"] + $0.path, $0.found) }
            }
        case .null, .bool, .string: []
        }
    }

    /// Puts another value at a path of keys and indices.
    mutating func replace(at path: ArraySlice<String>, by value: JSONValue) {
        guard let key = path.first else {
            self = value
            return
        }
        switch self {
        case .object(var members):
            members[key]?.replace(at: path.dropFirst(), by: value)
            self = .object(members)
        case .array(var items):
            guard let index = Int(key), items.indices.contains(index) else { return }
            items[index].replace(at: path.dropFirst(), by: value)
            self = .array(items)
        case .null, .bool, .integer, .number, .string: return
        }
    }
}
