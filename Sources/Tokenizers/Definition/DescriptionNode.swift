import StrictJSON

/// A part of `tokenizer.json`, with its place for errors.
struct DescriptionNode {
    let value: JSONNode
    let file: String
    /// Such as `pre_tokenizer.pretokenizers`.
    let place: String

    func refusal(_ expected: String) -> TokenizerError {
        .unsupported(file: file, part: place, expected: expected, found: found)
    }

    /// The type of a part, or what the value is.
    private var found: String { value["type"]?.summary ?? value.summary }

    subscript(key: String) -> DescriptionNode {
        DescriptionNode(value: value[key] ?? .null, file: file, place: place + "." + key)
    }

    var isNull: Bool { value == .null }

    func text() throws(TokenizerError) -> String {
        guard case .string(let text) = value else { throw refusal("a string") }
        return text
    }

    /// - Parameter missing: what holds where there is no value.
    func flag(_ missing: Bool) throws(TokenizerError) -> Bool {
        if isNull { return missing }
        guard case .bool(let flag) = value else { throw refusal("true or false") }
        return flag
    }

    func expect(_ flag: Bool, missing: Bool) throws(TokenizerError) {
        guard try self.flag(missing) == flag else { throw refusal("\(flag)") }
    }

    func id() throws(TokenizerError) -> Int32 {
        guard case .number(let number) = value, let id = Int32(exactly: number),
            0..<Int32(TokenizerDefinition.idLimit) ~= id
        else { throw refusal("a token id from 0 to \(TokenizerDefinition.idLimit - 1)") }
        return id
    }

    func elements() throws(TokenizerError) -> [DescriptionNode] {
        guard case .array(let values) = value else { throw refusal("an array") }
        return values.enumerated().map { DescriptionNode(value: $1, file: file, place: "\(place)[\($0)]") }
    }

    /// Checks that an object has no other members.
    func allow(_ keys: String...) throws(TokenizerError) {
        guard case .object(let members) = value else { throw refusal("an object") }
        guard let other = members.keys.filter({ !keys.contains($0) }).min() else { return }
        throw self[other].refusal("no such member")
    }

    /// The steps of a part that may be none, one, or a `Sequence` of some under `key`.
    func steps(_ key: String) throws(TokenizerError) -> [DescriptionNode] {
        if isNull { return [] }
        guard value["type"] == .string("Sequence") else { return [self] }
        try allow("type", key)
        var steps: [DescriptionNode] = []
        for element in try self[key].elements() { steps += try element.steps(key) }
        return steps
    }

    var type: String? {
        guard case .string(let type)? = value["type"] else { return nil }
        return type
    }
}
