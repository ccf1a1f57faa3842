/// What a client found when it scored a round's adapter.
package struct EvaluationAnswer: Sendable, Hashable {
    /// How many of its held-out examples it scored; 0 where it has none.
    package let samples: Int
    package let metrics: [String: Double]

    package static let mostMetrics = 16
    package static let expectedName = "1 to 32 of a-z, 0-9 and '_', with a letter first"

    package init(samples: Int, metrics: [String: Double]) {
        self.samples = samples
        self.metrics = metrics
    }

    package static func isName(_ text: String) -> Bool {
        guard (1...32).contains(text.utf8.count), let first = text.utf8.first else { return false }
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        return letters.contains(first)
            && text.utf8.allSatisfy { letters.contains($0) || digits.contains($0) || $0 == UInt8(ascii: "_") }
    }

    /// Why an answer is not taken.
    package enum Objection: Error, Sendable, Hashable {
        case samples(String)
        case metrics(String)

        package var detail: String {
            switch self {
            case .samples(let detail), .metrics(let detail): detail
            }
        }
    }

    /// What is wrong with the answer; nil where nothing is.
    ///
    /// - Parameter most: the highest number of samples that a client may claim.
    package func objection(most: Int) -> Objection? {
        guard (0...most).contains(samples) else { return .samples("samples is \(samples); expected 0 to \(most)") }
        guard metrics.count <= Self.mostMetrics else {
            return .metrics("there are \(metrics.count.counted("metric")); expected at most \(Self.mostMetrics)")
        }
        guard samples > 0 || metrics.isEmpty else {
            return .metrics("metrics has \(metrics.keys.min() ?? ""), but nothing was scored; expected none")
        }
        guard samples == 0 || !metrics.isEmpty else { return .metrics("metrics is empty; expected at least one") }
        for (name, value) in metrics.sorted(by: { $0.key < $1.key }) {
            guard Self.isName(name) else {
                return .metrics("a metric has the name '\(name.prefix(64))'; expected \(Self.expectedName)")
            }
            // A share beyond its range would drag the round's mean along.
            let limit = name == "accuracy" ? 1 : Metrics.largest
            guard abs(value) <= limit, name != "accuracy" || value >= 0 else {
                let least = name == "accuracy" ? "0" : "-\(limit)"
                return .metrics("\(name) is \(value); expected a number from \(least) to \(limit)")
            }
        }
        return nil
    }
}
