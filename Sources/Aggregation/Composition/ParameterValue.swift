/// The value of one of a strategy's own parameters in a federation's document.
package enum ParameterValue: Sendable, Hashable {
    case number(Double)
    case flag(Bool)
    /// An explicit null, which stands for the default.
    case null
}

extension ParameterValue: CustomStringConvertible {
    package var description: String {
        switch self {
        case .number(let value): value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
        case .flag(let value): "\(value)"
        case .null: "null"
        }
    }
}

/// The parameters of a strategy during composition. Each is taken once, and any parameter left over is refused.
struct StrategyParameters {
    private let strategy: String
    private var rest: [String: ParameterValue]
    /// The parameters that the strategy took, with their effective values.
    private(set) var effective: [String: ParameterValue] = [:]

    init(_ values: [String: ParameterValue], of strategy: String) {
        self.strategy = strategy
        rest = values
    }

    /// A number in `range`; `standard` where it is missing or null.
    mutating func number(
        _ name: String, in range: ClosedRange<Double>, default standard: Double
    ) throws(StrategyError) -> Double {
        switch take(name, default: .number(standard)) {
        case .null: return standard
        case .number(let value) where range.contains(value): return value
        case let value: throw refusal(name, "a number from \(range.lowerBound) to \(range.upperBound)", value)
        }
    }

    /// A number in `range`; nil where it is missing or null.
    mutating func optionalNumber(_ name: String, in range: ClosedRange<Double>) throws(StrategyError) -> Double? {
        switch take(name, default: .null) {
        case .null: return nil
        case .number(let value) where range.contains(value): return value
        case let value: throw refusal(name, "null, or a number from \(range.lowerBound) to \(range.upperBound)", value)
        }
    }

    /// A whole number in `range`; nil where it is missing or null.
    mutating func integer(_ name: String, in range: ClosedRange<Int>) throws(StrategyError) -> Int? {
        switch take(name, default: .null) {
        case .null: return nil
        case .number(let value):
            if let whole = Int(exactly: value), range.contains(whole) { return whole }
            throw refusal(name, "a whole number from \(range.lowerBound) to \(range.upperBound)", .number(value))
        case let value: throw refusal(name, "a whole number", value)
        }
    }

    /// A whole number in `range`; `standard` where it is missing or null.
    mutating func integer(
        _ name: String, in range: ClosedRange<Int>, default standard: Int
    ) throws(StrategyError) -> Int {
        guard let value = try integer(name, in: range) else {
            effective[name] = .number(Double(standard))
            return standard
        }
        return value
    }

    mutating func flag(_ name: String) throws(StrategyError) -> Bool {
        switch take(name, default: .flag(false)) {
        case .null: return false
        case .flag(let value): return value
        case let value: throw refusal(name, "true or false", value)
        }
    }

    /// Checks that no parameter is left.
    func finish() throws(StrategyError) {
        if let name = rest.keys.min() {
            throw .unknownParameter(strategy: strategy, name: name, known: effective.keys.sorted())
        }
    }

    /// The given value, or null, which stands for the default.
    private mutating func take(_ name: String, default standard: ParameterValue) -> ParameterValue {
        let given = rest.removeValue(forKey: name) ?? .null
        effective[name] = given == .null ? standard : given
        return given
    }

    private func refusal(_ name: String, _ expected: String, _ found: ParameterValue) -> StrategyError {
        .parameter(strategy: strategy, name: name, expected: expected, found: "\(found)")
    }
}
