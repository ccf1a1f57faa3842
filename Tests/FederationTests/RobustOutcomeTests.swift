import Federation
import Foundation
import Testing

/// What a robust rule did stands on the round, stored in the step that publishes.
@Suite struct RobustOutcomeTests {
    @Test func `updates that a rule left out stand on the round with their reason, and notes with its decisions`()
        throws
    {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        for name in ["a", "b"] { try subject.apply(.update(.sample(name), round: 1)) }
        try subject.apply(.setState(.paused))
        let b = try ClientName("b")
        try subject.apply(
            .aggregated(
                .sample(), robust: RobustOutcome(leftOut: [b: "update.krum: far"], notes: ["krum: said"]), round: 1))
        let round = try #require(subject.round)
        #expect(round.accepted.map(\.client.rawValue) == ["a"])
        #expect(round.updates[b]?.status == .leftOut(reason: "update.krum: far"))
        #expect(
            round.decisions.suffix(3).map(\.kind) == ["update.left_out", "round.robust", "round.published"])
        #expect(round.decisions.suffix(3).compactMap(\.detail).prefix(2) == ["update.krum: far", "krum: said"])
        #expect(round.receivedCount == 2)
    }

    @Test func `a rule comes back from storage, and settings without one are stored as before`() throws {
        var settings = try MachineUnderTest().machine.settings
        let plain = try JSONEncoder().encode(settings)
        #expect(!String(decoding: plain, as: UTF8.self).contains("robust"))
        #expect(try JSONDecoder().decode(FederationSettings.self, from: plain) == settings)
        settings.robust = .init(rule: "clip", parameters: ["norm": .null])
        let stored = try JSONEncoder().encode(settings)
        #expect(try JSONDecoder().decode(FederationSettings.self, from: stored) == settings)
        settings.robust = .init(rule: "clip", parameters: ["norm": .number(.infinity)])
        #expect(throws: SettingsError.self) { try settings.validate() }
    }
}
