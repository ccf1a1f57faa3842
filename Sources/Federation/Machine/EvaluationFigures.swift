/// The figures of an evaluation: how many answered, and how each metric is spread over clients and ranks.
package struct EvaluationFigures: Sendable, Codable, Hashable {
    /// One metric over the clients that sent it.
    package struct Metric: Sendable, Codable, Hashable {
        package let clients: Int
        /// Weighted by samples.
        package let mean: Double
        package let median: Double
        /// The plain mean of the worst tenth of the clients, at least of one.
        package let worstDecile: Double
        /// By the rank of the clients; the `mostRanks` ranks with the most clients.
        package let byRank: [Int: Class]
    }

    /// The clients of one rank.
    package struct Class: Sendable, Codable, Hashable {
        package let clients: Int
        package let samples: Int
        /// Weighted by samples.
        package let mean: Double
        /// The value of the client that is worst off.
        package let worst: Double
    }

    /// So many ranks at most have figures of their own, and so many names of metrics, so that the figures stay small.
    package static let mostRanks = 64
    package static let mostNames = 32

    package let selected: Int
    package let received: Int
    package let withoutData: Int
    package let refused: Int
    /// From its opening to its end.
    package let seconds: Double
    package let samples: Int
    package let metrics: [String: Metric]

    /// Without metrics.
    package init(
        selected: Int, received: Int, withoutData: Int, refused: Int, seconds: Double = 0, samples: Int = 0,
        metrics: [String: Metric] = [:]
    ) {
        self.selected = selected
        self.received = received
        self.withoutData = withoutData
        self.refused = refused
        self.seconds = seconds
        self.samples = samples
        self.metrics = metrics
    }

    /// - Parameter best: says for its metric which values are better.
    package init(
        of places: ClientTable<EvaluationRound.Place>, seconds: Double, best: EvaluationPolicy.Best?
    ) {
        var values: [String: [Value]] = [:]
        var samples = 0
        for place in places.values {
            guard place.state == .answered, let answer = place.answer else { continue }
            samples += answer.samples
            for (name, value) in answer.metrics {
                values[name, default: []].append(Value(value: value, samples: answer.samples, rank: place.rank))
            }
        }
        // A client may send names that nobody else has. What most clients send, and what decides, stays.
        let common = values.keys.sorted { left, right in
            let (first, second) = (values[left]?.count ?? 0, values[right]?.count ?? 0)
            return (left == best?.metric ? 0 : 1, -first, left) < (right == best?.metric ? 0 : 1, -second, right)
        }.prefix(Self.mostNames)
        var metrics: [String: Metric] = [:]
        for name in common {
            guard let values = values[name] else { continue }
            let direction = best.flatMap { $0.metric == name ? $0.mode : nil } ?? Self.usualDirection(of: name)
            metrics[name] = Metric(of: values, direction)
        }
        let tally = places.tally
        self.init(
            selected: places.count, received: tally.answered, withoutData: tally.withoutData, refused: tally.refused,
            seconds: seconds, samples: samples, metrics: metrics)
    }

    /// Which values of a metric are better, where the settings do not say it: losses, errors, perplexities and times fall.
    package static func usualDirection(of name: String) -> EvaluationPolicy.Direction {
        ["loss", "error", "perplexity", "seconds"].contains { name == $0 || name.hasSuffix("_" + $0) } ? .min : .max
    }

    fileprivate struct Value {
        let value: Double
        let samples: Int
        let rank: Int
    }
}

extension EvaluationFigures.Metric {
    /// - Parameter values: at least one.
    fileprivate init(of values: [EvaluationFigures.Value], _ direction: EvaluationPolicy.Direction) {
        clients = values.count
        mean = Self.mean(of: values)
        let worstFirst = values.map(\.value).sorted { direction.isBetter($1, than: $0) }
        median = worstFirst.median ?? mean
        let tenth = worstFirst.prefix((values.count + 9) / 10)
        worstDecile = tenth.reduce(0, +) / Double(max(1, tenth.count))
        let classes = Dictionary(grouping: values, by: \.rank).sorted {
            (-$0.value.count, $0.key) < (-$1.value.count, $1.key)
        }
        byRank = Dictionary(
            uniqueKeysWithValues: classes.prefix(EvaluationFigures.mostRanks).map { rank, values in
                let worst = values.map(\.value).min { direction.isBetter($1, than: $0) }
                let figures = EvaluationFigures.Class(
                    clients: values.count, samples: values.reduce(0) { $0 + $1.samples }, mean: Self.mean(of: values),
                    worst: worst ?? 0)
                return (rank, figures)
            })
    }

    /// The mean weighted by samples. Values and counts are bounded, so the sums are finite.
    private static func mean(of values: [EvaluationFigures.Value]) -> Double {
        let weight = values.reduce(0.0) { $0 + Double($1.samples) }
        return values.reduce(0.0) { $0 + Double($1.samples) / weight * $1.value }
    }
}
