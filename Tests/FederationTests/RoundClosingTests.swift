import Federation
import Testing

@Suite struct RoundClosingTests {
    @Test func `a round closes when everybody has answered`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b", "c")
        #expect(try subject.send("a", "b", round: 1).map(\.count) == [1, 2])
        #expect(subject.round?.phase == .collecting)
        subject.seconds = 20
        #expect(try subject.send("c", round: 1).map(\.count) == [3])
        #expect(subject.round?.phase == .aggregating)
        #expect(subject.round?.closedAt == subject.now)
        #expect(subject.events == ["update.accepted", "round.closed"])
    }

    @Test func `a round closes at its target`() throws {
        var subject = try MachineUnderTest {
            $0.policy.targetUpdates = 2
            $0.policy.minimumClients = 3
        }
        try subject.register("a", "b", "c")
        try subject.send("c", "a", round: 1)
        #expect(subject.round?.phase == .aggregating)
        #expect(try subject.send("b", round: 1)[0].roundError == .closed(round: 1, current: 1))
    }

    @Test func `an update in the same step as the one that closes the round comes too late`() throws {
        var subject = try MachineUnderTest {
            $0.policy.targetUpdates = 2
            $0.policy.minimumClients = 3
        }
        try subject.register("a", "b", "c")
        let replies = try subject.apply(
            .update(.sample("a"), round: 1),
            .update(.sample("b"), round: 1),
            .update(.sample("c"), round: 1))
        #expect(replies.map(\.count) == [1, 2, nil])
        #expect(replies[2].roundError == .closed(round: 1, current: 1))
        #expect(subject.round?.updates.count == 2)
    }

    @Test func `a round closes at its deadline with a quorum, and not before`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b", "c")
        try subject.send("a", "b", round: 1)
        subject.seconds = 99.999
        try subject.apply(.tick(arrivals: []))
        #expect(subject.round?.phase == .collecting)
        #expect(subject.changes.isEmpty)
        subject.seconds = 100
        try subject.apply(.tick(arrivals: []))
        #expect(subject.round?.phase == .aggregating)
        #expect(subject.participations["c"] == .awaited)
    }

    @Test func `a round is never closed below its quorum, even when all who are left have answered`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.send("a", round: 1)
        try subject.apply(.revoke(try ClientName("b")))
        #expect(subject.participations == ["a": .answered, "b": .left])
        #expect(subject.round?.phase == .collecting)
    }

    @Test func `the quorum is the one that the round opened with`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        var policy = subject.machine.settings.policy
        policy.minimumUpdates = 1
        try subject.apply(.setPolicy(policy))
        try subject.send("a", round: 1)
        subject.seconds = 100
        try subject.apply(.tick(arrivals: []))
        #expect(subject.machine.settings.policy.minimumUpdates == 1)
        guard case .failed = subject.round?.phase else {
            #expect(subject.round?.number == 2)
            return
        }
    }

    @Test func `a deadline without a quorum extends the round by the deadline's length`() throws {
        var subject = try MachineUnderTest { $0.policy.onMissedQuorum = .extend }
        try subject.register("a", "b")
        try subject.send("a", round: 1)
        let plans = subject.machine.planRevision
        for extensions in 1...3 {
            subject.seconds = 100 * Double(extensions) + 1 * Double(extensions - 1)
            subject.seconds = try #require(subject.round?.deadline).seconds(since: subject.now) + subject.seconds
            try subject.apply(.tick(arrivals: []))
            #expect(subject.round?.phase == .collecting)
            #expect(subject.round?.deadline == subject.now.adding(seconds: 100))
            #expect(subject.events == ["round.extended"])
        }
        #expect(subject.machine.planRevision > plans)
        try subject.send("b", round: 1)
        #expect(subject.round?.phase == .aggregating)
        #expect(subject.round?.updates.count == 2)
    }

    @Test func `a deadline without a quorum abandons the round and leaves its updates out on record`() throws {
        var subject = try MachineUnderTest { $0.policy.minimumClients = 3 }
        try subject.register("a", "b", "c")
        try subject.send("a", round: 1)
        subject.seconds = 100
        subject.lastSeen = ["a": 0, "b": 0, "c": 0]
        try subject.apply(.tick(arrivals: []))
        let reason = "1 of at least 2 updates arrived by the deadline"
        #expect(subject.round?.phase == .failed(reason: reason))
        #expect(subject.round?.updates.values.map(\.status) == [.leftOut(reason: reason)])
        #expect(subject.round?.accepted.isEmpty == true)
        #expect(subject.round?.closedAt == subject.now)
        #expect(subject.machine.publishedRound == 0)
        #expect(subject.events == ["round.failed"])
        let released = subject.changes.contains { change in
            if case .releaseUpdates(round: 1, leftOutFor: reason) = change { true } else { false }
        }
        #expect(released)
    }

    @Test func `after an abandoned round the next one opens with a fresh selection`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.send("a", round: 1)
        subject.seconds = 100
        try subject.apply(.tick(arrivals: []))
        #expect(subject.round?.number == 2)
        #expect(subject.participations == ["a": .awaited, "b": .awaited])
        #expect(subject.events == ["round.failed", "round.opened", "round.selected"])
        #expect(try subject.send("a", round: 1)[0].roundError == .closed(round: 1, current: 2))
    }

    @Test func `a client revoked before it answered leaves, and the others close the round`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b", "c")
        try subject.send("a", "b", round: 1)
        try subject.apply(.revoke(try ClientName("c")))
        #expect(subject.participations["c"] == .left)
        #expect(subject.round?.phase == .aggregating)
        #expect(subject.events == ["client.revoked", "client.left", "round.closed"])
    }

    @Test func `an update accepted before its client was revoked still counts`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.send("a", round: 1)
        try subject.apply(.revoke(try ClientName("a")))
        #expect(subject.participations["a"] == .answered)
        try subject.send("b", round: 1)
        #expect(subject.round?.phase == .aggregating)
        #expect(subject.round?.accepted.map(\.client.rawValue) == ["a", "b"])
    }

    @Test func `a published round is followed by the next`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.send("a", "b", round: 1)
        let plans = subject.machine.planRevision
        try subject.apply(.aggregation(of: 1))
        #expect(subject.machine.publishedRound == 1)
        #expect(subject.round?.number == 2)
        #expect(subject.machine.planRevision > plans)
        #expect(subject.events == ["round.published", "round.opened", "round.selected"])
        let released = subject.changes.contains { change in
            if case .releaseUpdates(round: 1, leftOutFor: nil) = change { true } else { false }
        }
        #expect(released)
    }

    @Test func `an adapter counts only for the round that is being aggregated`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.apply(.aggregation(of: 1))
        #expect(subject.changes.isEmpty)
        try subject.send("a", "b", round: 1)
        try subject.apply(.aggregation(of: 2))
        #expect(subject.changes.isEmpty)
        try subject.apply(.aggregation(of: 1))
        try subject.apply(.aggregation(of: 1))
        #expect(subject.changes.isEmpty)
        #expect(subject.machine.publishedRound == 1)
    }

    @Test func `a failed aggregation fails the round with its reason and the next one opens`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        subject.seconds = 5
        try subject.send("a", "b", round: 1)
        let closedAt = subject.now
        subject.seconds = 9
        subject.lastSeen = ["a": -60]
        try subject.apply(.aggregationFailed(reason: "the disk burned", round: 1))
        #expect(subject.round?.phase == .failed(reason: "the disk burned"))
        #expect(subject.round?.closedAt == closedAt)
        #expect(subject.round?.updates.values.allSatisfy { $0.status == .leftOut(reason: "the disk burned") } == true)
        #expect(subject.machine.publishedRound == 0)
        subject.lastSeen = [:]
        try subject.apply(.tick(arrivals: []))
        #expect(subject.round?.number == 2)
        try subject.apply(.aggregationFailed(reason: "late news", round: 1))
        #expect(subject.changes.isEmpty)
    }
}
