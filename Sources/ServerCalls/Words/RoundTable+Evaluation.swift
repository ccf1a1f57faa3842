import RankwiseWire

/// What clients found of the round's adapter.
extension RoundTable {
    /// The best round so far, and how far the round's evaluation is.
    static func facts(_ standing: FederationBody.Standing?, _ evaluation: RoundBody.Evaluation?) -> [[String]] {
        var facts: [[String]] = []
        if let evaluation {
            let state =
                evaluation.state == "open"
                ? "open until \(evaluation.deadlineAt)" : "closed \(evaluation.closedAt ?? "")"
            facts.append([
                "evaluation",
                "\(state), \(evaluation.selected) asked, \(evaluation.received) answered, "
                    + "\(evaluation.withoutData) without data, \(evaluation.refused) refused",
            ])
        }
        if let best = standing?.best {
            facts.append(["best", "round \(best.round), \(best.metric) \(best.value.rounded(to: 4))"])
        }
        if let reason = standing?.stoppedFor { facts.append(["stopped", reason]) }
        return facts
    }

    /// A row for each metric, and one for each rank below it.
    static func lines(_ evaluation: RoundBody.Evaluation?, width: Int?) -> [String] {
        guard let evaluation, !evaluation.metrics.isEmpty else { return [] }
        var rows: [[String]] = []
        for (name, metric) in evaluation.metrics.sorted(by: { $0.key < $1.key }) {
            rows.append(
                [name, "\(metric.clients)"]
                    + [metric.mean, metric.median, metric.worstDecile].map { $0.rounded(to: 4) })
            for (rank, figures) in metric.byRank.sorted(by: { (Int($0.key) ?? 0) < (Int($1.key) ?? 0) })
            where metric.byRank.count > 1 {
                rows.append([
                    "  rank \(rank)", "\(figures.clients)", figures.mean.rounded(to: 4), "–",
                    figures.worst.rounded(to: 4),
                ])
            }
        }
        let titles = ["EVALUATED", "CLIENTS", "MEAN", "MEDIAN", "WORST TENTH"]
        return [""] + TextTable(titles: titles, rows: rows).lines(width: width)
    }
}
