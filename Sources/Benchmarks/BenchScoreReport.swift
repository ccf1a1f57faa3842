package import Foundation
package import Training

/// The results of a benchmark of scoring.
package struct BenchScoreReport: Encodable {
    package struct Settings: Encodable {
        let model: String
        let adapters: Int
        /// The ranks of drawn adapters.
        let ranks: [Int]?
        let examples: Int
        let maxLength: Int?
        let runs: Int
        let warmup: Int

        package init(
            model: String, adapters: Int, ranks: [Int]?, examples: Int, maxLength: Int?, runs: Int, warmup: Int
        ) {
            self.model = model
            self.adapters = adapters
            self.ranks = ranks
            self.examples = examples
            self.maxLength = maxLength
            self.runs = runs
            self.warmup = warmup
        }
    }

    /// One way of scoring, in seconds.
    struct Times: Encodable {
        var seconds = BenchSeries()
        /// The processor time of all threads.
        var processorSeconds = BenchSeries()

        mutating func add(_ times: BenchTimes) {
            seconds.values.append(times.seconds)
            processorSeconds.values.append(times.processorSeconds)
        }
    }

    let settings: Settings
    let machine: BenchMachine
    private(set) var together = Times()
    private(set) var alone = Times()
    private(set) var aloneByScorer = Times()
    /// The speed-up over the other ways of scoring, by run.
    private(set) var speed = BenchSeries()
    private(set) var speedOverScorer = BenchSeries()
    /// The largest difference over all logits, relative to the logit where that is above 1.
    private(set) var difference = 0.0

    package init(settings: Settings, machine: BenchMachine) {
        self.settings = settings
        self.machine = machine
    }

    package var isExact: Bool { difference <= 1e-5 }

    package mutating func add(together: BenchTimes, alone: BenchTimes, aloneByScorer: BenchTimes) {
        self.together.add(together)
        self.alone.add(alone)
        self.aloneByScorer.add(aloneByScorer)
        speed.values.append(alone.seconds / together.seconds)
        speedOverScorer.values.append(aloneByScorer.seconds / together.seconds)
    }

    package mutating func compare(_ expected: [Evaluation], with others: [[Evaluation]]) {
        for found in others {
            for (one, other) in zip(expected, found) {
                for (one, other) in zip(one.logits, other.logits) {
                    difference = max(difference, Double(abs(one - other) / max(1, abs(one))))
                }
            }
        }
    }

    package func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return try encoder.encode(self) + Data("\n".utf8)
    }

    /// The same results for people.
    package var table: String {
        [
            "\(settings.model): \(settings.adapters) adapters on \(settings.examples) examples, medians of "
                + "\(settings.runs) runs",
            line("in one pass", together),
            line("one at a time, as evaluate", alone) + ratio(speed),
            line("one at a time, same scorer", aloneByScorer) + ratio(speedOverScorer),
            String(format: "largest difference of a logit %.1e", difference),
        ].joined(separator: "\n") + "\n"
    }

    private func line(_ name: String, _ times: Times) -> String {
        name + String(repeating: " ", count: max(1, 28 - name.count))
            + String(
                format: "%.3f s  %.3f to %.3f  (processor %.3f s)", times.seconds.median,
                times.seconds.values.min() ?? 0, times.seconds.values.max() ?? 0, times.processorSeconds.median)
    }

    private func ratio(_ series: BenchSeries) -> String {
        String(
            format: "  %.2f times as long, %.2f to %.2f by run", series.median, series.values.min() ?? 0,
            series.values.max() ?? 0)
    }
}
