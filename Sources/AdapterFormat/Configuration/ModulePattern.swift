import StrictJSON

/// A key of PEFT's `rank_pattern` or `alpha_pattern`: a regular expression for the end of a module path.
///
/// PEFT calls Python's `re.match` with `(.*\.)?(KEY)$`. Keys come from outside, so this type simulates all states at
/// once (Thompson, 1968). Its time is linear in the path and its size is bounded. Look-around, back references and
/// flags are refused.
package struct ModulePattern: Sendable, Hashable {
    package let key: String
    /// The path that the pattern matches, if it has no special character.
    let literal: String?
    private let program: [Instruction]

    package init(_ key: String) throws(ModulePatternError) {
        self.key = key
        var compiler = PatternCompiler(key)
        program = try compiler.compile()
        literal = Self.literal(of: program)
    }

    /// A pattern that matches a path and every path that ends in it; special characters match themselves.
    package init(path: String) {
        var key = ""
        var program: [Instruction] = []
        for scalar in path.unicodeScalars {
            if "\\.^$*+?{}[]|()".unicodeScalars.contains(scalar) { key.unicodeScalars.append("\\") }
            key.unicodeScalars.append(scalar)
            program.append(.take(ScalarSet(ranges: [scalar...scalar])))
        }
        self.key = key
        self.program = program + [.accept]
        literal = path
    }

    private static func literal(of program: [Instruction]) -> String? {
        var text = ""
        for step in program.dropLast() {
            guard case .take(let set) = step, !set.isNegated, set.ranges.count == 1, let range = set.ranges.first,
                range.lowerBound == range.upperBound
            else { return nil }
            text.unicodeScalars.append(range.lowerBound)
        }
        return text
    }

    /// Whether the pattern matches this module.
    package func matches(_ module: String) -> Bool {
        let path = Array(module.unicodeScalars)
        var current = StateSet(count: program.count)
        var next = StateSet(count: program.count)
        for position in 0...path.count {
            if position == 0 || path[position - 1] == "." {
                follow(0, at: position, of: path.count, into: &current)
            }
            guard position < path.count else { break }
            for state in current.states {
                if case .take(let scalars) = program[state], scalars.contains(path[position]) {
                    follow(state + 1, at: position + 1, of: path.count, into: &next)
                }
            }
            swap(&current, &next)
            next.removeAll()
        }
        return current.states.contains { program[$0] == .accept }
    }

    /// Adds a state and all states that are reachable from it without a character.
    private func follow(_ start: Int, at position: Int, of count: Int, into set: inout StateSet) {
        var pending = [start]
        while let state = pending.popLast() {
            guard set.insert(state) else { continue }
            switch program[state] {
            case .take, .accept: break
            case .jump(let target): pending.append(target)
            case .split(let first, let second): pending.append(contentsOf: [second, first])
            case .start: if position == 0 { pending.append(state + 1) }
            case .end: if position == count { pending.append(state + 1) }
            }
        }
    }
}

/// Why a pattern of an adapter configuration cannot be used.
package enum ModulePatternError: Error, Equatable, Sendable {
    case syntax(key: String, at: Int)
    case unsupported(key: String, at: Int)
    case tooLarge(key: String)
}

extension ModulePatternError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .syntax(let key, let at): "the pattern \(key.jsonQuoted) is not a regular expression at character \(at)"
        case .unsupported(let key, let at):
            "the pattern \(key.jsonQuoted) uses a construct at character \(at) that Rankwise does not read"
        case .tooLarge(let key): "the pattern \(key.jsonQuoted) is too large"
        }
    }
}

extension ModulePattern {
    /// One step of the compiled pattern; the next step follows unless this one names another.
    enum Instruction: Sendable, Hashable {
        case take(ScalarSet)
        case jump(Int)
        case split(Int, Int)
        case start
        case end
        case accept
    }

    /// The characters that one step matches.
    struct ScalarSet: Sendable, Hashable {
        var ranges: [ClosedRange<Unicode.Scalar>]
        var isNegated = false

        func contains(_ scalar: Unicode.Scalar) -> Bool {
            ranges.contains { $0.contains(scalar) } != isNegated
        }
    }

    /// The states of one step, without repetition and in order of arrival.
    private struct StateSet {
        private(set) var states: [Int] = []
        private var isMember: [Bool]

        init(count: Int) { isMember = [Bool](repeating: false, count: count) }

        mutating func insert(_ state: Int) -> Bool {
            guard !isMember[state] else { return false }
            isMember[state] = true
            states.append(state)
            return true
        }

        mutating func removeAll() {
            for state in states { isMember[state] = false }
            states.removeAll(keepingCapacity: true)
        }
    }
}
