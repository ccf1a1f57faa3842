import Federation
import Testing

@Suite struct SelectionTests {
    @Test func `the candidates of a draw and the drawn are on record`() throws {
        var subject = try MachineUnderTest {
            $0.policy.selection = .count(2)
            $0.policy.minimumClients = 4
        }
        try subject.register("a", "b", "c", "d")
        #expect(subject.details("round.candidates") == ["2 by uniform, of 4 candidates: a, b, c, d"])
        #expect(subject.details("round.selected") == ["2 clients: a, d"])
        #expect(subject.round?.decisions.map(\.kind) == ["round.opened"])
        #expect(subject.round?.decisions.map(\.detail) == ["2 of 4 clients selected"])
    }

    @Test func `where everybody is selected nothing is drawn`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        #expect(subject.details("round.candidates").isEmpty)
        #expect(subject.details("round.selected") == ["2 clients: a, b"])
    }

    @Test func `many names are a list of their own, which the event has by its digest`() throws {
        var subject = try MachineUnderTest {
            $0.limits.clients = 2000
            $0.policy.minimumClients = 1100
            $0.policy.selection = .count(600)
        }
        let names = try (0..<1100).map { index in
            try FederationMachine.Event<FederationMachine.Registration, RegistrationError>.registration(
                "edge-\(index)", token: UInt8(index % 256))
        }
        _ = subject.machine.step(
            in: .init(now: subject.now, seen: [:], sampler: LastClients())
        ) { machine, step in
            for name in names.dropLast() { _ = machine.handle(name, in: &step) }
        }
        try subject.apply(names[1099])
        #expect(subject.lists.map(\.clients.count) == [1100, 600])
        #expect(subject.lists[0].text.hasPrefix("edge-0\nedge-1\nedge-10\n"))
        #expect(subject.lists[0].clients == subject.lists[0].clients.sorted())
        let digests = subject.lists.map { LastClients().digest(of: $0.text) }
        #expect(subject.lists.map(\.digest) == digests && digests[0] != digests[1])
        #expect(subject.details("round.candidates") == ["600 by uniform, of 1100 candidates: \(digests[0])"])
        #expect(subject.details("round.selected") == ["600 clients: \(digests[1])"])
    }

    @Test func `a list has what a draw went by`() throws {
        var subject = try MachineUnderTest {
            $0.limits.clients = 51
            $0.policy.minimumClients = 51
            $0.policy.selection = .count(2)
            $0.policy.preference = .leastRecent
        }
        for index in 0..<51 { try subject.apply(.registration("c\(index)", token: UInt8(index))) }
        #expect(subject.lists.count == 1, "the two that were drawn stand in the event")
        #expect(subject.lists[0].text.hasPrefix("c0 0\nc1 0\nc10 0\n"))
    }

    @Test func `a draw by samples goes by the last update, and by the mean where there is none`() throws {
        var subject = try MachineUnderTest {
            $0.policy.selection = .count(2)
            $0.policy.preference = .samples
            $0.policy.minimumClients = 4
        }
        try subject.register("a", "b", "c", "d")
        #expect(subject.details("round.candidates") == ["2 by samples, of 4 candidates: a 1, b 1, c 1, d 1"])
        try subject.apply(
            .update(.sample("a", samples: 100), round: 1),
            .update(.sample("d", samples: 401), round: 1))
        try subject.apply(.aggregation(of: 1))
        #expect(subject.details("round.candidates") == ["2 by samples, of 4 candidates: a 100, b 251, c 251, d 401"])
    }

    @Test func `a draw by least recent goes by the round of the last selection`() throws {
        var subject = try MachineUnderTest {
            $0.policy.selection = .count(2)
            $0.policy.preference = .leastRecent
            $0.policy.minimumClients = 4
        }
        try subject.register("a", "b", "c", "d")
        try subject.send("a", "d", round: 1)
        try subject.apply(.aggregation(of: 1))
        #expect(subject.details("round.candidates") == ["2 by least_recent, of 4 candidates: a 1, b 0, c 0, d 1"])
    }

    @Test func `a deadline that extends invites others for those who are silent`() throws {
        var subject = try MachineUnderTest {
            $0.policy.selection = .count(2)
            $0.policy.minimumClients = 5
            $0.policy.onMissedQuorum = .extend
        }
        try subject.register("a", "b", "c", "d", "e")
        try subject.send("e", round: 1)
        subject.seconds = 100
        subject.lastSeen = ["b": 0]
        try subject.apply(.tick(arrivals: []))
        #expect(subject.events == ["round.extended", "round.candidates", "round.selected", "round.invited"])
        #expect(subject.details("round.candidates") == ["1 by uniform, of 2 candidates: c, d"])
        #expect(subject.details("round.invited") == ["1 more for a, who have not answered"])
        #expect(subject.participations == ["a": .awaited, "c": .awaited, "e": .answered])
        #expect(subject.machine.planRevision(of: try ClientName("c")) == subject.machine.revision)
        try subject.send("c", round: 1)
        #expect(subject.round?.phase == .aggregating, "as many as were wanted have answered")
        #expect(subject.details("round.closed") == ["2 updates; cut: a, who did not answer"])
        let kinds = subject.round?.decisions.map(\.kind)
        #expect(kinds == ["round.opened", "round.extended", "round.invited", "round.closed"])
    }

    @Test func `a deadline that extends invites others for those who were revoked or have left`() throws {
        var subject = try MachineUnderTest {
            $0.policy.selection = .count(3)
            $0.policy.minimumUpdates = 3
            $0.policy.minimumClients = 5
            $0.policy.onMissedQuorum = .extend
        }
        try subject.register("a", "b", "c", "d", "e")
        #expect(subject.participations == ["a": .awaited, "d": .awaited, "e": .awaited])
        try subject.send("a", round: 1)
        try subject.apply(.revoke(ClientName("d")))
        subject.absent = ["e"]
        try subject.apply(.leave(ClientName("e"), reason: "gone"))
        subject.seconds = 100
        try subject.apply(.tick(arrivals: []))
        #expect(subject.details("round.invited") == ["2 more"])
        #expect(subject.participations == ["a": .answered, "b": .awaited, "c": .awaited, "d": .left, "e": .declined])
        try subject.send("b", round: 1)
        #expect(subject.round?.phase == .collecting, "two are below the quorum")
        try subject.send("c", round: 1)
        #expect(subject.round?.phase == .aggregating)
    }

    @Test func `a deadline that extends for want of coverage invites others though all have answered`() throws {
        var subject = try MachineUnderTest {
            $0.policy.selection = .count(2)
            $0.policy.minimumClients = 3
            $0.policy.minimumCoverage = 1
            $0.policy.onMissedQuorum = .extend
        }
        try subject.register("a", "b", "c")
        try subject.send("a", "c", round: 1)
        #expect(subject.round?.phase == .collecting, "they are of rank 8 of 60")
        subject.seconds = 100
        try subject.apply(.tick(arrivals: []))
        #expect(subject.participations == ["a": .answered, "b": .awaited, "c": .answered])
        try subject.apply(.update(.sample("b", rank: 60), round: 1))
        #expect(subject.round?.phase == .aggregating)
    }

    @Test func `a deadline invites nobody where everybody is selected already`() throws {
        var subject = try MachineUnderTest { $0.policy.onMissedQuorum = .extend }
        try subject.register("a", "b")
        subject.seconds = 100
        try subject.apply(.tick(arrivals: []))
        #expect(subject.events == ["round.extended"])
    }

    @Test func `a round shows its newest hundred decisions`() throws {
        var subject = try MachineUnderTest { $0.policy.onMissedQuorum = .extend }
        try subject.register("a", "b")
        for extensions in 1...150 {
            subject.seconds = Double(100 * extensions)
            try subject.apply(.tick(arrivals: []))
        }
        #expect(subject.round?.decisions.count == AuditEvent.decisionLimit)
        #expect(subject.round?.decisions.last?.at == subject.now)
    }
}
