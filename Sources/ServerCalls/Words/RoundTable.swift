package import RankwiseWire

/// A federation and its current round as lines for a terminal.
package struct RoundTable: Sendable, CustomStringConvertible {
    private let federation: FederationBody
    private let round: RoundBody

    package init(_ federation: FederationBody, _ round: RoundBody) {
        self.federation = federation
        self.round = round
    }

    package var description: String {
        lines().joined(separator: "\n")
    }

    /// - Parameter width: the most characters of a list's line; nil for any length.
    package func lines(width: Int? = nil) -> [String] {
        var lines = TextTable(rows: facts).lines()
        lines += Self.lines(round.evaluation, width: width)
        if !round.updates.isEmpty {
            lines +=
                [""] + TextTable(titles: Self.updateTitles, rows: round.updates.map(Self.cells)).lines(width: width)
        }
        if !round.refusals.isEmpty {
            let rows = round.refusals.map { [$0.client, $0.at, $0.code, $0.detail] }
            lines += [""] + TextTable(titles: ["REFUSED", "AT", "CODE", "REASON"], rows: rows).lines(width: width)
        }
        return lines
    }

    private var facts: [[String]] {
        var facts = [
            ["federation", "\(federation.id), \(federation.state), clients: \(federation.clients)"],
            ["round", "\(round.round) of \(federation.settings.round.total), \(round.phase), \(round.strategy)"],
            [
                "updates",
                "\(round.selected) selected, \(round.received) received, \(round.refused) refused, "
                    + "at least \(round.minUpdates) needed",
            ],
        ]
        if let reason = round.reason { facts.append(["reason", reason]) }
        if let deadline = round.deadlineAt, round.closedAt == nil { facts.append(["deadline", deadline]) }
        if let closed = round.closedAt { facts.append(["closed", closed]) }
        if round.metrics.loss != nil || round.metrics.accuracy != nil {
            facts.append([
                "metrics", "loss \(Self.number(round.metrics.loss)), accuracy \(Self.number(round.metrics.accuracy))",
            ])
        }
        if let adapter = round.adapter {
            let ranks = adapter.ranks.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            facts.append(["adapter", "\(ByteCount(Int64(adapter.bytes))), ranks \(ranks.joined(separator: ", "))"])
            facts.append(["digest", adapter.digest])
        }
        return facts + Self.facts(federation.evaluation, round.evaluation)
    }

    private static let updateTitles = ["CLIENT", "RANK", "SAMPLES", "LOSS", "ACCURACY", "SIZE", "RECEIVED", "STATUS"]

    private static func cells(_ update: RoundBody.Update) -> [String] {
        [
            update.client, "\(update.rank)", "\(update.samples)", number(update.metrics.loss),
            number(update.metrics.accuracy), "\(ByteCount(Int64(update.bytes)))", update.receivedAt,
            update.status + (update.reason.map { ": \($0)" } ?? ""),
        ]
    }

    private static func number(_ value: Double?) -> String {
        value.map { $0.rounded(to: 4) } ?? "–"
    }
}
