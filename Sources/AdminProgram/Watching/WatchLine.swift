import Foundation
import RankwiseWire
import ServerCalls

/// A round as one line for people who watch it.
struct WatchLine: Sendable, Hashable {
    private let facts: [String]
    private let deadline: Date?

    /// How many of the awaited are named.
    private static let mostNamed = 3

    /// - Parameter total: how many rounds the federation has.
    init(_ round: RoundBody, total: Int, state: String) {
        var facts = ["round \(round.round) of \(total)", round.phase]
        if state == "paused" { facts.append("paused") }
        if round.phase != "waiting" { facts.append("\(round.progress) received") }
        if round.refused > 0 { facts.append("\(round.refused) refused") }
        if let coverage = round.coverage, let wanted = round.minCoverage {
            facts.append("every component in \(coverage) of \(wanted)")
        }
        if round.phase == "collecting", !round.awaited.isEmpty { facts.append("awaits \(Self.names(round.awaited))") }
        if let loss = round.metrics.loss { facts.append("loss \(loss.rounded(to: 4))") }
        if let accuracy = round.metrics.accuracy { facts.append("accuracy \(accuracy.rounded(to: 4))") }
        if let reason = round.reason { facts.append(reason) }
        self.facts = facts.map(\.printable)
        deadline = round.phase == "collecting" ? round.deadlineAt.flatMap(Self.date) : nil
    }

    /// The line at a moment; what time is left depends on it.
    func text(at now: Date) -> String {
        let left = deadline.map { date in
            let seconds = Int(date.timeIntervalSince(now).rounded(.up))
            return seconds > 0 ? "\(Duration.seconds(seconds).inWords) left" : "the deadline is over"
        }
        return (["\(now.formatted(.iso8601))"] + facts + (left.map { [$0] } ?? [])).joined(separator: "  ")
    }

    private static func names(_ awaited: [String]) -> String {
        let more = awaited.count - mostNamed
        return awaited.prefix(mostNamed).joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
    }

    private static func date(_ text: String) -> Date? {
        (try? Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(text))
            ?? (try? Date.ISO8601FormatStyle().parse(text))
    }
}
