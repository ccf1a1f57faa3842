/// PEFT's `rank_pattern` or `alpha_pattern`: a value for the modules that each pattern stands for, of which the first
/// counts.
///
/// Files that name thousands of modules one by one are looked up by the ends of a path; other patterns are tried in turn.
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
    /// Where the first rule of each literal path stands.
    private let literal: [String: Int]
    /// Where the others stand.
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

    /// The value for a module path; nil where no pattern stands for it.
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
    /// The path and every end of it that begins after a point, the longest first.
    var pathSuffixes: [Substring] {
        [self[...]] + indices.filter { self[$0] == "." }.map { self[index(after: $0)...] }
    }
}
