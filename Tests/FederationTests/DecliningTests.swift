import Federation
import Testing

/// Clients that say they will send nothing.
@Suite struct DecliningTests {
    @Test func `a client that declines is not waited for, and the round says why`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b", "c")
        try subject.send("a", "b", round: 1)
        #expect(try subject.decline("c", round: 1).isDone == true)
        #expect(subject.participations["c"] == .declined)
        #expect(subject.round?.phase == .aggregating)
        #expect(subject.events == ["client.declined", "round.closed"])
        #expect(subject.details("round.closed") == ["2 updates; everybody answered; declined: c"])
        #expect(subject.round?.decisions.map(\.kind) == ["round.opened", "client.declined", "round.closed"])
    }

    @Test func `the next round asks again a client that declined`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b", "c")
        try subject.send("a", "b", round: 1)
        try subject.decline("c", round: 1)
        try subject.apply(.aggregation(of: 1))
        #expect(subject.participations == ["a": .awaited, "b": .awaited, "c": .awaited])
    }

    @Test func `who declined is not let in again by a call, and declines once`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b", "c")
        try subject.decline("c", round: 1)
        try subject.apply(.tick(arrivals: [try ClientName("c")]))
        #expect(subject.participations["c"] == .declined)
        #expect(try subject.decline("c", round: 1).isDone == true)
        #expect(subject.changes.isEmpty)
    }

    @Test func `a client that has left is not waited for, nor asked again until it calls`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b", "c")
        try subject.send("a", "b", round: 1)
        subject.absent = ["c"]
        #expect(try subject.leave("c").isDone == true)
        #expect(subject.details("client.declined") == ["gone"])
        #expect(subject.round?.phase == .aggregating)
        try subject.apply(.aggregation(of: 1))
        #expect(subject.participations == ["a": .awaited, "b": .awaited])
        // A call that was noted before it left does not bring it back, one after it does.
        try subject.apply(.tick(arrivals: [try ClientName("c")]))
        #expect(subject.participations["c"] == nil)
        subject.absent = []
        try subject.apply(.tick(arrivals: [try ClientName("c")]))
        #expect(subject.participations["c"] == .awaited)
    }

    @Test func `a client that leaves takes nothing back and needs no round`() throws {
        var subject = try MachineUnderTest()
        try subject.apply(.registration("a"))
        subject.absent = ["a"]
        #expect(try subject.leave("a").isDone == true)
        #expect(subject.changes.isEmpty)
        subject.absent = []
        try subject.register("b", "c")
        try subject.send("a", round: 1)
        #expect(try subject.leave("a").isDone == true)
        #expect(subject.changes.isEmpty && subject.participations["a"] == .answered)
    }

    @Test func `a round that is extended does not ask those again who have left`() throws {
        var subject = try MachineUnderTest { $0.policy.onMissedQuorum = .extend }
        try subject.register("a", "b", "c")
        try subject.decline("b", round: 1)
        subject.absent = ["c"]
        try subject.leave("c")
        subject.seconds = 100
        try subject.apply(.tick(arrivals: []))
        #expect(subject.events.contains("round.extended"))
        #expect(subject.participations == ["a": .awaited, "b": .awaited, "c": .declined])
    }

    @Test func `an update of a client that declined is taken all the same`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b", "c")
        try subject.decline("c", round: 1)
        #expect(try subject.send("c", round: 1).map(\.count) == [1])
        #expect(subject.participations["c"] == .answered)
    }

    @Test func `an extended round asks those again who declined, but not who was revoked`() throws {
        var subject = try MachineUnderTest { $0.policy.onMissedQuorum = .extend }
        try subject.register("a", "b", "c")
        try subject.send("a", round: 1)
        try subject.decline("b", round: 1)
        try subject.decline("c", round: 1)
        try subject.apply(.revoke(try ClientName("c")))
        #expect(subject.round?.phase == .collecting)
        subject.seconds = 100
        try subject.apply(.tick(arrivals: []))
        #expect(subject.participations == ["a": .answered, "b": .awaited, "c": .declined])
        try subject.send("b", round: 1)
        #expect(subject.round?.phase == .aggregating)
    }

    @Test func `a client cannot decline what it answered, what is over, or what it is not asked for`() throws {
        var subject = try MachineUnderTest { $0.policy.selection = .count(2) }
        try subject.register("a", "b", "c")
        try subject.send("a", round: 1)
        #expect(try subject.decline("a", round: 1).roundError == .updateExists(round: 1))
        #expect(try subject.decline("c", round: 1).roundError == .notSelected(round: 1))
        #expect(try subject.decline("b", round: 2).roundError == .unknown(round: 2, current: 1))
        try subject.send("b", round: 1)
        #expect(try subject.decline("b", round: 1).roundError == .closed(round: 1, current: 1))
        #expect(subject.changes.isEmpty)
    }

    @Test func `a buffer's round is sat out by who declines it, and older plans by nobody`() throws {
        var subject = try MachineUnderTest {
            $0.policy.total = 50
            $0.policy.minimumUpdates = 1
            $0.policy.buffer = .init(size: 2, stalenessExponent: 0.5, maximumStaleness: 10)
        }
        try subject.register("a", "b", "c")
        try subject.decline("c", round: 1)
        #expect(subject.participations == ["c": .declined])
        try subject.send("a", "b", round: 1)
        #expect(subject.round?.phase == .aggregating)
        try subject.apply(.aggregation(of: 1))
        #expect(subject.participations.isEmpty)
        #expect(try subject.decline("c", round: 1).isDone == true)
        #expect(subject.participations.isEmpty)
    }
}

extension MachineUnderTest {
    @discardableResult
    fileprivate mutating func leave(_ name: String) throws -> Result<Void, RoundError> {
        try #require(try apply(.leave(ClientName(name), reason: "gone")).first)
    }

    @discardableResult
    fileprivate mutating func decline(_ name: String, round: Int) throws -> Result<Void, RoundError> {
        try apply(.decline(try ClientName(name), round: round, reason: "its training diverged"))[0]
    }
}
