import AdapterFormat

/// What a round says of coordinates that too few clients hold, and of those of which no value is dropped.
struct MiddleCoverage {
    let rule: MiddleRule
    private var kept: [String] = []
    private var untrimmed: [String] = []

    init(rule: MiddleRule) { self.rule = rule }

    /// - Parameter ranks: of the clients that hold the module.
    mutating func count(_ ranks: [Int], of module: ModuleShape) {
        let counts = (0..<module.maximumRank).map { component in ranks.count { $0 > component } }
        // Components are counted from 1. Lower ones have more holders, so each list is one run.
        if let rows = Self.run(counts.map { rule.places(of: $0) == nil }) { kept.append("\(module.name) \(rows)") }
        if let rows = Self.run(counts.map { rule.isPlainMean(of: $0) }) { untrimmed.append("\(module.name) \(rows)") }
    }

    mutating func count(_ holders: Int, of tensor: AdapterShape.Dense) {
        if rule.places(of: holders) == nil { kept.append(tensor.name) }
        if rule.isPlainMean(of: holders) { untrimmed.append(tensor.name) }
    }

    private static func run(_ holds: [Bool]) -> String? {
        guard let first = holds.firstIndex(of: true), let last = holds.lastIndex(of: true) else { return nil }
        return first == last ? "row \(first + 1)" : "rows \(first + 1) to \(last + 1)"
    }

    /// The longest list in a note; what follows is counted.
    private static let mostNames = 20

    var notes: [String] {
        let name = rule.fraction == nil ? "median" : "trimmed"
        func list(_ names: [String]) -> String {
            let more = names.count - Self.mostNames
            return names.prefix(Self.mostNames).joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
        }
        return [
            kept.isEmpty
                ? nil
                : "\(name): fewer than \(rule.holders) updates hold these, which stay as they were: \(list(kept))",
            untrimmed.isEmpty
                ? nil : "\(name): so few updates hold these that none is dropped (t = 0): \(list(untrimmed))",
        ].compactMap(\.self)
    }
}
