import RankwiseWire

/// Compares a JSON value with a schema of the contract, as strictly as our own answers allow: no key beyond the declared ones.
struct SchemaCheck {
    /// `components/schemas` of the document.
    let components: [String: JSONValue]

    /// What does not fit, with its place; empty where all fits.
    func faults(_ value: JSONValue, _ schema: JSONValue, at place: String = "$") -> [String] {
        guard case .object(let rules) = schema else { return ["\(place): the schema is no object"] }
        if let reference = rules["$ref"]?.string {
            let name = reference.replacing("#/components/schemas/", with: "")
            guard let target = components[name] else { return ["\(place): \(reference) is not there"] }
            return faults(value, target, at: place)
        }
        if case .array(let choices)? = rules["anyOf"] {
            let all = choices.map { faults(value, $0, at: place) }
            return all.contains([]) ? [] : all.min { $0.count < $1.count } ?? []
        }
        if case .array(let values)? = rules["enum"], !values.contains(value) {
            return ["\(place): \(value) is none of \(values)"]
        }
        guard let type = rules["type"]?.string else { return [] }
        switch (type, value) {
        case ("null", .null), ("boolean", .bool): return []
        case ("string", .string(let text)): return faults(text, rules, place)
        case ("integer", .integer(let number)): return faults(Double(number), rules, place)
        case ("number", .integer), ("number", .number): return faults(value.double ?? 0, rules, place)
        case ("array", .array(let items)):
            return items.enumerated().flatMap { index, item in
                rules["items"].map { faults(item, $0, at: "\(place)[\(index)]") } ?? []
            }
        case ("object", .object(let members)): return faults(members, rules, place)
        default: return ["\(place): \(value) is no \(type)"]
        }
    }

    private func faults(_ text: String, _ rules: [String: JSONValue], _ place: String) -> [String] {
        guard let pattern = rules["pattern"]?.string, let expression = try? Regex(pattern) else { return [] }
        return text.contains(expression) ? [] : ["\(place): '\(text)' does not match \(pattern)"]
    }

    private func faults(_ number: Double, _ rules: [String: JSONValue], _ place: String) -> [String] {
        let isBelow = rules["minimum"]?.double.map { number < $0 } ?? false
        let isAbove = rules["maximum"]?.double.map { number > $0 } ?? false
        return isBelow || isAbove ? ["\(place): \(number) is out of its range"] : []
    }

    private func faults(_ members: [String: JSONValue], _ rules: [String: JSONValue], _ place: String) -> [String] {
        var found: [String] = []
        var known: [String: JSONValue] = [:]
        if case .object(let properties)? = rules["properties"] { known = properties }
        if case .array(let required)? = rules["required"] {
            found += required.compactMap(\.string).filter { members[$0] == nil }.map { "\(place) lacks \($0)" }
        }
        for (key, value) in members {
            if let schema = known[key] {
                found += faults(value, schema, at: "\(place).\(key)")
            } else if case .object? = rules["additionalProperties"], let schema = rules["additionalProperties"] {
                found += faults(value, schema, at: "\(place).\(key)")
            } else if !known.isEmpty {
                found.append("\(place).\(key) is not declared")
            }
        }
        return found
    }
}
