/// How a round withstands updates that are wrong or hostile, with its parameters.
package enum RobustRule: Sendable, Hashable {
    /// Per coordinate, the mean without the smallest and the largest values.
    case trimmed(fraction: Double, holders: Int)
    /// Per coordinate, the middle value.
    case median(holders: Int)
    /// The updates that are nearest to the others, after arXiv 1703.02757.
    case krum(byzantine: Int, keep: Int)
    /// Weights by the distance to the geometric median of the updates, after arXiv 1912.13445.
    case geometricMedian(iterations: Int, floor: Double)
    /// No step is longer than `norm`; nil for the median of the steps' norms.
    case clip(norm: Double?)

    package static let names = ["clip", "geometric-median", "krum", "median", "trimmed"]

    /// The names of all rules' parameters, ascending.
    package static let parameterNames = ["byzantine", "floor", "fraction", "holders", "iterations", "keep", "norm"]

    private static let mostHolders = 1_000_000

    /// - Parameter parameters: those that differ from the defaults; each must belong to the rule.
    package init(named name: String, parameters: [String: ParameterValue] = [:]) throws(StrategyError) {
        var rest = StrategyParameters(parameters, of: name)
        let holders = 1...Self.mostHolders
        switch name {
        case "trimmed":
            self = .trimmed(
                fraction: try rest.number("fraction", in: 0...0.5.nextDown, default: 0.2),
                holders: try rest.integer("holders", in: holders, default: 3))
        case "median": self = .median(holders: try rest.integer("holders", in: holders, default: 3))
        case "krum":
            guard let byzantine = try rest.integer("byzantine", in: 0...Self.mostHolders) else {
                throw .parameter(
                    strategy: name, name: "byzantine", expected: "the number of hostile clients to withstand",
                    found: "missing")
            }
            self = .krum(byzantine: byzantine, keep: try rest.integer("keep", in: holders, default: 1))
        case "geometric-median":
            self = .geometricMedian(
                iterations: try rest.integer("iterations", in: 0...1000, default: 3),
                floor: try rest.number("floor", in: 1e-12...1, default: 1e-6))
        case "clip": self = .clip(norm: try rest.optionalNumber("norm", in: 1e-30...1e30))
        default: throw .unknownRule(name)
        }
        try rest.finish()
    }

    package var name: String {
        switch self {
        case .trimmed: "trimmed"
        case .median: "median"
        case .krum: "krum"
        case .geometricMedian: "geometric-median"
        case .clip: "clip"
        }
    }

    /// Its parameters, defaults included.
    package var parameters: [String: ParameterValue] {
        switch self {
        case .trimmed(let fraction, let holders):
            ["fraction": .number(fraction), "holders": .number(Double(holders))]
        case .median(let holders): ["holders": .number(Double(holders))]
        case .krum(let byzantine, let keep):
            ["byzantine": .number(Double(byzantine)), "keep": .number(Double(keep))]
        case .geometricMedian(let iterations, let floor):
            ["iterations": .number(Double(iterations)), "floor": .number(floor)]
        case .clip(let norm): ["norm": norm.map { .number($0) } ?? .null]
        }
    }

    /// The least number of updates that the rule can work on.
    package var leastUpdates: Int {
        switch self {
        case .krum(let byzantine, _): 2 * byzantine + 3
        case .trimmed, .median, .geometricMedian, .clip: 1
        }
    }

    /// The mean of each coordinate's middle values, where that takes the place of the strategy's mean.
    var middle: MiddleRule? {
        switch self {
        case .trimmed(let fraction, let holders): MiddleRule(fraction: fraction, holders: holders)
        case .median(let holders): MiddleRule(fraction: nil, holders: holders)
        case .krum, .geometricMedian, .clip: nil
        }
    }
}

/// Which of the sorted values of a coordinate count.
struct MiddleRule: Sendable, Hashable {
    /// The share that is dropped at each end; nil for all but the middle one or two.
    let fraction: Double?
    /// A coordinate that fewer clients hold keeps its earlier value.
    let holders: Int

    /// How many of `count` values are dropped at each end: t = ⌊fraction·n⌋.
    func dropped(of count: Int) -> Int {
        guard let fraction else { return (count - 1) / 2 }
        return min(Int((fraction * Double(count)).rounded(.down)), (count - 1) / 2)
    }

    /// The places that count of `count` sorted values; nil where too few clients hold the coordinate.
    func places(of count: Int) -> Range<Int>? {
        guard count >= max(1, holders) else { return nil }
        let dropped = dropped(of: count)
        return dropped..<count - dropped
    }

    /// Whether a trimmed mean drops none of `count` values.
    func isPlainMean(of count: Int) -> Bool { fraction != nil && places(of: count)?.count == count }
}
