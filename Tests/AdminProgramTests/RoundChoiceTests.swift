import RankwiseWire
import Testing

@testable import AdminProgram

struct RoundChoiceTests {
    @Test func `a round is a number, latest or best`() {
        #expect(RoundChoice(argument: "7") == .number(7))
        #expect(RoundChoice(argument: "latest") == .latest)
        #expect(RoundChoice(argument: "best") == .best)
        for text in ["", "-1", "Best", "1.5"] { #expect(RoundChoice(argument: text) == nil) }
    }

    private func round(_ accuracy: Double?, _ loss: Double?) -> RoundBody {
        RoundBody(
            federation: "f", round: 1, phase: "published", reason: nil, revision: 1, strategy: "rbla", openedAt: nil,
            deadlineAt: nil, closedAt: nil, selected: 1, received: 1, refused: 0, minUpdates: 1, updates: [],
            refusals: [], metrics: RoundBody.Metrics(loss: loss, accuracy: accuracy), adapter: nil)
    }

    @Test func `accuracy decides, and loss where neither has one`() {
        #expect(round(0.9, 5).isBetter(than: round(0.8, 1)))
        #expect(!round(0.8, 1).isBetter(than: round(0.8, 2)))
        #expect(round(0.1, nil).isBetter(than: round(nil, 0.1)))
        #expect(!round(nil, 0.1).isBetter(than: round(0.1, nil)))
        #expect(round(nil, 0.1).isBetter(than: round(nil, 0.2)))
        #expect(!round(nil, nil).isBetter(than: round(nil, 0.2)))
        #expect(!round(nil, nil).isMeasured && round(nil, 0.2).isMeasured)
    }
}
