/// PEFT's `rank_pattern` or `alpha_pattern`: each pattern gives a value to the modules that it matches, and the first
/// match counts.
///
/// Literal paths, of which files may have thousands, are looked up by the ends of a path. Other patterns are tried one
/// after another.
package struct PatternRules<Value: Sendable & Hashable>: Sendable, Hashable {
    package struct Rule: Sendable, Hashable {
        package let pattern: ModulePattern
        package let value: Value

        package init(pattern: ModulePattern, value: Value) {
            self.pattern = pattern
            self.value = value
        }
    }

    package let list: [Rule]
    /// The position of the first rule of each literal path.
    private let literal: [String: Int]
    /// The positions of the other rules.
    private let others: [Int]

    package init(_ list: [Rule] = []) {
        self.list = list
        var literal: [String: Int] = [:]
        var others: [Int] = []
        for (position, rule) in list.enumerated() {
            if let path = rule.pattern.literal {
                if literal[path] == nil { literal[path] = position }
            } else {
                others.append(position)
            }
        }
        self.literal = literal
        self.others = others
    }

    package var isEmpty: Bool { list.isEmpty }
    /// How many patterns are tried for every module.
    package var patternCount: Int { others.count }

    /// The value for a module path; nil where no pattern matches.
    package subscript(module: String) -> Value? {
        var first = module.pathSuffixes.compactMap { literal[String($0)] }.min()
        for position in others {
            if let first, position > first { break }
            if list[position].pattern.matches(module) {
                first = position
                break
            }
        }
        return first.map { list[$0].value }
    }
}

extension String {
    /// The path and every end of it that begins after a dot, the longest first.
    var pathSuffixes: [Substring] {
        [self[...]] + indices.filter { self[$0] == "." }.map { self[index(after: $0)...] }
    }
}
