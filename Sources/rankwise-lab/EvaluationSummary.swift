import Foundation
import RankwiseWire

/// What clients found in a federation's evaluations, as lines of text.
struct EvaluationSummary {
    /// Evaluated rounds, in order.
    private let rounds: [RoundBody]

    /// - Parameter rounds: all rounds that have ended, in order.
    init(_ rounds: [RoundBody]) { self.rounds = rounds.filter { $0.evaluation?.metrics.isEmpty == false } }

    var isEmpty: Bool { rounds.isEmpty }

    /// A row for each round, the ranks of the last one, and what evaluations took of the rounds.
    var lines: [String] {
        guard let last = rounds.last?.evaluation else { return [] }
        let name = last.metrics["accuracy"] == nil ? "loss" : "accuracy"
        var lines = ["evaluated\tclients\t\(name)\tmedian\tworst_tenth\tseconds\tof_round"]
        var (spent, whole) = (0.0, 0.0)
        for round in rounds {
            guard let metric = round.evaluation?.metrics[name] else { continue }
            let seconds = round.evaluation?.metrics["seconds"]?.mean
            let length = Self.seconds(of: round)
            spent += seconds ?? 0
            whole += length
            lines.append(
                [
                    "\(round.round)", "\(metric.clients)", metric.mean.formatted(places: 3),
                    metric.median.formatted(places: 3), metric.worstDecile.formatted(places: 3),
                    seconds?.formatted(places: 3) ?? "-", Self.percent(seconds ?? 0, of: length),
                ].joined(separator: "\t"))
        }
        let ranks = last.metrics[name]?.byRank.sorted { (Int($0.key) ?? 0) < (Int($1.key) ?? 0) } ?? []
        lines.append(
            "by_rank\t" + ranks.map { "\($0.key): \($0.value.mean.formatted(places: 3))" }.joined(separator: ", "))
        lines.append("evaluations_took\t\(Self.percent(spent, of: whole)) of the rounds")
        return lines
    }

    private static func percent(_ part: Double, of whole: Double) -> String {
        whole > 0 ? "\((100 * part / whole).formatted(places: 1))%" : "-"
    }

    private static func seconds(of round: RoundBody) -> Double {
        guard let opened = round.openedAt.flatMap(Self.moment), let closed = round.closedAt.flatMap(Self.moment) else {
            return 0
        }
        return closed - opened
    }

    private static func moment(_ text: String) -> Double? {
        let date =
            (try? Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(text))
            ?? (try? Date.ISO8601FormatStyle().parse(text))
        return date?.timeIntervalSince1970
    }
}
