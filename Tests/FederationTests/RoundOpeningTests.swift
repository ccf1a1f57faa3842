import Federation
import Testing

@Suite struct RoundOpeningTests {
    @Test func `a federation waits until enough clients are registered`() throws {
        var subject = try MachineUnderTest { $0.policy.minimumClients = 3 }
        try subject.register("a", "b")
        try subject.apply(.tick(arrivals: []))
        #expect(subject.machine.state == .waiting)
        #expect(subject.round == nil)
        try subject.register("c")
        #expect(subject.machine.state == .running)
        #expect(subject.round?.number == 1)
        #expect(subject.participations == ["a": .awaited, "b": .awaited, "c": .awaited])
        #expect(subject.events == ["client.registered", "round.opened", "round.selected"])
    }

    @Test func `revoked clients do not count among those registered`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a")
        try subject.apply(.revoke(try ClientName("a")))
        try subject.register("b")
        #expect(subject.round == nil)
        try subject.register("c")
        #expect(subject.participations == ["b": .awaited, "c": .awaited])
    }

    @Test func `a round opens only when as many clients were seen as it needs updates`() throws {
        var subject = try MachineUnderTest()
        subject.lastSeen = ["a": -51]
        try subject.register("a", "b")
        #expect(subject.round == nil)
        subject.lastSeen = ["a": -50]
        try subject.apply(.tick(arrivals: []))
        #expect(subject.participations == ["a": .awaited, "b": .awaited])
    }

    @Test func `a round knows its deadline, quorum and clients`() throws {
        var subject = try MachineUnderTest()
        subject.seconds = 3
        try subject.register("b", "a")
        let round = try #require(subject.round)
        #expect(round.openedAt == subject.now)
        #expect(round.deadline == subject.now.adding(seconds: 100))
        #expect(round.minimumUpdates == 2)
        #expect(round.targetUpdates == nil)
        #expect(round.phase == .collecting)
        #expect(round.closedAt == nil)
    }

    @Test func `selection by count takes whom the sampler draws`() throws {
        var subject = try MachineUnderTest {
            $0.policy.selection = .count(2)
            $0.policy.minimumClients = 4
        }
        try subject.register("a", "b", "c", "d")
        #expect(subject.participations == ["a": .awaited, "d": .awaited])
    }

    @Test func `selection by fraction rounds up`() throws {
        var subject = try MachineUnderTest {
            $0.policy.selection = .fraction(0.55)
            $0.policy.minimumClients = 5
        }
        try subject.register("a", "b", "c", "d", "e")
        #expect(subject.participations.keys.sorted() == ["a", "d", "e"])
    }

    @Test func `a selection is never smaller than the quorum`() throws {
        for selection in [RoundPolicy.Selection.count(1), .fraction(0.01)] {
            var subject = try MachineUnderTest {
                $0.policy.selection = selection
                $0.policy.minimumClients = 4
                $0.policy.minimumUpdates = 3
            }
            try subject.register("a", "b", "c", "d")
            #expect(subject.participations.count == 3)
        }
    }

    @Test func `over-selection asks more clients and closes at the count that was wanted`() throws {
        var subject = try MachineUnderTest {
            $0.policy.selection = .count(2)
            $0.policy.overSelection = 0.5
            $0.policy.minimumClients = 5
        }
        try subject.register("a", "b", "c", "d", "e")
        #expect(subject.participations.keys.sorted() == ["a", "d", "e"])
        #expect(subject.round?.targetUpdates == 2)
        try subject.send("a", "e", round: 1)
        #expect(subject.round?.phase == .aggregating)
    }

    @Test func `over-selection asks no more clients than there are`() throws {
        var subject = try MachineUnderTest {
            $0.policy.selection = .count(2)
            $0.policy.overSelection = 10
            $0.policy.minimumClients = 3
        }
        try subject.register("a", "b", "c")
        #expect(subject.participations.count == 3)
    }

    @Test func `who is not seen is not selected`() throws {
        var subject = try MachineUnderTest { $0.policy.minimumClients = 3 }
        subject.lastSeen = ["b": -60]
        try subject.register("a", "b", "c")
        #expect(subject.participations == ["a": .awaited, "c": .awaited])
    }

    @Test(arguments: [
        (0.07, 100, 7), (0.14, 50, 7), (0.55, 100, 55), (0.1, 10, 1), (0.101, 10, 2), (1, 7, 7), (0.5, 3, 2),
    ])
    func `a fraction that gives a whole number selects that many`(
        _ fraction: Double, _ eligible: Int, _ expected: Int
    ) throws {
        var policy = try FederationSettings.sample().policy
        policy.selection = .fraction(fraction)
        policy.minimumUpdates = 1
        #expect(policy.cohort(of: eligible) == expected)
    }

    @Test(arguments: [
        (0.1, 100, 110), (0.1, 10, 11), (0.5, 3, 5), (0, 7, 7), (10, 100, 1100), (0.2, 1_000_000, 1_200_000),
    ])
    func `over-selection that gives a whole number invites that many`(
        _ over: Double, _ cohort: Int, _ expected: Int
    ) throws {
        var policy = try FederationSettings.sample().policy
        policy.selection = .count(cohort)
        policy.overSelection = over
        #expect(policy.invited(of: 2_000_000) == expected)
        #expect(policy.invited(of: cohort) == cohort)
    }

    @Test func `a late-comer is selected where everybody is`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        let plans = subject.machine.planRevision
        try subject.register("c")
        #expect(subject.participations["c"] == .awaited)
        #expect(subject.events == ["client.registered", "client.selected"])
        #expect(subject.machine.planRevision == plans)
        #expect(subject.machine.planRevision(of: try ClientName("c")) == subject.machine.revision)
        #expect(subject.machine.planRevision(of: try ClientName("a")) == plans)
    }

    @Test func `a client that was not seen at the opening joins when it calls`() throws {
        var subject = try MachineUnderTest { $0.policy.minimumClients = 3 }
        subject.lastSeen = ["b": -60]
        try subject.register("a", "b", "c")
        subject.lastSeen = [:]
        try subject.apply(.tick(arrivals: [try ClientName("b")]))
        #expect(subject.participations["b"] == .awaited)
        let revision = subject.machine.revision
        try subject.apply(.tick(arrivals: [try ClientName("b")]), .tick(arrivals: [try ClientName("nobody")]))
        #expect(subject.machine.revision == revision)
    }

    @Test func `a late-comer waits for the next round where some are selected`() throws {
        var subject = try MachineUnderTest { $0.policy.selection = .fraction(0.9) }
        try subject.register("a", "b")
        try subject.register("c")
        try subject.apply(.tick(arrivals: [try ClientName("c")]))
        #expect(subject.participations == ["a": .awaited, "b": .awaited])
    }

    @Test func `a late-comer does not join a round that is closed`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.send("a", "b", round: 1)
        try subject.register("c")
        #expect(subject.participations == ["a": .answered, "b": .answered])
        try subject.apply(.aggregation(of: 1))
        #expect(subject.participations.keys.sorted() == ["a", "b", "c"])
    }

    @Test func `a revoked client is not selected again, not even when it calls`() throws {
        var subject = try MachineUnderTest { $0.policy.minimumUpdates = 1 }
        try subject.register("a", "b")
        try subject.apply(.revoke(try ClientName("a")))
        try subject.apply(.tick(arrivals: [try ClientName("a")]))
        #expect(subject.participations == ["a": .left, "b": .awaited])
        try subject.send("b", round: 1)
        try subject.apply(.aggregation(of: 1))
        #expect(subject.participations == ["b": .awaited])
    }
}
