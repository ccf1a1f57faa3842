import Federation
import Testing

@Suite struct LossTests {
    private func lost(_ names: String..., round: Int = 1) throws -> FederationMachine.Event<Void, Never> {
        .lost(
            Dictionary(uniqueKeysWithValues: try names.map { (try ClientName($0), "the file is 3 bytes long") }),
            round: round)
    }

    private func closed(_ adjust: (inout FederationSettings) -> Void = { _ in }) throws -> MachineUnderTest {
        var subject = try MachineUnderTest {
            $0.policy.minimumClients = 3
            adjust(&$0)
        }
        try subject.register("a", "b", "c")
        try subject.send("a", "b", "c", round: 1)
        return subject
    }

    @Test func `a lost update opens its round again for its client alone`() throws {
        var subject = try closed()
        subject.seconds = 50
        try subject.apply(lost("b"))
        #expect(subject.round?.phase == .collecting)
        #expect(subject.round?.closedAt == nil)
        #expect(subject.round?.deadline == subject.now.adding(seconds: 100))
        #expect(subject.participations == ["a": .answered, "b": .awaited, "c": .answered])
        #expect(subject.events == ["update.lost", "round.reopened"])
        #expect(subject.machine.objection(to: try ClientName("b"), round: 1) == nil)
        #expect(subject.machine.objection(to: try ClientName("a"), round: 1) == .updateExists(round: 1))
        #expect(subject.machine.planRevision == subject.machine.revision)
        #expect(subject.round?.held(of: try ClientName("b")) == nil)
        try subject.send("b", round: 1)
        #expect(subject.round?.phase == .aggregating)
        #expect(subject.round?.accepted.map(\.client.rawValue) == ["a", "b", "c"])
    }

    @Test func `the deadline moves on once; then the round closes with what there is`() throws {
        var subject = try closed()
        subject.seconds = 90
        try subject.apply(lost("b"))
        try subject.send("b", round: 1)
        subject.seconds = 150
        try subject.apply(lost("b"))
        #expect(subject.round?.deadline == subject.now.adding(seconds: 40))
        subject.seconds = 190
        try subject.apply(.tick(arrivals: []))
        #expect(subject.round?.phase == .aggregating)
        #expect(subject.round?.accepted.map(\.client.rawValue) == ["a", "c"])
        #expect(subject.round?.updates[try ClientName("b")]?.status == .lost(reason: "the file is 3 bytes long"))
    }

    @Test func `a round that lost its quorum ends as its policy says`() throws {
        var subject = try closed()
        try subject.apply(lost("a", "b"))
        subject.seconds = 100
        subject.lastSeen = ["a": 0, "b": 0, "c": 0]
        try subject.apply(.tick(arrivals: []))
        #expect(subject.round?.phase == .failed(reason: "1 of at least 2 updates arrived by the deadline"))
    }

    @Test func `those who had missed the round are not waited for when it opens again`() throws {
        var subject = try MachineUnderTest { $0.policy.minimumClients = 3 }
        try subject.register("a", "b", "c")
        try subject.send("a", "b", round: 1)
        subject.seconds = 100
        try subject.apply(.tick(arrivals: []))
        try subject.apply(lost("a"))
        #expect(subject.participations == ["a": .awaited, "b": .answered, "c": .cut])
        try subject.send("a", round: 1)
        #expect(subject.round?.phase == .aggregating)
    }

    @Test func `who had missed the round may answer while it is open again`() throws {
        var subject = try MachineUnderTest { $0.policy.minimumClients = 3 }
        try subject.register("a", "b", "c")
        try subject.send("a", "b", round: 1)
        subject.seconds = 100
        try subject.apply(.tick(arrivals: []))
        try subject.apply(lost("a"))
        #expect(try subject.send("c", round: 1).map(\.count) == [2])
        #expect(subject.round?.phase == .collecting)
    }

    @Test func `a client that was revoked meanwhile is not asked again`() throws {
        var subject = try closed()
        try subject.apply(.revoke(try ClientName("b")))
        try subject.apply(lost("b"))
        #expect(subject.participations["b"] == .left)
        #expect(subject.round?.phase == .aggregating, "nobody is waited for")
        #expect(subject.round?.acceptedCount == 2)
    }

    @Test func `the cohort is tested anew when the round closes again`() throws {
        var subject = try MachineUnderTest { $0.limits.normOverMedian = 2 }
        try subject.register("a", "b", "c")
        for (name, norm) in [("a", 1.0), ("b", 1), ("c", 3)] {
            try subject.apply(.update(.sample(name, norm: norm), round: 1))
        }
        #expect(subject.round?.acceptedCount == 2)
        try subject.apply(lost("a"))
        #expect(subject.round?.acceptedCount == 2)
        try subject.apply(.update(.sample("a", norm: 3), round: 1))
        #expect(subject.round?.acceptedCount == 3)
    }

    @Test func `only updates that count in the round that is aggregated can be lost`() throws {
        var subject = try closed()
        try subject.apply(lost("z"))
        #expect(subject.changes.isEmpty)
        try subject.apply(lost("a", round: 2))
        #expect(subject.changes.isEmpty)
        try subject.apply(.aggregation(of: 1))
        try subject.apply(lost("a"))
        #expect(subject.changes.isEmpty)
    }
}
