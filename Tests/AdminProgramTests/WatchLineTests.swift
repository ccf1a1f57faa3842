import Foundation
import RankwiseWire
import Testing

@testable import AdminProgram

struct WatchLineTests {
    private func round(
        _ phase: String, deadline: String? = nil, awaited: [String] = [], refused: Int = 0, reason: String? = nil,
        metrics: RoundBody.Metrics = RoundBody.Metrics(), buffer: Int? = nil
    ) -> RoundBody {
        RoundBody(
            federation: "f", round: 3, phase: phase, reason: reason, revision: 1, strategy: "rbla", openedAt: nil,
            deadlineAt: deadline, closedAt: nil, selected: 10, received: 6, refused: refused, minUpdates: 1,
            buffer: buffer, awaited: awaited, updates: [], refusals: [], metrics: metrics, adapter: nil)
    }

    private func text(_ round: RoundBody, state: String = "running") -> String {
        WatchLine(round, total: 20, state: state).text(at: Date(timeIntervalSince1970: 0))
    }

    @Test func `a line has round, phase, progress, whom it awaits and the time left`() {
        let round = round(
            "collecting", deadline: "1970-01-01T00:01:30.000Z", awaited: ["a", "b", "c", "d", "e"], refused: 1,
            metrics: RoundBody.Metrics(loss: 0.43219, accuracy: 0.87))
        #expect(
            text(round)
                == "1970-01-01T00:00:00Z  round 3 of 20  collecting  6 of 10 received  1 refused  awaits a, b, c and 2 more"
                + "  loss 0.4322  accuracy 0.87  90 s left")
    }

    @Test func `an ended round has no time left, and a failed one its reason`() {
        #expect(
            text(round("failed", deadline: "1970-01-01T00:01:30Z", awaited: ["a"], reason: "no quorum\u{7}"))
                == "1970-01-01T00:00:00Z  round 3 of 20  failed  6 of 10 received  no quorum ")
        #expect(text(round("published", buffer: 4)).hasSuffix("published  6 of 4 received"))
        #expect(text(round("collecting", deadline: "1969-12-31T23:59:59Z")).hasSuffix("the deadline is over"))
        #expect(text(round("collecting"), state: "paused").contains("collecting  paused"))
    }

    @Test func `time that passes is no change`() {
        let round = round("collecting", deadline: "1970-01-01T00:01:30Z")
        #expect(WatchLine(round, total: 20, state: "running") == WatchLine(round, total: 20, state: "running"))
        #expect(WatchLine(round, total: 20, state: "running") != WatchLine(round, total: 20, state: "paused"))
    }
}
