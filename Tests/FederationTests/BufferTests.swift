import Federation
import Testing

@Suite struct BufferTests {
    private func asynchronous(
        _ size: Int = 2, staleness: Int = 10, _ adjust: (inout FederationSettings) -> Void = { _ in }
    ) throws -> MachineUnderTest {
        var subject = try MachineUnderTest {
            $0.policy.total = 50
            $0.policy.minimumUpdates = 1
            $0.policy.buffer = .init(size: size, stalenessExponent: 0.5, maximumStaleness: staleness)
            adjust(&$0)
        }
        try subject.register("a", "b", "c")
        return subject
    }

    private func publish(_ subject: inout MachineUnderTest) throws {
        try subject.apply(.aggregation(of: try #require(subject.round).number))
    }

    @Test func `nobody is selected and everybody may send`() throws {
        var subject = try asynchronous()
        #expect(subject.round?.number == 1)
        #expect(subject.participations.isEmpty)
        #expect(try subject.send("c", round: 1).map(\.count) == [1])
        #expect(subject.round?.phase == .collecting)
    }

    @Test func `as many updates as the buffer holds make a version`() throws {
        var subject = try asynchronous()
        try subject.send("c", "a", round: 1)
        #expect(subject.round?.phase == .aggregating)
        try publish(&subject)
        #expect(subject.round?.number == 2)
        #expect(subject.machine.publishedRound == 1)
    }

    @Test func `an update of an earlier plan counts in the present round, with its age`() throws {
        var subject = try asynchronous()
        for round in 1...3 {
            try subject.send("a", "b", round: round)
            try publish(&subject)
        }
        #expect(try subject.send("c", round: 1).map(\.count) == [1])
        #expect(subject.round?.updates[try ClientName("c")]?.began == 1)
        try subject.send("a", round: 4)
        #expect(subject.round?.updates[try ClientName("a")]?.began == nil)
        #expect(subject.round?.phase == .aggregating)
    }

    @Test func `an update that is too old is answered with the current round`() throws {
        var subject = try asynchronous(staleness: 2)
        for round in 1...3 {
            try subject.send("a", "b", round: round)
            try publish(&subject)
        }
        #expect(try subject.send("c", round: 1)[0].roundError == .closed(round: 1, current: 4))
        #expect(try subject.send("c", round: 2).map(\.count) == [1])
        #expect(try subject.send("c", round: 5)[0].roundError == .unknown(round: 5, current: 4))
        #expect(try subject.send("b", round: 0)[0].roundError == .closed(round: 0, current: 4))
    }

    @Test func `a plan gives one update, in whichever round it counted`() throws {
        var subject = try asynchronous()
        try subject.send("a", "b", round: 1)
        try publish(&subject)
        #expect(try subject.send("a", round: 1)[0].roundError == .updateExists(round: 1))
        #expect(try subject.send("c", round: 1).map(\.count) == [1])
        #expect(try subject.send("c", round: 2)[0].roundError == .updateExists(round: 2), "one in the buffer")
    }

    @Test func `an update that comes while a buffer is added up is put off, not refused`() throws {
        var subject = try asynchronous()
        try subject.send("a", "b", round: 1)
        #expect(subject.machine.objection(to: try ClientName("c"), round: 1) == nil)
        #expect(try subject.send("c", round: 1)[0].roundError == .busy(round: 1))
        try publish(&subject)
        #expect(try subject.send("c", round: 1).map(\.count) == [1])
    }

    @Test func `a deadline publishes a buffer that is not full but has a quorum`() throws {
        var subject = try asynchronous(3)
        subject.seconds = 100
        try subject.apply(.tick(arrivals: []))
        #expect(subject.details("round.failed") == ["0 of at least 1 update arrived by the deadline"])
        try subject.send("a", round: 2)
        subject.seconds = 200
        try subject.apply(.tick(arrivals: []))
        #expect(subject.round?.phase == .aggregating)
    }

    @Test func `a lost update may be sent again under its plan`() throws {
        var subject = try asynchronous()
        try subject.send("a", "b", round: 1)
        try subject.apply(.lost([try ClientName("a"): "gone"], round: 1))
        #expect(subject.round?.phase == .collecting)
        #expect(try subject.send("a", round: 1).map(\.count) == [2])
        #expect(subject.round?.phase == .aggregating)
    }

    @Test func `a federation that has finished takes no more`() throws {
        var subject = try asynchronous { $0.policy.total = 1 }
        try subject.send("a", "b", round: 1)
        try publish(&subject)
        #expect(subject.machine.state == .finished)
        #expect(try subject.send("c", round: 1)[0].roundError == .closed(round: 1, current: 1))
    }

    @Test func `a buffer can be resized but neither put in nor taken out`() throws {
        var subject = try asynchronous()
        var policy = subject.machine.settings.policy
        policy.buffer?.size = 3
        #expect(try subject.apply(.setPolicy(policy))[0].lifecycleError == nil)
        policy.buffer = nil
        guard case .settings(let error) = try subject.apply(.setPolicy(policy))[0].lifecycleError else {
            Issue.record("expected a refusal")
            return
        }
        #expect(error.path == "round.buffer")
    }
}
