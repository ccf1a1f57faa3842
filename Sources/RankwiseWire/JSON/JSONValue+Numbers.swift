/// Odd numbers are negative, fractional or very large; they are counted in ascending order of keys.
extension JSONValue {
    var oddNumberCount: Int {
        switch self {
        case .object(let members): members.values.reduce(0) { $0 + $1.oddNumberCount }
        case .array(let items): items.reduce(0) { $0 + $1.oddNumberCount }
        case .null, .bool, .string, .integer, .number: oddNumber == nil ? 0 : 1
        }
    }

    /// The value with its first odd numbers replaced.
    func replacingOddNumbers(_ count: Int, by value: JSONValue) -> JSONValue {
        var count = count
        return replacing(&count, by: value)
    }

    /// The path of the odd number with this index, and its text.
    func oddNumber(at index: Int) -> (path: [String], found: String)? {
        var index = index
        return search(&index)
    }

    /// The text of the value if it is an odd number itself.
    private var oddNumber: String? {
        switch self {
        case .integer(let value): value < 0 ? "\(value)" : nil
        case .number(let value): "\(value)"
        case .null, .bool, .string, .array, .object: nil
        }
    }

    private func replacing(_ remaining: inout Int, by value: JSONValue) -> JSONValue {
        guard remaining > 0 else { return self }
        switch self {
        case .object(var members):
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                members[key] = member.replacing(&remaining, by: value)
            }
            return .object(members)
        case .array(let items):
            return .array(items.map { $0.replacing(&remaining, by: value) })
        case .null, .bool, .string, .integer, .number:
            guard oddNumber != nil else { return self }
            remaining -= 1
            return value
        }
    }

    private func search(_ index: inout Int) -> (path: [String], found: String)? {
        switch self {
        case .object(let members):
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                if let hit = member.search(&index) { return ([key] + hit.path, hit.found) }
            }
            return nil
        case .array(let items):
            for (position, item) in items.enumerated() {
                if let hit = item.search(&index) { return (["\(position)"] + hit.path, hit.found) }
            }
            return nil
        case .null, .bool, .string, .integer, .number:
            guard let oddNumber else { return nil }
            index -= 1
            return index < 0 ? ([], oddNumber) : nil
        }
    }
}
